//! A shop that sells vouchers, and desks that redeem them.

use super::random;
use crate::Failure;
use certs::SigningKey;
use desk::error::LaunchFailure;
use desk::event::{Event, Events};
use desk::ledger::Ledger;
use desk::orders::{Orders, Parts, Refunder};
use desk::provider::{Ended, Launch, Pending, Provider, Running, Standing};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::oneshot;
use voucher::{
    Acceptance, Blinding, Class, HolderSecret, IssuerKey, Name, RedeemRequest, RelayAddress,
    TokenResponse, Voucher, generator,
};
use wire::{OrderId, PublicKey, SpkiHash};

const SHOP: &str = "shop.example";
const LEDGER: &str = "ledger.example";
/// Far from its end, so that no test depends on the date.
const CLASS: &str = "small.local.1h.45gb.2998q4";

/// The shop's class key; made once, since that takes a second.
fn issuer() -> Result<&'static IssuerKey, Failure> {
    static KEY: OnceLock<IssuerKey> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key);
    }
    let key = IssuerKey::generate(&mut generator(&random()?), &BTreeSet::new())?;
    Ok(KEY.get_or_init(|| key))
}

fn name(text: &str) -> Result<Name, Failure> {
    Ok(text.parse()?)
}

/// Buys a voucher as a wallet does.
///
/// # Errors
/// Those of the voucher library.
pub fn buy() -> Result<Voucher, Failure> {
    let class: Class = CLASS.parse()?;
    let issuer = issuer()?;
    let mut rng = generator(&random()?);
    let blinding = Blinding::begin(
        &mut rng,
        &name(SHOP)?,
        &name(LEDGER)?,
        &class,
        issuer.public(),
    )?;
    let response = issuer.sign(&mut rng, &blinding.request())?;
    Ok(blinding.finish(&response)?)
}

/// A redemption of this voucher at this desk.
///
/// # Errors
/// Those of the voucher library.
pub fn redemption(voucher: &Voucher, desk: PublicKey) -> Result<RedeemRequest, Failure> {
    let refund = Blinding::begin(
        &mut generator(&random()?),
        voucher.shop(),
        voucher.ledger(),
        voucher.class(),
        voucher.key(),
    )?;
    Ok(RedeemRequest::sign(
        voucher,
        &name("stable")?,
        desk,
        refund.request(),
    )?)
}

/// A desk with its own key, on this ledger and this provider.
///
/// # Errors
/// Those of the voucher library.
pub fn desk(
    key: &SigningKey,
    ledger: Arc<dyn Ledger>,
    provider: Arc<Machines>,
) -> Result<Orders, Failure> {
    let class: Class = CLASS.parse()?;
    let keys = BTreeMap::from([(class, issuer()?.public().clone())]);
    Ok(Orders::new(Parts {
        check: Arc::new(Acceptance::new(
            name(SHOP)?,
            name(LEDGER)?,
            key.public(),
            keys,
        )),
        ledger,
        provider,
        refunder: Arc::new(NoRefunds),
        events: Arc::new(Silence),
        channel: name("stable")?,
    }))
}

/// A holder's key that was never sold with a voucher.
///
/// # Errors
/// Randomness.
pub fn foreign_holder() -> Result<HolderSecret, Failure> {
    Ok(HolderSecret::from_random(random()?))
}

/// A provider that counts what it was told to start.
#[derive(Debug, Default)]
pub struct Machines {
    started: AtomicUsize,
    /// Kept, so that its relays count as running.
    running: std::sync::Mutex<Vec<oneshot::Sender<Ended>>>,
}

impl Machines {
    /// Relays started so far.
    #[must_use]
    pub fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }
}

impl Provider for Machines {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn start(&self, launch: Launch) -> Pending<'_, Result<Running, LaunchFailure>> {
        self.started.fetch_add(1, Ordering::SeqCst);
        let (tell, ended) = oneshot::channel();
        if let Ok(mut running) = self.running.lock() {
            running.push(tell);
        }
        let relay = RelayAddress {
            address: ([127, 0, 0, 1], 9).into(),
            spki: SpkiHash([9; 32]),
            lease_end_ms: launch.lease_end,
        };
        let pid = None;
        Box::pin(std::future::ready(Ok(Running { relay, pid, ended })))
    }

    fn describe(&self, _: &OrderId) -> Pending<'_, Option<RelayAddress>> {
        Box::pin(std::future::ready(None))
    }

    fn stop(&self, _: &OrderId) -> Pending<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn reconcile(&self, _: &OrderId) -> Pending<'_, Standing> {
        Box::pin(std::future::ready(Standing::Gone))
    }
}

/// Nothing is refunded here: nothing fails to start.
struct NoRefunds;

impl Refunder for NoRefunds {
    fn refund(&self, _: &RedeemRequest) -> Result<TokenResponse, desk::Error> {
        Err(desk::Error::NotFound)
    }
}

/// Nobody hears what a desk of the stage tells.
#[derive(Debug)]
pub struct Silence;

impl Events for Silence {
    fn emit(&self, _: Event) {}
    fn forward(&self, _: &str) {}
}
