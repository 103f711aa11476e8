//! Evidence of kind `tpm2`: a genuine machine is verified, each lie refused
//! for its own reason, and live quotes belong to the boot.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use attest::live::{Batch, Challenge, Connection, Leaf, TlsSide};
use attest::offline::{verify_certificate, verify_certificate_archived};
use attest::tpm2::{Bank, Quote};
use attest::{
    Appraised, Check, Evidence, Expectation, Outcome, Policy, QuoteDigest, TrustRoots, appraise,
};
use common::tpm::{Machine, altered, machine, pcrs, with_signature};
use common::{HOUR_MS, NOW, YEAR_MS, tpm_cases};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use wire::message::live::Response;
use wire::{Nonce, SpkiHash, UnixMs};

fn verdict(machine: &Machine) -> Appraised {
    machine.world.verdict(&machine.evidence()).unwrap()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    root: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    certificate: String,
    spki: String,
    order: String,
    now_ms: u64,
    operators: Vec<String>,
    reason: Option<String>,
}

#[test]
fn stored_certificates_get_their_verdicts() {
    let set: Set = serde_json::from_str(include_str!("../vectors/tpm2.json")).unwrap();
    let roots = TrustRoots::from_root_file(set.root.as_bytes()).unwrap();
    for case in &set.cases {
        let policy = case
            .operators
            .iter()
            .fold(Policy::default(), |policy, desk| {
                policy.with_operator(SpkiHash::from_hex(desk).unwrap())
            });
        let verdict = appraise(
            &HEXLOWER.decode(case.certificate.as_bytes()).unwrap(),
            &Expectation::new(
                SpkiHash::from_hex(&case.spki).unwrap(),
                wire::OrderId::from_hex(&case.order).unwrap(),
            ),
            &roots,
            &policy,
            UnixMs(case.now_ms),
        );
        let reason = verdict.err().map(|refusal| refusal.reason());
        assert_eq!(reason, case.reason.as_deref(), "{}", case.name);
    }
}

#[test]
fn a_genuine_machine_is_verified_with_every_check_in_order() {
    let appraised = verdict(&Machine::default());
    assert_eq!(appraised.kind().name(), "tpm2");
    assert_eq!(appraised.assurance().name(), "operator");
    let steps = appraised.steps();
    assert!(steps.iter().all(|step| step.result == Outcome::Passed));
    let mut checks: Vec<_> = steps.iter().map(|step| step.check).collect();
    checks.retain(|check| *check != Check::ReleaseForm);
    assert!(checks.is_sorted(), "{checks:?}");
    let made = |check| checks.contains(&check);
    assert!(made(Check::AttestationKey) && made(Check::PcrDigest) && made(Check::Injection));
}

#[test]
fn a_refusal_names_the_register_that_differs() {
    for pcr in [4, 7, 9, 11] {
        let machine = machine(|m| m.pcrs = altered(Bank::Sha256, pcr));
        let refusal = machine.world.verdict(&machine.evidence()).unwrap_err();
        assert!(
            refusal.to_string().contains(&format!("PCR {pcr} ")),
            "{refusal}"
        );
    }
}

#[test]
fn a_revoked_image_is_refused() {
    let machine = machine(|m| {
        m.world.policy = m
            .world
            .policy
            .clone()
            .with_denied(pcrs(Bank::Sha256).digest());
    });
    let refusal = machine.world.verdict(&machine.evidence()).unwrap_err();
    assert_eq!(refusal.reason(), "image_denied");
}

#[test]
fn an_older_security_version_is_refused() {
    let machine = machine(|m| m.world.policy = m.world.policy.clone().with_security_version_min(6));
    let refusal = machine.world.verdict(&machine.evidence()).unwrap_err();
    assert_eq!(refusal.reason(), "release_rolled_back");
}

#[test]
fn leading_zeros_of_a_signature_may_be_left_out_and_not_added() {
    let machine = Machine::default();
    // A nonce is looked for whose signature's r begins with a zero.
    let attest = (0..=u16::MAX)
        .map(|i| {
            let mut nonce = [0; 32];
            nonce[..2].copy_from_slice(&i.to_be_bytes());
            machine.fields.attest(&nonce, &machine.pcrs)
        })
        .find(|attest| common::tpm::sign(&machine.ak, attest)[attest.len() + 8] == 0)
        .unwrap();
    let whole = common::tpm::sign(&machine.ak, &attest);
    let at = attest.len() + 2 + 4 + 2;
    let (r, s) = (&whole[at..at + 32], &whole[at + 34..]);
    let first = r.iter().position(|byte| *byte != 0).unwrap();
    let point = attest::tpm2::public::AkPublic::parse(&machine.statement().ak_public).unwrap();
    for short in [r, &r[first..]] {
        let bytes = with_signature(&attest, short, s);
        Quote::parse(&bytes)
            .unwrap()
            .signed_by(point.point())
            .unwrap();
    }
    for wrong in [&[][..], &[0], &[&[0], r].concat()] {
        let bytes = with_signature(&attest, wrong, s);
        assert_eq!(
            Quote::parse(&bytes).unwrap_err().reason(),
            "quote_malformed"
        );
    }
}

#[test]
fn every_single_byte_change_of_the_evidence_is_refused() {
    let world = Machine::default().world;
    let genuine = Machine::default().evidence().to_extension();
    assert!(
        world
            .verdict_on(&world.certificate(genuine.clone()))
            .is_ok()
    );
    for position in 0..genuine.len() {
        for mask in [0x01, 0x20, 0x80, 0xff] {
            let mut changed = genuine.clone();
            changed[position] ^= mask;
            let verdict = world.verdict_on(&world.certificate(changed));
            assert!(verdict.is_err(), "byte {position} ^ {mask:#x} was accepted");
        }
    }
    for len in 0..genuine.len() {
        assert!(Evidence::from_extension(&genuine[..len]).is_err());
    }
}

/// The verifier's end of a connection to the machine, and his nonce.
const NONCE: Nonce = Nonce([7; 32]);

fn connection(machine: &Machine) -> Connection {
    Connection {
        exporter: [0x42; 32],
        own: SpkiHash([0x21; 32]),
        peer: machine.world.spki(),
        peer_side: TlsSide::Server,
    }
}

fn batch(machine: &Machine) -> Batch {
    let connection = connection(machine);
    let leaf = Leaf {
        attester_side: TlsSide::Server,
        nonce: NONCE,
        exporter: connection.exporter,
        attester: connection.peer,
        verifier: connection.own,
        order: certs::order::id(&machine.world.order),
        parameters: certs::order::parameters_digest(&machine.world.parameters),
        release: common::sha256(&machine.world.release_json()),
    };
    Batch::new(&[leaf.digest().unwrap()]).unwrap()
}

/// What the verifier of the genuine machine says of an answer.
fn answered(response: &Response) -> Result<(), &'static str> {
    let machine = Machine::default();
    Challenge::new(NONCE, 0)
        .verify(
            response,
            &connection(&machine),
            &verdict(&machine),
            &machine.world.policy,
            10,
        )
        .map(|_| ())
        .map_err(|refusal| refusal.reason())
}

/// The answer of a machine in which something has changed since its boot.
fn since_boot(change: impl FnOnce(&mut Machine)) -> Result<(), &'static str> {
    let mut machine = Machine::default();
    change(&mut machine);
    let batch = batch(&Machine::default());
    answered(&batch.response(0, &machine.quote(&batch.digest())).unwrap())
}

#[test]
fn a_live_quote_of_the_same_boot_holds() {
    assert_eq!(since_boot(|_| ()), Ok(()));
    assert_eq!(since_boot(|m| m.fields.clock_ms += 60_000), Ok(()));
}

#[test]
fn a_live_quote_after_a_reset_or_restart_is_refused() {
    assert_eq!(since_boot(|m| m.fields.reset_count += 1), Err("live_reset"));
    assert_eq!(since_boot(|m| m.fields.reset_count -= 1), Err("live_reset"));
    assert_eq!(
        since_boot(|m| m.fields.restart_count += 1),
        Err("live_reset")
    );
    assert_eq!(since_boot(|m| m.fields.clock_ms -= 1), Err("live_reset"));
    assert_eq!(since_boot(|m| m.fields.safe = 0), Err("live_reset"));
}

#[test]
fn a_live_quote_over_other_registers_is_refused() {
    for pcr in [4, 7, 9, 11, 12, 13] {
        let changed = since_boot(|m| m.pcrs = altered(Bank::Sha256, pcr));
        assert_eq!(changed, Err("live_pcr_mismatch"), "PCR {pcr}");
    }
    let fewer = since_boot(|m| m.fields.selections[0].1 = [0x90, 0x2a, 0]);
    assert_eq!(fewer, Err("live_pcr_selection_mismatch"));
    let bank = since_boot(|m| m.fields.selections[0].0 = 0x000c);
    assert_eq!(bank, Err("live_pcr_selection_mismatch"));
}

#[test]
fn a_boot_quote_is_no_live_quote_and_another_key_s_is_none() {
    let machine = Machine::default();
    let batch = batch(&machine);
    let boot = machine.quote(&machine.boot_digest());
    let answer = batch.response(0, &boot).unwrap();
    assert_eq!(answered(&answer), Err("live_binding_mismatch"));
    let foreign = tpm_cases::foreign_quote(&machine, &batch.digest());
    let answer = batch.response(0, &foreign).unwrap();
    assert_eq!(answered(&answer), Err("quote_signature_invalid"));
    assert_eq!(since_boot(|m| m.fields.magic ^= 1), Err("quote_magic"));
}

#[test]
fn labels_keep_boot_and_live_apart() {
    // The same 32 bytes under both labels are two digests.
    let spki = SpkiHash([1; 32]);
    let order = wire::OrderId([2; 32]);
    let parameters = wire::Digest([3; 32]);
    let boot = QuoteDigest::boot(&spki, &order, &parameters);
    let live = Batch::new(&[wire::Digest(*boot.as_bytes())])
        .unwrap()
        .digest();
    assert_ne!(boot.as_bytes(), live.as_bytes());
}

#[test]
fn an_old_certificate_is_verified_as_archived_and_expired_now() {
    let machine = Machine::default();
    let (roots, policy) = (machine.world.roots(), &machine.world.policy);
    let certificate = machine.world.certificate(machine.evidence().to_extension());
    let later = NOW.plus_ms(2 * YEAR_MS);
    let now = verify_certificate(&certificate, &roots, policy, later);
    assert_eq!(now.status.name(), "expired");
    assert_eq!(now.subject.judged, Some("now"));
    let archived = verify_certificate_archived(&certificate, &roots, policy);
    assert_eq!(archived.status.name(), "verified", "{archived}");
    assert_eq!(archived.subject.judged, Some("archived"));
    let first = &archived.steps[0];
    assert_eq!(first.check, Check::Time);
    assert!(first.detail.contains("says nothing about now"));
    let refused = verify_certificate_archived(&certificate, &roots, &Policy::default());
    assert_eq!(refused.reason, Some("assurance_not_accepted"));
}

#[test]
fn evidence_for_another_order_is_refused_whoever_is_trusted() {
    let machine = Machine::default();
    let wanted = Expectation::new(machine.world.spki(), wire::OrderId([9; 32]));
    let certificate = machine.world.certificate(machine.evidence().to_extension());
    let now = NOW.plus_ms(HOUR_MS / 2);
    let refusal = appraise(
        &certificate,
        &wanted,
        &machine.world.roots(),
        &machine.world.policy,
        now,
    );
    assert_eq!(refusal.unwrap_err().reason(), "order_mismatch");
}
