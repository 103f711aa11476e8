//! B5: the desk boots an old release, which the developer signed and which has
//! a known hole. The victim has seen the newer one, which says so.
//!
//! The control is the floor of security versions that the victim has learnt.
//! It is removed in the victim's policy.

use crate::attack::attack;
use crate::scene::cloud::{Cloud, release};
use crate::scene::machine::Machine;
use crate::scene::round::Round;
use crate::scene::{self, loopback, now, rng};
use crate::{Control, Failure, Outcome};
use attest::release::{self, KeyRing, Release};
use attest::{Check, Policy};

#[cfg(test)]
mod revoked;

attack!("B5", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(roll_back(control))
}

async fn roll_back(control: Control) -> Result<Outcome, Failure> {
    let developer = KeyRing::generate(&rng())?;
    let cloud = Cloud::of(&developer, &release(1)?)?;
    let mut newer = release(2)?;
    newer.security_version_min = 2;
    let policy = learnt(&cloud, &developer, &newer)?;
    let policy = match control {
        Control::On => policy,
        Control::Removed => policy.dangerously_without(Check::ReleaseRollback),
    };
    boot_the_old(cloud, policy, "an old release with a known hole passes").await
}

/// What a viewer knows who has seen this release of the developer's.
fn learnt(cloud: &Cloud, developer: &KeyRing, newer: &Release) -> Result<Policy, Failure> {
    let json = developer.sign_release(newer)?;
    let mut policy = Policy::default();
    policy.learn(&release::verify(&json, &cloud.root()?, now())?);
    Ok(policy)
}

async fn boot_the_old(cloud: Cloud, policy: Policy, damage: &str) -> Result<Outcome, Failure> {
    let round = Round::at(cloud)?;
    let machine = Machine::genuine()?;
    let booted = round
        .cloud
        .boot_machine(machine, &round.order, loopback())?;
    let trust = round.cloud.trust(policy)?;
    Ok(round.visit(booted).await?.judged(&trust, damage).await)
}
