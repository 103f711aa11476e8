//! The same with the weakest kind: a process on the desk's computer, certified
//! as such, where the viewer takes machines of this desk.

use crate::proof::{assert_refused, assert_succeeds};
use crate::scene::cloud::Cloud;
use crate::scene::round::Round;
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy};

async fn show_a_program(control: Control) -> Result<Outcome, Failure> {
    let round = Round::at(Cloud::new()?)?;
    let booted = round.cloud.boot(&round.order, loopback())?;
    let desk = certs::x509::spki_of_public(&round.cloud.desk.public());
    let machines = Policy::default().with_operator(desk);
    let policy = match control {
        Control::On => machines,
        Control::Removed => machines.dangerously_without(Check::Assurance),
    };
    let trust = round.cloud.trust_no_more_than(policy)?;
    let visit = round.visit(booted).await?;
    let damage = "a process passes where a machine was asked for";
    Ok(visit.judged(&trust, damage).await)
}

#[test]
fn a_program_in_a_machine_s_place_is_stopped() {
    assert_refused(
        "assurance_not_accepted",
        scene::stage(show_a_program(Control::On)),
    );
}

#[test]
fn a_program_in_a_machine_s_place_passes_without_the_control() {
    assert_succeeds(scene::stage(show_a_program(Control::Removed)));
}
