//! G1: the sponsor goes home in the middle of the evening.
//!
//! The control is on whose life the relay's hangs: its desk's, and the paid
//! time, which are values that the relay is started with. It is removed by
//! tying the relay to its sponsor instead.

use crate::attack::attack;
use crate::attackers::command::serve;
use crate::attackers::guest;
use crate::scene::cloud::{Cloud, lifeline, start};
use crate::scene::stream::Stream;
use crate::scene::{self, loopback, now, within};
use crate::{Control, Failure, Outcome};
use link::{Endpoint, Link, Patience, open_channel};
use relay_vm::Commanders;
use std::time::Duration;
use wire::Reason;
use wire::message::StreamKind;
use wire::message::control::Up;

attack!("G1", run);

/// The paid time, in milliseconds: the relay gives ten seconds of notice
/// before its end.
const LEASE_MS: u64 = 14_000;
/// The relay's last greeting of a coordinator that calls before the end, in
/// milliseconds before it.
const LAST_CALL_MS: u64 = 3_000;
/// How long a relay may take for one thing, in milliseconds.
const STEP_MS_MAX: u64 = 5_000;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(go_home(control))
}

async fn go_home(control: Control) -> Result<Outcome, Failure> {
    let (cloud, stream) = (Cloud::new()?, Stream::begin()?);
    let (holder, commander) = guest::holder()?;
    let lease_end = now().plus_ms(LEASE_MS);
    let booted = cloud.boot_until(&cloud.order(&holder)?, loopback(), lease_end)?;
    let (_desk, desks_life) = lifeline();
    let (sponsor, sponsors_life) = lifeline();
    let life = match control {
        Control::On => desks_life,
        Control::Removed => sponsors_life,
    };
    let relay = start(booted, Commanders::default(), life)?;
    let run = (&stream.signed_run, stream.station.spki());
    let home = serve(&commander, (relay.address, relay.spki), run).await?;
    // He closes his laptop.
    home.close(Reason::Done).await;
    drop(sponsor);

    let station = Endpoint::bind(loopback(), &stream.station)?;
    let mut ended = relay.ended;
    let last_call = Duration::from_millis(LEASE_MS.saturating_sub(LAST_CALL_MS));
    tokio::select! {
        reason = &mut ended => {
            let reason = reason.map_err(|_| Failure::Stage("the relay broke"))?;
            return Ok(Outcome::succeeded(format!(
                "the relay ended with its sponsor ({reason}), and everybody under it lost the stream"
            )));
        }
        () = tokio::time::sleep(last_call) => {}
    }
    let called = station.dial(relay.address, Some(relay.spki), Patience::Control);
    greeted(&called.await?).await?;
    let reason = within(LAST_CALL_MS + STEP_MS_MAX, "end of the relay", ended).await?;
    match reason.map_err(|_| Failure::Stage("the relay broke"))? {
        Reason::LeaseEnded if now() >= lease_end => Ok(Outcome::stopped("relay_stays")),
        _ => Err(Failure::Stage("the relay ended before its paid time")),
    }
}

/// The relay says to its coordinator that it is ready for edges.
async fn greeted(link: &Link) -> Result<(), Failure> {
    let mut channel = open_channel(link, StreamKind::Control).await?;
    let word = within(STEP_MS_MAX, "word of the relay", channel.expect("no word"));
    match word.await?? {
        Up::Ready(_) => Ok(()),
        _ => Err(Failure::Stage("the relay greets its coordinator otherwise")),
    }
}
