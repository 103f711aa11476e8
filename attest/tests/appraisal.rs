//! A genuine relay is verified; each lie is refused for its own reason.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use attest::software;
use attest::{Check, Expectation, Outcome, Policy, Status, TrustRoots, appraise};
use common::{HOUR_MS, NOW, World, YEAR_MS, key, key_ring};
use wire::codec::{Blob, Text};
use wire::{Digest, OrderId, UnixMs};

/// The reason for which a world's relay is refused.
fn reason(world: &World) -> &'static str {
    let certificate = world.certificate(world.evidence().to_extension());
    world.verdict_on(&certificate).unwrap_err().reason()
}

#[test]
fn verifies_a_genuine_relay_and_says_why() {
    let world = World::default();
    let appraised = world.appraised();
    assert_eq!(appraised.spki(), world.spki());
    assert_eq!(appraised.order(), certs::order::id(&world.order));
    assert_eq!(appraised.release().name, "stable 0.1.0");
    assert_eq!(appraised.assurance().name(), "development");
    assert!(
        appraised
            .steps()
            .iter()
            .all(|s| s.result == Outcome::Passed)
    );
    let mut checks: Vec<_> = appraised.steps().iter().map(|s| s.check).collect();
    // The form of a release is looked at twice: envelope, then payload.
    checks.retain(|check| *check != Check::ReleaseForm);
    assert!(checks.is_sorted(), "checks are out of the design's order");
    let json = serde_json::to_value(appraised.explanation()).unwrap();
    assert_eq!(json["schema"], "roundcast.explanation/1");
    assert_eq!(json["status"], "verified");
    assert_eq!(json["reason"], serde_json::Value::Null);
    assert_eq!(json["subject"]["assurance"], "development");
    assert_eq!(json["steps"][1]["check"], "admission");
    assert_eq!(json["steps"][1]["result"], "passed");
}

#[test]
fn refuses_development_by_default() {
    let world = World {
        policy: Policy::default(),
        ..World::default()
    };
    assert_eq!(reason(&world), "assurance_not_accepted");
    let world = World {
        policy: Policy::default().with_operator(certs::x509::spki_of_public(&key(6).public())),
        ..World::default()
    };
    assert_eq!(reason(&world), "assurance_not_accepted");
}

#[test]
fn refuses_a_relay_without_evidence() {
    let world = World::default();
    let bare = certs::x509::self_signed(&world.relay, vec![]).unwrap();
    let refusal = world.verdict_on(&bare).unwrap_err();
    assert_eq!(refusal.reason(), "evidence_missing");
    assert_eq!(refusal.status(), Status::Refused);
    let last = refusal.steps().last().unwrap();
    assert_eq!(
        (last.check, last.result),
        (Check::Evidence, Outcome::Failed)
    );
    assert_eq!(refusal.explanation().status.exit_code(), 3);
}

#[test]
fn refuses_a_key_that_was_not_admitted() {
    let world = World::default();
    let elsewhere = World {
        relay: key(20),
        ..World::default()
    };
    let certificate = elsewhere.certificate(elsewhere.evidence().to_extension());
    let refusal = world.verdict_on(&certificate).unwrap_err();
    assert_eq!(refusal.reason(), "spki_not_admitted");
}

#[test]
fn refuses_a_genuine_relay_of_another_order() {
    let world = World::default();
    let wanted = Expectation::new(world.spki(), OrderId([9; 32]));
    let certificate = world.certificate(world.evidence().to_extension());
    let refusal = appraise(&certificate, &wanted, &world.roots(), &world.policy, NOW);
    assert_eq!(refusal.unwrap_err().reason(), "order_mismatch");
}

#[test]
fn refuses_a_statement_about_another_order_than_the_evidence_shows() {
    let world = World::default();
    let mut statement = world.statement();
    statement.order = OrderId([9; 32]);
    let refusal = world.verdict(&world.evidence_of(&statement)).unwrap_err();
    assert_eq!(refusal.reason(), "platform_order_mismatch");
    assert_eq!(refusal.steps().last().unwrap().check, Check::PlatformOrder);
}

#[test]
fn refuses_evidence_of_another_key() {
    // A copy of a genuine relay's evidence under the copier's own key, which
    // a deceived holder introduced.
    let genuine = World::default();
    let copier = World {
        relay: key(20),
        ..World::default()
    };
    let refusal = copier.verdict(&genuine.evidence()).unwrap_err();
    assert_eq!(refusal.reason(), "boot_binding_mismatch");
}

#[test]
fn refuses_a_boot_quote_of_another_boot_key() {
    let world = World::default();
    let evidence = world.changed(|evidence| {
        let quote = key(20).sign_raw(b"anything");
        evidence.boot_quote = quote;
    });
    let refusal = world.verdict(&evidence).unwrap_err();
    assert_eq!(refusal.reason(), "boot_binding_mismatch");
}

#[test]
fn refuses_a_statement_that_another_desk_signed() {
    let world = World {
        desk: key(20),
        ..World::default()
    };
    assert_eq!(reason(&world), "platform_signature_invalid");
}

#[test]
fn refuses_a_changed_program() {
    let world = World::default();
    let mut statement = world.statement();
    statement.executable_sha256 = Digest([0xef; 32]);
    let refusal = world.verdict(&world.evidence_of(&statement)).unwrap_err();
    assert_eq!(refusal.reason(), "measurement_mismatch");
}

#[test]
fn refuses_an_all_zero_measurement_like_any_other() {
    let world = World::default();
    let mut statement = world.statement();
    statement.executable_sha256 = Digest([0; 32]);
    let refusal = world.verdict(&world.evidence_of(&statement)).unwrap_err();
    assert_eq!(refusal.reason(), "measurement_mismatch");
}

#[test]
fn refuses_a_release_without_a_measurement_for_the_platform() {
    let mut world = World::default();
    world.release.measurements.software = None;
    assert_eq!(reason(&world), "measurement_missing");
}

#[test]
fn refuses_parameters_that_were_not_certified() {
    let world = World::default();
    let evidence = world.changed(|evidence| {
        evidence.parameters.rate_bps += 1;
    });
    let refusal = world.verdict(&evidence).unwrap_err();
    assert_eq!(refusal.reason(), "parameters_mismatch");
}

#[test]
fn refuses_terms_other_than_those_paid_for() {
    let mut world = World::default();
    world.parameters.byte_cap /= 2;
    assert_eq!(reason(&world), "terms_mismatch");
    for lease_end in [NOW.plus_ms(HOUR_MS / 2), NOW.plus_ms(2 * HOUR_MS)] {
        let mut world = World::default();
        world.parameters.lease_end = lease_end;
        assert_eq!(reason(&world), "terms_mismatch");
    }
}

#[test]
fn refuses_another_release_file_than_the_certified_one() {
    let world = World::default();
    let mut other = World::default();
    other.release.version = "0.1.1".into();
    let json = other.release_json();
    let evidence = world.changed(|evidence| {
        evidence.release = Blob::new(json).unwrap();
    });
    let refusal = world.verdict(&evidence).unwrap_err();
    assert_eq!(refusal.reason(), "release_mismatch");
}

#[test]
fn refuses_a_release_of_another_channel() {
    let mut world = World::default();
    world.order.channel = Text::new("nightly").unwrap();
    assert_eq!(reason(&world), "release_channel_mismatch");
}

#[test]
fn refuses_a_release_that_somebody_else_signed() {
    let world = World {
        release_keys: vec![key(20)],
        ..World::default()
    };
    assert_eq!(reason(&world), "release_signature_invalid");
    let unsigned = World {
        release_keys: vec![],
        ..World::default()
    };
    assert_eq!(reason(&unsigned), "release_signature_invalid");
}

#[test]
fn refuses_a_release_signed_by_the_root_keys_alone() {
    let world = World {
        release_keys: vec![key(1), key(2), key(3)],
        ..World::default()
    };
    assert_eq!(reason(&world), "release_signature_invalid");
}

#[test]
fn refuses_a_rolled_back_release() {
    let world = World {
        policy: Policy::default()
            .with_development()
            .with_security_version_min(6),
        ..World::default()
    };
    assert_eq!(reason(&world), "release_rolled_back");
}

#[test]
fn newer_metadata_from_any_source_wins() {
    let mut world = World::default();
    let mut newer = World::default();
    newer.release.security_version = 9;
    newer.release.security_version_min = 6;
    let roots = newer.roots();
    let newer = attest::release::verify(&newer.release_json(), roots.release().unwrap(), NOW);
    world.policy.learn(&newer.unwrap());
    assert_eq!(reason(&world), "release_rolled_back");
}

#[test]
fn refuses_a_denied_program_and_a_denied_file() {
    let mut world = World::default();
    let file = common::sha256(&world.release_json());
    for digest in [Digest([0xee; 32]), file] {
        world.policy = Policy::default().with_development().with_denied(digest);
        assert_eq!(reason(&world), "release_denied");
    }
}

#[test]
fn an_expired_release_is_expired_and_not_refused() {
    let world = World {
        now: UnixMs(NOW.0 + 25 * HOUR_MS),
        ..World::default()
    };
    let refusal = world.verdict(&world.evidence()).unwrap_err();
    assert_eq!(refusal.reason(), "release_expired");
    assert_eq!(refusal.status(), Status::Expired);
}

#[test]
fn an_expired_root_is_named_as_such() {
    let world = World {
        now: UnixMs(NOW.0 + YEAR_MS),
        ..World::default()
    };
    let refusal = world.verdict(&world.evidence()).unwrap_err();
    assert_eq!(refusal.reason(), "root_expired");
    assert_eq!(refusal.status(), Status::Expired);
}

#[test]
fn a_relay_after_its_lease_is_expired() {
    let mut world = World::default();
    world.release.expires_ms = NOW.0 + YEAR_MS;
    world.now = NOW.plus_ms(HOUR_MS);
    let refusal = world.verdict(&world.evidence()).unwrap_err();
    assert_eq!(refusal.reason(), "lease_ended");
    assert_eq!(refusal.status(), Status::Expired);
}

#[test]
fn a_wrong_clock_is_named_and_not_called_expired() {
    let mut world = World::default();
    world.release.issued_ms = NOW.0 - 10 * HOUR_MS;
    world.now = UnixMs(NOW.0 - HOUR_MS);
    let refusal = world.verdict(&world.evidence()).unwrap_err();
    assert_eq!(refusal.reason(), "platform_from_future");
    assert_eq!(refusal.status(), Status::Unknown);
    let world = World {
        now: UnixMs(1_000),
        ..World::default()
    };
    assert_eq!(reason(&world), "clock_wrong");
}

#[test]
fn without_a_root_the_answer_is_unknown() {
    let world = World::default();
    let certificate = world.certificate(world.evidence().to_extension());
    let roots = TrustRoots::compiled_in().unwrap();
    let refusal = appraise(
        &certificate,
        &world.expectation(),
        &roots,
        &world.policy,
        NOW,
    );
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.reason(), "root_missing");
    assert_eq!(refusal.explanation().status.exit_code(), 4);
}

#[test]
fn another_kind_of_evidence_is_unknown() {
    let world = World::default();
    // CMW record ["application/x", h'00'].
    let mut extension = vec![0x04, 17, 0x82, 0x6d];
    extension.extend_from_slice(b"application/x");
    extension.extend_from_slice(&[0x41, 0x00]);
    let certificate = world.certificate(extension);
    let refusal = world.verdict_on(&certificate).unwrap_err();
    assert_eq!(refusal.reason(), "evidence_kind_unknown");
    assert_eq!(refusal.status(), Status::Unknown);
}

#[test]
fn refuses_what_is_no_certificate() {
    let world = World::default();
    for bytes in [&[][..], &[0x30, 0x00], &[0xff; 64 * 1024]] {
        let refusal = world.verdict_on(bytes).unwrap_err();
        assert_eq!(refusal.reason(), "certificate_invalid");
    }
}

#[test]
fn refuses_a_malformed_platform_statement_that_the_desk_signed() {
    let world = World::default();
    let body = vec![1, 2, 3];
    let message = wire::statement::signed_string(software::PLATFORM_LABEL, &body);
    let signature = world.desk.sign_raw(&message);
    let evidence = world.changed(|evidence| {
        evidence.platform = software::SignedPlatform {
            body: Blob::new(body).unwrap(),
            signature,
        };
    });
    let refusal = world.verdict(&evidence).unwrap_err();
    assert_eq!(refusal.reason(), "evidence_malformed");
}

#[test]
fn a_file_is_judged_without_an_admission_and_says_so() {
    let world = World::default();
    let certificate = world.certificate(world.evidence().to_extension());
    let explanation =
        attest::offline::verify_certificate(&certificate, &world.roots(), &world.policy, NOW);
    assert_eq!(explanation.status, Status::Verified);
    let order = explanation.steps.iter().find(|s| s.check == Check::Order);
    let order = order.unwrap();
    assert_eq!(order.result, Outcome::NotChecked);
    assert_eq!(order.detail, "not checked against an order");
    let ring = key_ring();
    assert_eq!(ring.roles().root.threshold(), 2);
}
