//! Relays that really booted, each with something wrong: refused for its
//! reason, and believed without the control that refuses it.
//!
//! `ROUNDCAST_BOOTED` names the folder with what they showed; the desk's test
//! `bad_boots` fills it.
#![allow(clippy::unwrap_used)]

use attest::release::{TrustRoot, verify};
use attest::{Appraised, Check, Expectation, Policy, Refusal, TrustRoots, appraise};
use serde::Deserialize;
use std::path::PathBuf;
use wire::{OrderId, SpkiHash, UnixMs};

/// What a verifier has of a relay, and what the viewer learnt before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Booted {
    certificate: String,
    spki: String,
    order: String,
    operator: String,
    root: String,
    newer: String,
    at_ms: u64,
}

impl Booted {
    fn kept(name: &str) -> Self {
        let folder = std::env::var_os("ROUNDCAST_BOOTED").map(PathBuf::from);
        let text = std::fs::read(folder.unwrap().join(name)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn verdict(&self, policy: &Policy) -> Result<Appraised, Refusal> {
        let certificate = data_encoding::HEXLOWER.decode(self.certificate.as_bytes());
        let spki = SpkiHash::from_hex(&self.spki).unwrap();
        let order = OrderId::from_hex(&self.order).unwrap();
        let roots = TrustRoots::from_root_file(self.root.as_bytes()).unwrap();
        let expected = Expectation::new(spki, order);
        let at = UnixMs(self.at_ms);
        appraise(&certificate.unwrap(), &expected, &roots, policy, at)
    }

    /// What a viewer believes who named this desk.
    fn policy(&self) -> Policy {
        Policy::default().with_operator(SpkiHash::from_hex(&self.operator).unwrap())
    }
}

#[test]
fn a_real_boot_with_a_credential_beside_the_image_is_stopped_by_the_registers_alone() {
    let booted = Booted::kept("injected.json");
    let policy = booted.policy();
    assert_eq!(
        booted.verdict(&policy).unwrap_err().reason(),
        "pcr_injected"
    );
    // The comparison with the release would find it, too.
    let policy = policy.dangerously_without(Check::Injection);
    assert_eq!(
        booted.verdict(&policy).unwrap_err().reason(),
        "pcr_mismatch"
    );
    let policy = policy.dangerously_without(Check::Measurement);
    assert!(booted.verdict(&policy).is_ok());
}

#[test]
fn a_real_boot_of_an_older_release_is_stopped_by_the_floor_alone() {
    let booted = Booted::kept("rolled-back.json");
    let root = TrustRoot::parse(booted.root.as_bytes()).unwrap();
    let newer = verify(booted.newer.as_bytes(), &root, UnixMs(booted.at_ms)).unwrap();
    let mut policy = booted.policy();
    policy.learn(&newer);
    assert_eq!(
        booted.verdict(&policy).unwrap_err().reason(),
        "release_rolled_back"
    );
    let policy = policy.dangerously_without(Check::ReleaseRollback);
    assert!(booted.verdict(&policy).is_ok());
}
