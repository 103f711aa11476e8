//! Saved evidence of a machine with a TPM: its answer is checked again with
//! its boot, however late.
#![allow(clippy::unwrap_used)]

mod common;

use attest::live::{Answer, Batch, Connection, Leaf, TlsSide};
use attest::offline::{SavedEvidence, verify_saved, verify_saved_archived};
use attest::tpm2::Bank;
use attest::{Outcome, Policy, Status};
use common::tpm::{Machine, altered};
use common::{NOW, YEAR_MS};
use wire::{Nonce, SpkiHash};

/// What a viewer of the genuine machine would have saved, had it answered as
/// `answering` does.
fn saved(answering: &Machine) -> SavedEvidence {
    let machine = Machine::default();
    let connection = Connection {
        exporter: [0x42; 32],
        own: SpkiHash([0x21; 32]),
        peer: machine.world.spki(),
        peer_side: TlsSide::Server,
    };
    let order = certs::order::id(&machine.world.order);
    let nonce = Nonce([7; 32]);
    let leaf = Leaf {
        attester_side: connection.peer_side,
        nonce,
        exporter: connection.exporter,
        attester: connection.peer,
        verifier: connection.own,
        order,
        parameters: certs::order::parameters_digest(&machine.world.parameters),
        release: common::sha256(&machine.world.release_json()),
    };
    let batch = Batch::new(&[leaf.digest().unwrap()]).unwrap();
    let quote = answering.quote(&batch.digest());
    SavedEvidence {
        saved: NOW,
        order,
        certificate: machine.world.certificate(machine.evidence().to_extension()),
        answer: Answer {
            nonce,
            connection,
            response: batch.response(0, &quote).unwrap(),
        },
    }
}

/// The reason for which what `change` makes of the machine is refused, years
/// later.
fn refusal(change: impl FnOnce(&mut Machine)) -> Option<&'static str> {
    let mut answering = Machine::default();
    change(&mut answering);
    let json = saved(&answering).to_json().unwrap();
    let world = Machine::default().world;
    verify_saved_archived(&json, &world.roots(), &world.policy).reason
}

#[test]
fn a_machine_s_answer_is_checked_again_with_the_registers_and_the_boot() {
    assert_eq!(refusal(|_| ()), None);
    assert_eq!(refusal(|m| m.fields.reset_count += 1), Some("live_reset"));
    let other = refusal(|m| m.pcrs = altered(Bank::Sha256, 9));
    assert_eq!(other, Some("live_pcr_mismatch"));
    assert_eq!(refusal(|m| m.fields.magic ^= 1), Some("quote_magic"));
}

#[test]
fn it_was_good_at_its_own_time_and_has_expired_now() {
    let saved = saved(&Machine::default());
    let json = saved.to_json().unwrap();
    assert_eq!(SavedEvidence::parse(&json).unwrap(), saved);
    let world = Machine::default().world;
    let (roots, policy) = (world.roots(), &world.policy);
    let archived = verify_saved_archived(&json, &roots, policy);
    assert_eq!(archived.status, Status::Verified, "{archived}");
    assert!(archived.to_string().starts_with("was good at its own time"));
    let unchecked: Vec<_> = archived
        .steps
        .iter()
        .filter(|step| step.result == Outcome::NotChecked)
        .map(|step| step.check.name())
        .collect();
    assert_eq!(unchecked, ["admission", "order", "live_age"]);
    let later = NOW.plus_ms(2 * YEAR_MS);
    let now = verify_saved(&json, &roots, policy, later);
    assert_eq!(now.status, Status::Expired);
    let refused = verify_saved_archived(&json, &roots, &Policy::default());
    assert_eq!(refused.reason, Some("assurance_not_accepted"));
}
