//! From a voucher to a relay that runs, or to a record that says truly what
//! became of the voucher.
//!
//! The request is on the disk before it is sent and is the same whenever it
//! is sent again, so a lost reply, a killed client or a desk that restarts
//! costs time and no voucher.

#[cfg(test)]
mod tests;

use super::region::Rtts;
use crate::Error;
use crate::desk_client::{Answer, DeskClient, jittered, replay};
use crate::wallet::{Contents, Wallet, generator, now};
use certs::SigningKey;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use voucher::{
    DeskUri, Name, OrderState, OrderStatus, RedeemRequest, Refusal, RelayAddress, State,
    VoucherRecord,
};
use wire::order::Order;
use wire::{OrderId, PublicKey, SpkiHash, UnixMs};

/// The release channel that relays are ordered of.
const CHANNEL: &str = "stable";
/// How long another operation on the wallet is waited for, in ms: a purchase
/// at a desk that answers takes less.
const LOCK_MS_MAX: u64 = 5_000;
/// How long a launch is waited for, in ms: a virtual machine boots in about
/// 40 s. A later one is found by [`resume_in_flight`].
const LAUNCH_MS_MAX: u64 = 180_000;
/// First and longest pause between two questions about an order, in ms.
const POLL_MS_MIN: u64 = 100;
const POLL_MS_MAX: u64 = 2_000;
/// The least lease, in ms, for which a relay found again is worth its
/// admission.
const LEASE_MS_MIN: u64 = 60_000;

/// A relay that was ordered and runs, by the desk's word: the sponsor dials
/// it and verifies for himself.
#[derive(Debug)]
pub(crate) struct Ordered {
    /// What was ordered.
    pub(crate) order: Order,
    /// Its id.
    pub(crate) order_id: OrderId,
    /// The key that commands the relay.
    pub(crate) holder: SigningKey,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its key.
    pub(crate) relay: SpkiHash,
    /// End of the paid time.
    pub(crate) lease_end: UnixMs,
}

/// How one voucher's redemption ended, when it did.
enum Outcome {
    /// The relay runs.
    Running(Box<Ordered>),
    /// The voucher is done for without costing anything now: another one may
    /// be taken. If there is none, this is why.
    Void(Error),
}

/// Redeems one voucher at `desk`: one that was left in flight if there is
/// one, else one of the region that is nearest by these round trips, else the
/// one that expires first.
///
/// # Errors
/// [`Error::NoVoucher`] or [`Error::WalletDamaged`] without a usable voucher;
/// [`Error::WalletLocked`]; those of [`DeskClient`], after which the voucher
/// is in flight; [`Error::DeskRefused`], after which it is unspent, or spent
/// by the proof that the desk showed, or refunded by a fresh one;
/// [`Error::Voucher`] with `spent_proof_invalid` if the desk lied.
pub(crate) async fn redeem(desk: &DeskUri, data: &Path, rtts: &Rtts) -> Result<Ordered, Error> {
    let wallet = Wallet::open_patiently(data, LOCK_MS_MAX).await?;
    let client = DeskClient::new(desk)?;
    let desk_key = replay(|| client.keys()).await?.desk_key;
    let mut void = None;
    loop {
        let mut contents = wallet.contents()?;
        let damaged = contents.vouchers_damaged.pop();
        let Some(record) = contents.next_near(desk, now(), rtts) else {
            return Err(void.or(damaged).unwrap_or(Error::NoVoucher));
        };
        match redeem_one(&wallet, &client, desk_key, record).await? {
            Outcome::Running(ordered) => return Ok(*ordered),
            Outcome::Void(error) => void = Some(error),
        }
    }
}

/// Asks what became of the vouchers that were in flight when the client last
/// ended, and gives the relays that they bought. It may take as long as a
/// launch: run it beside the rest.
///
/// # Errors
/// As [`redeem`]; vouchers after the failed one stay in flight.
pub(crate) async fn resume_in_flight(desk: &DeskUri, data: &Path) -> Result<Vec<Ordered>, Error> {
    let in_flight = |contents: Contents| {
        let record = contents.next(desk, now());
        record.filter(|record| record.state() == State::InFlight)
    };
    let mut ordered = Vec::new();
    // Without the lock first: mostly there is nothing to do.
    if in_flight(Contents::read(data)?).is_none() {
        return Ok(ordered);
    }
    let wallet = Wallet::open_patiently(data, LOCK_MS_MAX).await?;
    let client = DeskClient::new(desk)?;
    let desk_key = replay(|| client.keys()).await?.desk_key;
    while let Some(record) = in_flight(wallet.contents()?) {
        match redeem_one(&wallet, &client, desk_key, record).await? {
            Outcome::Running(relay) => ordered.push(*relay),
            Outcome::Void(error) => tracing::warn!("a voucher that was in flight: {error}"),
        }
    }
    Ok(ordered)
}

async fn redeem_one(
    wallet: &Wallet,
    client: &DeskClient,
    desk_key: PublicKey,
    mut record: VoucherRecord,
) -> Result<Outcome, Error> {
    let resumed = record.state() == State::InFlight;
    let channel: Name = CHANNEL.parse()?;
    let request = record.begin_redeem(&mut generator()?, desk_key, &channel, now())?;
    wallet.save(&record).await?;
    match settled(client, &request).await? {
        Ok(status) => settle(wallet, record, &request, &status, resumed).await,
        Err(refusal) => refuse(wallet, record, refusal).await,
    }
}

/// Sends the redemption and asks until its order has left `launching`.
async fn settled(
    client: &DeskClient,
    request: &RedeemRequest,
) -> Result<Answer<OrderStatus>, Error> {
    let id = certs::order::id(&request.order()?);
    let deadline = Instant::now() + Duration::from_millis(LAUNCH_MS_MAX);
    let mut pause_ms = POLL_MS_MIN;
    let mut answer = replay(|| client.redeem(request)).await?;
    while launching(&answer) {
        if Instant::now() >= deadline {
            return Err(Error::DeskAway {
                step: "wait for the relay",
                detail: format!("it is not up after {} s", LAUNCH_MS_MAX / 1_000),
            });
        }
        sleep(jittered(pause_ms)).await;
        pause_ms = pause_ms.saturating_mul(2).min(POLL_MS_MAX);
        answer = match replay(|| client.order(id)).await? {
            Ok(status) => Ok(status),
            // Only the redemption itself is refused with a meaning.
            Err(_) => replay(|| client.redeem(request)).await?,
        };
    }
    Ok(answer)
}

fn launching(answer: &Answer<OrderStatus>) -> bool {
    answer
        .as_ref()
        .is_ok_and(|status| matches!(status.state, OrderState::Launching {}))
}

async fn settle(
    wallet: &Wallet,
    mut record: VoucherRecord,
    request: &RedeemRequest,
    status: &OrderStatus,
    resumed: bool,
) -> Result<Outcome, Error> {
    if let Some(fresh) = record.settle(status)? {
        // Before the old record says `refunded`: else it could be lost.
        wallet.add(&fresh).await?;
    }
    let saved = wallet.save(&record).await;
    let ended = match &status.state {
        OrderState::Running { relay } => {
            // The record says `in flight` then, which is answered again.
            if let Err(error) = saved {
                tracing::warn!("the relay runs, and that could not be saved: {error}");
            }
            let left_ms = relay.lease_end_ms.since_ms(now());
            if !resumed || left_ms >= LEASE_MS_MIN {
                return Ok(Outcome::Running(Box::new(ordered(
                    &record, request, relay,
                )?)));
            }
            return Ok(Outcome::Void(Error::Relay("its paid time is over")));
        }
        OrderState::Launching {} => Error::Relay("it is still being started"),
        OrderState::Done { reason } => Error::DeskRefused {
            step: "start the relay",
            reason: reason.clone(),
            message: "the relay has ended already; the voucher is spent".to_owned(),
        },
        OrderState::Refunded { reason, .. } => Error::DeskRefused {
            step: "start the relay",
            reason: reason.clone(),
            message: "no relay could be started; a fresh voucher is in the wallet".to_owned(),
        },
    };
    saved?;
    // What this call began has cost its voucher or its time: the person is
    // asked before another one is taken.
    if resumed {
        Ok(Outcome::Void(ended))
    } else {
        Err(ended)
    }
}

fn ordered(
    record: &VoucherRecord,
    request: &RedeemRequest,
    relay: &RelayAddress,
) -> Result<Ordered, Error> {
    let order = request.order()?;
    Ok(Ordered {
        order_id: certs::order::id(&order),
        order,
        holder: record.voucher().holder().key().clone(),
        address: relay.address,
        relay: relay.spki,
        lease_end: relay.lease_end_ms,
    })
}

async fn refuse(
    wallet: &Wallet,
    mut record: VoucherRecord,
    refusal: Refusal,
) -> Result<Outcome, Error> {
    // A `spent` without its proof changes nothing here, and is told as a lie.
    record.refuse(&refusal, now())?;
    wallet.save(&record).await?;
    let error = Error::DeskRefused {
        step: "redeem a voucher",
        reason: refusal.reason,
        message: refusal.message,
    };
    match record.state() {
        State::Spent | State::Expired => Ok(Outcome::Void(error)),
        State::Unspent | State::InFlight | State::Refunded => Err(error),
    }
}
