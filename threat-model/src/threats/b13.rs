//! B13: a relay is verified, and then its owner changes what runs on the
//! machine. Its keys and its connection stay.
//!
//! The control is that live quotes have to show the registers of the boot. It
//! is removed in the victim's policy.

use crate::attack::attack;
use crate::scene::cloud::Cloud;
use crate::scene::machine::{Hand, Machine, altered};
use crate::scene::round::Round;
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy};

#[cfg(test)]
mod reading;
#[cfg(test)]
mod reset;

attack!("B13", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(change_while_it_runs(control, Check::LiveMeasurement, load))
}

/// What is loaded later is measured, if only by what loads it.
fn load(hand: &Hand) -> Result<(), Failure> {
    hand.measure(altered(&[11])?);
    Ok(())
}

/// A relay that was in order when it was verified first, and whose owner then
/// does this to its machine.
async fn change_while_it_runs(
    control: Control,
    check: Check,
    change: fn(&Hand) -> Result<(), Failure>,
) -> Result<Outcome, Failure> {
    let round = Round::at(Cloud::new()?)?;
    let machine = Machine::genuine()?;
    let hand = machine.hand.clone();
    let booted = round
        .cloud
        .boot_machine(machine, &round.order, loopback())?;
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_without(check),
    };
    let trust = round.cloud.trust(policy)?;
    let visit = round.visit(booted).await?;
    visit.verify(&trust).await?;
    change(&hand)?;
    let damage = "a machine passes again that was changed since its boot";
    Ok(visit.judged(&trust, damage).await)
}
