//! B7: a front with the TLS key of a genuine relay lets that relay answer the
//! challenges, over a connection of its own.
//!
//! The control is the binding of the live answer to the verifier's own
//! connection. It is removed in the victim's policy.

use crate::attack::attack;
use crate::attackers::front::Oracle;
use crate::scene::cloud::{Cloud, admission, lifeline, start};
use crate::scene::stream::{Stream, self_made};
use crate::scene::{self, loopback, rng};
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy};
use certs::SigningKey;
use link::{Clock, Endpoint, Patience};
use relay_vm::{Booted, Commanders};
use std::sync::Arc;
use wire::order::Order;

#[cfg(test)]
mod machine;

attack!("B7", run);

/// Boots the genuine relay for an order.
type Boot = fn(&Cloud, &Order) -> Result<Booted, Failure>;

fn run(control: Control) -> Result<Outcome, Failure> {
    let process: Boot = |cloud, order| cloud.boot(order, loopback());
    scene::stage(front_for_a_genuine_relay(control, process))
}

async fn front_for_a_genuine_relay(control: Control, boot: Boot) -> Result<Outcome, Failure> {
    let (cloud, stream) = (Cloud::new()?, Stream::begin()?);
    let holder = SigningKey::generate(&rng())?;
    let order = cloud.order(&holder)?;
    let booted = boot(&cloud, &order)?;
    // Stolen from the relay's memory: key and certificate, not the key that
    // signs for its platform.
    let stolen = booted.identity.clone();
    let (_alive, life) = lifeline();
    let relay = start(booted, Commanders::default(), life)?;
    let front = Arc::new(Endpoint::bind(loopback(), &stolen)?);
    let address = front.address()?;
    // The relay answers its holder: the front is the sponsor's own.
    let oracle = Oracle::new(self_made(holder.clone(), Vec::new())?, relay.address)?;
    tokio::spawn(oracle.serve(front));
    let victim = stream.member("victim")?;
    let admission = admission(
        &stream.run,
        &order,
        &holder,
        (stolen.spki(), address),
        victim.spki(),
    )?;
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_without(Check::LiveBinding),
    };
    let trust = cloud.trust(policy)?;
    let dialler = Endpoint::bind(loopback(), &victim)?;
    let link = dialler
        .dial(address, Some(stolen.spki()), Patience::Edge)
        .await?;
    let me = victim.spki();
    let clock = Clock::new();
    match link::verify_relay(&link, &admission, me, &trust, &stream.run, &clock).await {
        Ok(_) => Ok(Outcome::succeeded(
            "the front passes with the answer of the relay behind it",
        )),
        Err(refusal) => Ok(Outcome::stopped(refusal.reason())),
    }
}
