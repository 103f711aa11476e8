//! The same with a program that is a process: its hash is not the release's.

use crate::proof::{assert_refused, assert_succeeds};
use crate::scene::cloud::{Cloud, PROGRAM};
use crate::scene::round::Round;
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy};
use wire::Digest;

async fn start_a_changed_program(control: Control) -> Result<Outcome, Failure> {
    let cloud = Cloud::new()?;
    let release = cloud.release_json().to_vec();
    let changed = Digest([0xdd; 32]);
    assert_ne!(changed, PROGRAM);
    let round = Round::at(cloud.starting(release, changed))?;
    let booted = round.cloud.boot(&round.order, loopback())?;
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_without(Check::Measurement),
    };
    let trust = round.cloud.trust(policy)?;
    let visit = round.visit(booted).await?;
    Ok(visit.judged(&trust, "a changed program passes").await)
}

#[test]
fn a_changed_program_is_stopped() {
    assert_refused(
        "measurement_mismatch",
        scene::stage(start_a_changed_program(Control::On)),
    );
}

#[test]
fn a_changed_program_passes_without_the_control() {
    assert_succeeds(scene::stage(start_a_changed_program(Control::Removed)));
}
