//! B2: the desk boots an image with a changed program: the registers that
//! measure the image differ from the release's.
//!
//! The control is the comparison of measurements. It is removed in the
//! victim's policy.

use crate::attack::attack;
use crate::scene::cloud::Cloud;
use crate::scene::machine::{Machine, altered};
use crate::scene::round::Round;
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy};

#[cfg(test)]
mod software;

attack!("B2", run);

/// The image itself, and its sections.
const CHANGED: [u8; 2] = [4, 11];

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(boot_a_changed_image(control))
}

async fn boot_a_changed_image(control: Control) -> Result<Outcome, Failure> {
    let round = Round::at(Cloud::new()?)?;
    let machine = Machine::with(altered(&CHANGED)?)?;
    let booted = round
        .cloud
        .boot_machine(machine, &round.order, loopback())?;
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_without(Check::Measurement),
    };
    let trust = round.cloud.trust(policy)?;
    let visit = round.visit(booted).await?;
    Ok(visit.judged(&trust, "a changed image passes").await)
}
