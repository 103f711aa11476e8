//! B4: the operator puts a credential beside the signed image. The firmware
//! boots it, since the image is the developer's; what came from beside it is
//! measured into PCR 12.
//!
//! The control is that PCR 12 and 13 are zero. Two checks hold it: one names
//! it, and the comparison with the release, in which both are zero, would find
//! it too. Both are removed in the victim's policy. The same of a real boot is
//! under `boots` in the catalogue.

use crate::attack::attack;
use crate::scene::cloud::Cloud;
use crate::scene::machine::{Machine, altered};
use crate::scene::round::Round;
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy};

#[cfg(test)]
mod parameters;

attack!("B4", run);

/// Where systemd's stub measures credentials and command lines from outside.
const BESIDE: [u8; 1] = [12];

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(inject_a_credential(control))
}

async fn inject_a_credential(control: Control) -> Result<Outcome, Failure> {
    let round = Round::at(Cloud::new()?)?;
    let machine = Machine::with(altered(&BESIDE)?)?;
    let booted = round
        .cloud
        .boot_machine(machine, &round.order, loopback())?;
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default()
            .dangerously_without(Check::Injection)
            .dangerously_without(Check::Measurement),
    };
    let trust = round.cloud.trust(policy)?;
    let visit = round.visit(booted).await?;
    let damage = "an image passes with what lay beside it";
    Ok(visit.judged(&trust, damage).await)
}
