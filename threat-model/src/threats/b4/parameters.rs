//! The same by user data: the relay is told other parameters than its platform
//! certifies, here that it may dial into private networks.

use crate::proof::{assert_refused, assert_succeeds};
use crate::scene::cloud::{Cloud, Word, parameters};
use crate::scene::machine::Machine;
use crate::scene::round::Round;
use crate::scene::{self, loopback, now};
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy};

async fn tell_other_parameters(control: Control) -> Result<Outcome, Failure> {
    let round = Round::at(Cloud::new()?)?;
    let told = parameters(loopback(), now())?;
    let mut certified = told.clone();
    certified.private_networks = false;
    let word = Word {
        order: &round.order,
        certified: &certified,
        issued: now(),
    };
    let platform = Box::new(Machine::genuine()?.platform());
    let booted = round.cloud.boot_as(platform, &told, &word)?;
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_without(Check::Parameters),
    };
    let trust = round.cloud.trust(policy)?;
    let visit = round.visit(booted).await?;
    let damage = "a relay passes that was told to dial into private networks";
    Ok(visit.judged(&trust, damage).await)
}

#[test]
fn other_parameters_are_stopped() {
    assert_refused(
        "parameters_mismatch",
        scene::stage(tell_other_parameters(Control::On)),
    );
}

#[test]
fn other_parameters_pass_without_the_control() {
    assert_succeeds(scene::stage(tell_other_parameters(Control::Removed)));
}
