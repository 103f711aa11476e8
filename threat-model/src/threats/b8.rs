//! B8: a relay's evidence was good when the edge began; then its key and its
//! connection went on to a machine that nobody attested.
//!
//! The control is that relays are verified again while an edge runs. It is
//! removed in the controls that the victim's node is made with.

use crate::attack::attack;
use crate::attackers::turncoat::Turncoat;
use crate::scene::cloud::{Cloud, admission};
use crate::scene::edge::{Victim, dial_order, records};
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{self, loopback, rng};
use crate::{Control, Failure, Outcome};
use attest::Policy;
use certs::SigningKey;
use link::{Controls, Endpoint, Reverification, ReverifyTimes, Verification};
use std::sync::Arc;
use std::time::Duration;
use wire::message::control::NodeKind;

#[cfg(test)]
mod late;
#[cfg(test)]
mod stale;

attack!("B8", run);

/// From one verification to the next, in milliseconds: short for the stage.
const PERIOD_MS: u64 = 200;
/// How long the changed relay lies low before it feeds its child.
const LOW: Duration = Duration::from_millis(1_500);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(change_machines(control))
}

async fn change_machines(control: Control) -> Result<Outcome, Failure> {
    let (cloud, stream) = (Cloud::new()?, Stream::begin()?);
    let holder = SigningKey::generate(&rng())?;
    let order = cloud.order(&holder)?;
    let booted = cloud.boot(&order, loopback())?;
    let endpoint = Endpoint::bind(loopback(), &booted.identity)?;
    let (relay, address) = (booted.binding.spki, endpoint.address()?);
    let member = stream.member("victim")?;
    let me = member.spki();
    let admission = admission(&stream.run, &order, &holder, (relay, address), me)?;

    let [init, chunk] = two_chunks(&mut stream.publisher()?, b"programme")?;
    let mut sent = records(&init)?;
    sent.extend(records(&chunk)?);
    tokio::spawn(Turncoat::new(endpoint, &booted)?.serve(sent, LOW));

    let reverification = match control {
        Control::On => Reverification::scheduled(ReverifyTimes {
            period_ms: PERIOD_MS,
            period_jitter_ms: 0,
            ..ReverifyTimes::default()
        }),
        Control::Removed => Reverification::dangerously_never(),
    };
    let controls = Controls {
        reverification,
        ..Controls::default()
    };
    let trust = Verification::Full(Arc::new(cloud.trust(Policy::default())?));
    let mut victim = Victim::verifying(&stream, &member, trust, controls)?;
    let mut above = dial_order(&stream, relay, me, NodeKind::Relay, address)?;
    let mut permit = stream.permit(relay, me);
    permit.parent_order = Some(certs::order::id(&order));
    above.permit = certs::permit::sign(&stream.permit_key, &permit);
    above.other.admission = Some(admission);
    victim.node.order_edge(above)?;
    match victim.chunk_or_refusal(chunk.header.key()).await? {
        Some(reason) => Ok(Outcome::stopped(reason)),
        None => Ok(Outcome::succeeded(
            "the viewer takes the stream from a machine that nobody attested",
        )),
    }
}
