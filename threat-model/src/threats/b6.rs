//! B6: somebody boots the developer's genuine relay with a copied order and
//! answers in the place of the sponsor's.
//!
//! The control is the admission: the key is the one that the holder's
//! introduction names. It is removed in the victim's policy. The program is
//! genuine and the order is right, so that nothing else speaks against it.

use crate::attack::attack;
use crate::scene::cloud::{Cloud, admission, lifeline, start};
use crate::scene::stream::Stream;
use crate::scene::{self, loopback, rng};
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy};
use certs::SigningKey;
use link::{Clock, Endpoint, Identity, Patience};
use relay_vm::{Booted, Commanders};
use std::sync::Arc;
use wire::order::Order;

#[cfg(test)]
mod machine;

attack!("B6", run);

/// Boots the genuine relay for an order.
type Boot = fn(&Cloud, &Order) -> Result<Booted, Failure>;

fn run(control: Control) -> Result<Outcome, Failure> {
    let process: Boot = |cloud, order| cloud.boot(order, loopback());
    scene::stage(boot_a_copied_order(control, process))
}

async fn boot_a_copied_order(control: Control, boot: Boot) -> Result<Outcome, Failure> {
    let (cloud, stream) = (Cloud::new()?, Stream::begin()?);
    let holder = SigningKey::generate(&rng())?;
    let order = cloud.order(&holder)?;
    let sponsors = boot(&cloud, &order)?;
    let strangers = boot(&cloud, &order)?;
    // The victim is the holder: the relay answers his challenges.
    let certificate = certs::x509::self_signed(&holder, Vec::new())?;
    let key = Arc::new(holder.clone());
    let victim = Identity { key, certificate };
    let introduced = sponsors.binding.spki;
    let (_alive, life) = lifeline();
    let copy = start(strangers, Commanders::default(), life)?;
    let named = (introduced, copy.address);
    let admission = admission(&stream.run, &order, &holder, named, victim.spki())?;
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_without(Check::Admission),
    };
    let trust = cloud.trust(policy)?;
    let dialler = Endpoint::bind(loopback(), &victim)?;
    let link = dialler.dial(copy.address, None, Patience::Edge).await?;
    let me = victim.spki();
    let clock = Clock::new();
    match link::verify_relay(&link, &admission, me, &trust, &stream.run, &clock).await {
        Ok(proof) if proof.live.spki() == copy.spki && copy.spki != introduced => {
            Ok(Outcome::succeeded(format!(
                "relay {} passes where {} was introduced",
                copy.spki.short(),
                introduced.short()
            )))
        }
        Ok(_) => Err(Failure::Stage("the introduced relay answered")),
        Err(refusal) => Ok(Outcome::stopped(refusal.reason())),
    }
}
