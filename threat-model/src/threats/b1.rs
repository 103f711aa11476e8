//! B1: a member introduces a program of his own as the relay of an order. Its
//! certificate carries no evidence.
//!
//! The control is the appraisal's first question: is there evidence? It is
//! removed in the policy with which the victim verifies the link.

use crate::attack::attack;
use crate::scene::cloud::{Cloud, admission};
use crate::scene::stream::{self, Stream};
use crate::scene::{self, loopback, rng};
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy};
use certs::SigningKey;
use link::{Clock, Endpoint, Patience};
use std::sync::Arc;

attack!("B1", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(claim_to_be_a_relay(control))
}

async fn claim_to_be_a_relay(control: Control) -> Result<Outcome, Failure> {
    let (cloud, stream) = (Cloud::new()?, Stream::begin()?);
    let holder = SigningKey::generate(&rng())?;
    let order = cloud.order(&holder)?;
    let fake = stream::stranger()?;
    let endpoint = Arc::new(Endpoint::bind(loopback(), &fake)?);
    let address = endpoint.address()?;
    // It answers challenges with sixty-four bytes of its own.
    tokio::spawn(crate::attackers::front::serve_blindly(endpoint));
    let victim = stream.member("victim")?;
    let admission = admission(
        &stream.run,
        &order,
        &holder,
        (fake.spki(), address),
        victim.spki(),
    )?;
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_without(Check::Evidence),
    };
    let trust = cloud.trust(policy)?;
    let dialler = Endpoint::bind(loopback(), &victim)?;
    let link = dialler
        .dial(address, Some(fake.spki()), Patience::Edge)
        .await?;
    let me = victim.spki();
    let clock = Clock::new();
    match link::verify_relay(&link, &admission, me, &trust, &stream.run, &clock).await {
        Ok(proof) => Ok(Outcome::succeeded(format!(
            "a program without evidence passes as the relay of order {}",
            proof.boot.order().short()
        ))),
        Err(refusal) => Ok(Outcome::stopped(refusal.reason())),
    }
}
