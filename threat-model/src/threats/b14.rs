//! B14: a desk makes a TPM in software, has it quote the released registers,
//! and certifies it: no machine ever booted.
//!
//! The control is that assurance `operator` is not accepted unless the viewer
//! said so himself. It is removed in the victim's policy.

use crate::attack::attack;
use crate::scene::cloud::Cloud;
use crate::scene::machine::Machine;
use crate::scene::round::Round;
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy};

#[cfg(test)]
mod stranger;

attack!("B14", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(certify_a_lie(control, Policy::default()))
}

async fn certify_a_lie(control: Control, policy: Policy) -> Result<Outcome, Failure> {
    let round = Round::at(Cloud::new()?)?;
    // The stage's machines are such TPMs, all of them.
    let machine = Machine::genuine()?;
    let booted = round
        .cloud
        .boot_machine(machine, &round.order, loopback())?;
    let policy = match control {
        Control::On => policy,
        Control::Removed => policy.dangerously_without(Check::Assurance),
    };
    let trust = round.cloud.trust_no_more_than(policy)?;
    let visit = round.visit(booted).await?;
    let damage = "registers that no machine had pass as a boot";
    Ok(visit.judged(&trust, damage).await)
}
