//! A live answer that comes late: made while the machine was in order, and held
//! back until it is not any more. The link itself waits no longer than the
//! verifier takes answers, so that they are handed to him here.

use crate::proof::{assert_refused, assert_succeeds};
use crate::scene::cloud::Cloud;
use crate::scene::machine::Machine;
use crate::scene::round::Round;
use crate::scene::{loopback, now, random};
use crate::{Control, Failure, Outcome};
use attest::live::{AGE_MS_MAX, Batch, Challenge, Connection, Leaf, TlsSide};
use attest::{Check, Expectation, Policy};
use relay_vm::Booted;
use wire::message::live::Response;
use wire::{Nonce, SpkiHash};

/// The verifier.
const ME: SpkiHash = SpkiHash([0x0e; 32]);

fn hold_back(control: Control) -> Result<Outcome, Failure> {
    let round = Round::at(Cloud::new()?)?;
    let machine = Machine::genuine()?;
    let booted = round
        .cloud
        .boot_machine(machine, &round.order, loopback())?;
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_without(Check::LiveAge),
    };
    let trust = round.cloud.trust(policy)?;
    let expected = Expectation::new(booted.binding.spki, booted.order_id);
    let certificate = &booted.identity.certificate;
    let boot = trust
        .appraise(certificate, &expected, now())
        .map_err(|_| Failure::Stage("the relay is not in order"))?;
    let (nonce, connection) = (Nonce(random()?), connection(&booted)?);
    let answer = answer(&booted, nonce, &connection)?;
    let challenge = Challenge::new(nonce, 0);
    let verdict = challenge.verify(&answer, &connection, &boot, &trust.policy(), AGE_MS_MAX + 1);
    Ok(match verdict {
        Ok(_) => Outcome::succeeded("an answer passes that was held back"),
        Err(refusal) => Outcome::stopped(refusal.reason()),
    })
}

fn connection(booted: &Booted) -> Result<Connection, Failure> {
    Ok(Connection {
        exporter: random()?,
        own: ME,
        peer: booted.binding.spki,
        peer_side: TlsSide::Server,
    })
}

/// What the genuine relay answers over this connection.
fn answer(booted: &Booted, nonce: Nonce, connection: &Connection) -> Result<Response, Failure> {
    let leaf = Leaf {
        attester_side: connection.peer_side,
        nonce,
        exporter: connection.exporter,
        attester: connection.peer,
        verifier: connection.own,
        order: booted.binding.order,
        parameters: booted.binding.parameters,
        release: booted.binding.release,
    };
    let batch = Batch::new(&[leaf.digest()?])?;
    let quote = booted.quoter.quote(&batch.digest())?;
    Ok(batch.response(0, &quote)?)
}

#[test]
fn a_late_answer_is_stopped() {
    assert_refused("live_too_old", hold_back(Control::On));
}

#[test]
fn a_late_answer_passes_without_the_control() {
    assert_succeeds(hold_back(Control::Removed));
}
