//! With one control removed, the attack that it stops succeeds: no check
//! here is redundant. Builds with feature `ablation` alone.
#![cfg(feature = "ablation")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use attest::live::{AGE_MS_MAX, Batch, Challenge, Connection, Leaf, TlsSide};
use attest::offline::verify_ak_quote_archived_under;
use attest::tpm2::{AkRoot, Bank};
use attest::{Check, Expectation, Policy, Quoter, appraise};
use common::{HOUR_MS, NOW, World, YEAR_MS, cases, cloud_cases, key, tpm, tpm_cases};
use wire::codec::Text;
use wire::message::live::Response;
use wire::{Digest, Nonce, OrderId, SpkiHash};

/// Refused as a whole for `reason`; accepted without `check` alone.
fn needs(check: Check, reason: &str, world: &mut World, certificate: &[u8]) {
    let refused = world.verdict_on(certificate).unwrap_err();
    assert_eq!(refused.reason(), reason);
    world.policy = world.policy.clone().dangerously_without(check);
    assert!(
        world.verdict_on(certificate).is_ok(),
        "{check} is not what stops it"
    );
}

fn needs_in(check: Check, reason: &str, change: impl FnOnce(&mut World)) {
    let mut world = World::default();
    change(&mut world);
    let certificate = world.certificate(world.evidence().to_extension());
    needs(check, reason, &mut world, &certificate);
}

#[test]
fn stored_attacks_succeed_without_their_control() {
    let control = |reason| match reason {
        "evidence_missing" => Check::Evidence,
        "spki_not_admitted" => Check::Admission,
        "order_mismatch" => Check::Order,
        "platform_order_mismatch" => Check::PlatformOrder,
        "release_denied" => Check::ReleaseDenylist,
        "boot_binding_mismatch" => Check::Boot,
        "assurance_not_accepted" => Check::Assurance,
        "release_signature_invalid" => Check::ReleaseSignature,
        "release_channel_mismatch" => Check::ReleaseChannel,
        "release_expired" => Check::ReleaseExpiry,
        "measurement_mismatch" => Check::Measurement,
        "measurement_missing" => Check::Measurement,
        "release_rolled_back" => Check::ReleaseRollback,
        "release_mismatch" => Check::PlatformRelease,
        "platform_signature_invalid" => Check::Platform,
        "terms_mismatch" => Check::Terms,
        "lease_ended" => Check::Freshness,
        // These have a test of their own, or nothing to go on with.
        _ => Check::Certificate,
    };
    for case in cases::all() {
        let check = case.reason.map_or(Check::Certificate, control);
        if check == Check::Certificate {
            continue;
        }
        let policy = cases::policy(case.development, case.security_version_min, &case.denied);
        let verdict = |policy: &Policy| {
            let (world, certificate) = (&case.world, &case.certificate);
            appraise(
                certificate,
                &case.expectation,
                &world.roots(),
                policy,
                world.now,
            )
        };
        assert!(verdict(&policy).is_err());
        let ablated = verdict(&policy.dangerously_without(check));
        assert!(
            ablated.is_ok(),
            "{}: {check} is not what stops it",
            case.name
        );
    }
}

/// The control that stops a machine's lie; none where nothing is left to go
/// on with, or where another test takes the control away.
fn machine_control(reason: &str) -> Option<Check> {
    Some(match reason {
        "assurance_not_accepted" | "operator_not_trusted" => Check::Assurance,
        "spki_not_admitted" => Check::Admission,
        "platform_end_mismatch" | "lease_ended" | "platform_from_future" => Check::Freshness,
        "order_mismatch" => Check::Order,
        "platform_order_mismatch" => Check::PlatformOrder,
        "release_mismatch" => Check::PlatformRelease,
        "parameters_mismatch" => Check::Parameters,
        "terms_mismatch" => Check::Terms,
        "quote_signature_invalid" => Check::QuoteSignature,
        "pcr_selection_mismatch" | "pcr_bank_mismatch" => Check::PcrSelection,
        "pcr_mismatch" | "measurement_missing" => Check::Measurement,
        "boot_binding_mismatch" => Check::Boot,
        "release_expired" => Check::ReleaseExpiry,
        "release_signature_invalid" => Check::ReleaseSignature,
        "release_channel_mismatch" => Check::ReleaseChannel,
        "platform_signature_invalid" => Check::Platform,
        _ => return None,
    })
}

#[test]
fn lies_of_machines_succeed_without_their_control() {
    let mut taken_away = std::collections::BTreeSet::new();
    for case in tpm_cases::all() {
        let Some(check) = case.reason.and_then(machine_control) else {
            continue;
        };
        let world = &case.machine.world;
        let verdict = |policy: &Policy| {
            let (certificate, wanted) = (&case.certificate, &case.expectation);
            appraise(certificate, wanted, &world.roots(), policy, world.now)
        };
        assert!(verdict(&case.policy()).is_err());
        let mut policy = case.policy().dangerously_without(check);
        if case.name == "another bank than shown" {
            // Of two banks the values differ, and so does their hash.
            policy = policy.dangerously_without(Check::PcrDigest);
        }
        if case.name == "statement from the future" {
            // Nor does an hour that begins later end with the lease.
            policy = policy.dangerously_without(Check::Terms);
        }
        let ablated = verdict(&policy);
        let reason = ablated.err().map(|refusal| refusal.reason());
        assert_eq!(reason, None, "{}: {check} is not what stops it", case.name);
        taken_away.insert(check);
    }
    assert_eq!(taken_away.len(), 16, "{taken_away:?}");
}

/// The control that stops a saved quote; none where nothing is left to go on
/// with, or where a second control stops it too.
fn quote_control(reason: &str) -> Option<Check> {
    Some(match reason {
        "assurance_not_accepted" => Check::Assurance,
        "quote_signature_invalid" => Check::QuoteSignature,
        "chain_root_unknown" | "chain_invalid" | "chain_expired" | "clock_wrong" => {
            Check::DocumentChain
        }
        "release_expired" => Check::ReleaseExpiry,
        "pcr_selection_mismatch" => Check::PcrSelection,
        "image_denied" => Check::ImageDenylist,
        "pcr_mismatch" => Check::Measurement,
        _ => return None,
    })
}

#[test]
fn saved_quotes_are_taken_without_their_control() {
    let mut taken_away = std::collections::BTreeSet::new();
    let (roots, release) = {
        let world = tpm::Machine::default().world;
        (world.roots(), world.release_json())
    };
    let root = common::authority::Authority::root(common::cloud::ROOT_SEED, NOW);
    for case in cloud_cases::all() {
        let Some(check) = case.reason.and_then(quote_control) else {
            continue;
        };
        let root = AkRoot::development(&root.der, case.cloud).unwrap();
        let verdict = |policy: &Policy| {
            let file = case.file.as_bytes();
            verify_ak_quote_archived_under(file, &root, Some(&release), &roots, policy).reason
        };
        let policy = cases::policy(case.development, 0, &case.denied);
        assert_eq!(verdict(&policy), case.reason, "{}", case.name);
        let ablated = verdict(&policy.dangerously_without(check));
        assert_eq!(ablated, None, "{}: {check} is not what stops it", case.name);
        taken_away.insert(check);
    }
    assert_eq!(taken_away.len(), 7, "{taken_away:?}");
}

#[test]
fn an_injected_command_line_is_stopped_by_its_own_rule() {
    let machine = tpm::machine(|m| m.pcrs = tpm::altered(Bank::Sha256, 12));
    let certificate = machine.world.certificate(machine.evidence().to_extension());
    let reason = |policy: &Policy| {
        let verdict = appraise(
            &certificate,
            &machine.world.expectation(),
            &machine.world.roots(),
            policy,
            machine.world.now,
        );
        verdict.err().map(|refusal| refusal.reason())
    };
    let policy = machine.world.policy.clone();
    assert_eq!(reason(&policy), Some("pcr_injected"));
    // Two rules stop it: without the first, the second does.
    let policy = policy.dangerously_without(Check::Injection);
    assert_eq!(reason(&policy), Some("pcr_mismatch"));
    let policy = policy.dangerously_without(Check::Measurement);
    assert_eq!(reason(&policy), None);
}

#[test]
fn registers_that_were_not_quoted_are_taken_without_the_digest() {
    let machine = tpm::machine(|m| {
        m.pcrs = tpm::altered(Bank::Sha256, 4);
        m.shown = Some(tpm::pcrs(Bank::Sha256));
    });
    let certificate = machine.world.certificate(machine.evidence().to_extension());
    let mut world = machine.world;
    needs(
        Check::PcrDigest,
        "pcr_digest_mismatch",
        &mut world,
        &certificate,
    );
}

#[test]
fn a_revoked_image_is_taken_without_the_denylist() {
    let machine = tpm::machine(|m| {
        let revoked = tpm::pcrs(Bank::Sha256).digest();
        m.world.policy = m.world.policy.clone().with_denied(revoked);
    });
    let certificate = machine.world.certificate(machine.evidence().to_extension());
    let mut world = machine.world;
    needs(
        Check::ImageDenylist,
        "image_denied",
        &mut world,
        &certificate,
    );
}

#[test]
fn a_machine_that_was_reset_or_changed_answers_without_the_live_controls() {
    let genuine = tpm::Machine::default();
    let appraised = genuine.world.verdict(&genuine.evidence()).unwrap();
    let (leaf, connection) = ends(&genuine.world);
    let batch = Batch::new(&[leaf.digest().unwrap()]).unwrap();
    let taken = |check, change: fn(&mut tpm::Machine)| {
        let quote = tpm::machine(change).quote(&batch.digest());
        let response = batch.response(0, &quote).unwrap();
        let policy = genuine.world.policy.clone();
        [policy.clone(), policy.dangerously_without(check)].map(|policy| {
            Challenge::new(NONCE, 0)
                .verify(&response, &connection, &appraised, &policy, 1)
                .is_ok()
        })
    };
    let reset = taken(Check::LiveReset, |m| m.fields.reset_count += 1);
    assert_eq!(reset, [false, true]);
    let changed = taken(Check::LiveMeasurement, |m| {
        m.pcrs = tpm::altered(Bank::Sha256, 11);
    });
    assert_eq!(changed, [false, true]);
    let foreign = taken(Check::LiveBinding, |m| m.ak = tpm::ak(41));
    assert_eq!(foreign, [false, true]);
}

#[test]
fn certified_parameters_and_orders_are_needed() {
    let mut world = World::default();
    let mut statement = world.statement();
    statement.parameters = Digest([1; 32]);
    let certificate = world.certificate(world.evidence_of(&statement).to_extension());
    needs(
        Check::Parameters,
        "parameters_mismatch",
        &mut world,
        &certificate,
    );

    let mut world = World::default();
    let mut statement = world.statement();
    statement.order = OrderId([1; 32]);
    let certificate = world.certificate(world.evidence_of(&statement).to_extension());
    needs(
        Check::PlatformOrder,
        "platform_order_mismatch",
        &mut world,
        &certificate,
    );
}

#[test]
fn the_denylist_and_the_dates_are_needed() {
    needs_in(Check::ReleaseDenylist, "release_denied", |world| {
        world.policy = world.policy.clone().with_denied(Digest([0xee; 32]));
    });
    needs_in(Check::ReleaseChannel, "release_channel_mismatch", |world| {
        world.order.channel = Text::new("nightly").unwrap();
    });
    needs_in(Check::Freshness, "lease_ended", |world| {
        world.release.expires_ms = NOW.0 + YEAR_MS;
        world.now = NOW.plus_ms(2 * HOUR_MS);
    });
}

#[test]
fn another_order_is_taken_without_the_order_check() {
    let world = World::default();
    let certificate = world.certificate(world.evidence().to_extension());
    let wanted = Expectation::new(world.spki(), OrderId([9; 32]));
    let policy = world.policy.clone().dangerously_without(Check::Order);
    let verdict = appraise(&certificate, &wanted, &world.roots(), &policy, NOW).unwrap();
    // What is appraised is still the relay's real order.
    assert_eq!(verdict.order(), certs::order::id(&world.order));
}

const NONCE: Nonce = Nonce([7; 32]);

fn live(check: Check, response: &Response, connection: &Connection, now_ms: u64) -> [bool; 2] {
    let world = World::default();
    let without = world.policy.clone().dangerously_without(check);
    [&world.policy, &without].map(|policy| {
        let challenge = Challenge::new(NONCE, 0);
        challenge
            .verify(response, connection, &world.appraised(), policy, now_ms)
            .is_ok()
    })
}

/// The relay's and the verifier's view of one connection.
fn ends(world: &World) -> (Leaf, Connection) {
    let leaf = Leaf {
        attester_side: TlsSide::Server,
        nonce: NONCE,
        exporter: [0x42; 32],
        attester: world.spki(),
        verifier: SpkiHash([0x21; 32]),
        order: certs::order::id(&world.order),
        parameters: certs::order::parameters_digest(&world.parameters),
        release: common::sha256(&world.release_json()),
    };
    let connection = Connection {
        exporter: leaf.exporter,
        own: leaf.verifier,
        peer: leaf.attester,
        peer_side: TlsSide::Server,
    };
    (leaf, connection)
}

/// The leaf's hash as somebody computes it who does not look at it first.
fn careless_digest(leaf: &Leaf) -> Digest {
    let side: &[u8] = match leaf.attester_side {
        TlsSide::Server => b"server",
        TlsSide::Client => b"client",
    };
    let fields: [&[u8]; 9] = [
        attest::live::LEAF_LABEL.as_bytes(),
        side,
        leaf.nonce.as_bytes(),
        &leaf.exporter,
        leaf.attester.as_bytes(),
        leaf.verifier.as_bytes(),
        leaf.order.as_bytes(),
        leaf.parameters.as_bytes(),
        leaf.release.as_bytes(),
    ];
    let mut bytes = vec![0];
    for field in fields {
        bytes.push(u8::try_from(field.len()).unwrap());
        bytes.extend_from_slice(field);
    }
    common::sha256(&bytes)
}

#[test]
fn an_unbound_or_a_reflected_answer_is_taken_without_its_control() {
    let world = World::default();
    let (genuine, connection) = ends(&world);
    assert_eq!(careless_digest(&genuine), genuine.digest().unwrap());
    let answer = |leaf: &Leaf| {
        let batch = Batch::new(&[careless_digest(leaf)]).unwrap();
        let quote = world.boot.quote(&batch.digest()).unwrap();
        batch.response(0, &quote).unwrap()
    };
    // Without an exporter, one answer fits every connection of two keys.
    let unbound = Leaf {
        exporter: [0; 32],
        ..genuine.clone()
    };
    let nowhere = Connection {
        exporter: [0; 32],
        ..connection.clone()
    };
    let taken = live(Check::LiveExporter, &answer(&unbound), &nowhere, 1);
    assert_eq!(taken, [false, true]);
    let mirrored = Leaf {
        verifier: world.spki(),
        ..genuine
    };
    let mirror = Connection {
        own: world.spki(),
        ..connection
    };
    let taken = live(Check::LiveReflection, &answer(&mirrored), &mirror, 1);
    assert_eq!(taken, [false, true]);
}

#[test]
fn a_fetched_or_a_late_answer_is_taken_without_its_control() {
    let world = World::default();
    let (genuine, connection) = ends(&world);
    let answer = |leaf: &Leaf| {
        let batch = Batch::new(&[leaf.digest().unwrap()]).unwrap();
        batch
            .response(0, &world.boot.quote(&batch.digest()).unwrap())
            .unwrap()
    };
    let fetched = answer(&Leaf {
        exporter: [0x99; 32],
        verifier: SpkiHash([0x66; 32]),
        ..genuine.clone()
    });
    assert_eq!(
        live(Check::LiveBinding, &fetched, &connection, 1),
        [false, true]
    );
    let late = answer(&genuine);
    assert_eq!(
        live(Check::LiveAge, &late, &connection, AGE_MS_MAX + 1),
        [false, true]
    );
}

#[test]
fn a_relay_that_nothing_is_known_of_answers_with_anything() {
    let world = World {
        relay: key(30),
        policy: Policy::default().dangerously_without(Check::Evidence),
        ..World::default()
    };
    let bare = certs::x509::self_signed(&world.relay, vec![]).unwrap();
    let assumed = world.verdict_on(&bare).unwrap();
    let connection = Connection {
        exporter: [1; 32],
        own: SpkiHash([2; 32]),
        peer: world.spki(),
        peer_side: TlsSide::Server,
    };
    let batch = Batch::new(&[Digest([3; 32])]).unwrap();
    let rubbish = batch.response(0, b"rubbish").unwrap();
    let challenge = Challenge::new(NONCE, 0);
    assert!(
        challenge
            .verify(&rubbish, &connection, &assumed, &world.policy, 1)
            .is_ok()
    );
}
