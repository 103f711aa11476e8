//! B3: the desk boots an image that another developer made and signed, with
//! that developer's `release.json` beside it.
//!
//! The control is the release's signature under the root that the victim
//! trusts. It is removed in the victim's policy. What firmware says to images
//! without the developer's signature is shown by booting them; see `boots` in
//! the catalogue.

use crate::attack::attack;
use crate::scene::cloud::{Cloud, PROGRAM, release};
use crate::scene::machine::{Machine, altered};
use crate::scene::round::Round;
use crate::scene::{self, loopback, rng};
use crate::{Control, Failure, Outcome};
use attest::release::KeyRing;
use attest::{Check, Policy};

attack!("B3", run);

/// The image, the keys of its Secure Boot, its initrd and its sections: the
/// foreign image has nothing of the developer's.
const FOREIGN: [u8; 4] = [4, 7, 9, 11];

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(boot_a_foreign_release(control))
}

async fn boot_a_foreign_release(control: Control) -> Result<Outcome, Failure> {
    let registers = altered(&FOREIGN)?;
    let mut foreign = release(1)?;
    for profile in &mut foreign.measurements.tpm2 {
        profile.pcrs = registers.clone();
    }
    let foreign = KeyRing::generate(&rng())?.sign_release(&foreign)?;
    let round = Round::at(Cloud::new()?.starting(foreign, PROGRAM))?;
    let machine = Machine::with(registers)?;
    let booted = round
        .cloud
        .boot_machine(machine, &round.order, loopback())?;
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_without(Check::ReleaseSignature),
    };
    let trust = round.cloud.trust(policy)?;
    let visit = round.visit(booted).await?;
    Ok(visit
        .judged(&trust, "a foreign developer's image passes")
        .await)
}
