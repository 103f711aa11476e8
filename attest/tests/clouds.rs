//! Saved quotes by keys that a cloud certified get the verdicts that stand
//! beside them in the stored set.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use attest::offline::verify_ak_quote_archived_under as verify_under;
use attest::offline::{AK_QUOTE_BYTES_MAX, is_ak_quote, verify_ak_quote_archived};
use attest::tpm2::{AkRoot, Bank, Cloud};
use attest::{Explanation, Outcome, Policy, Status, TrustRoots};
use common::cloud::Instance;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use wire::Digest;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    cloud_root: String,
    release_root: String,
    release: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    cloud: String,
    file: String,
    release: bool,
    development: bool,
    denied: Vec<String>,
    reason: Option<String>,
}

#[test]
fn stored_quotes_get_their_verdicts() {
    let set: Set = serde_json::from_str(include_str!("../vectors/clouds.json")).unwrap();
    let roots = TrustRoots::from_root_file(set.release_root.as_bytes()).unwrap();
    for case in &set.cases {
        let cloud = Cloud::from_name(&case.cloud).unwrap();
        let root = HEXLOWER.decode(set.cloud_root.as_bytes()).unwrap();
        let root = AkRoot::development(&root, cloud).unwrap();
        let release = case.release.then_some(set.release.as_bytes());
        let mut policy = Policy::default();
        for digest in &case.denied {
            policy = policy.with_denied(Digest::from_hex(digest).unwrap());
        }
        if case.development {
            policy = policy.with_development();
        }
        let verdict = verify_under(case.file.as_bytes(), &root, release, &roots, &policy);
        assert_eq!(verdict.reason, case.reason.as_deref(), "{}", case.name);
    }
}

fn judge(instance: &Instance) -> Explanation {
    let root = AkRoot::development(&instance.root.der, instance.cloud).unwrap();
    let world = &instance.machine.world;
    let release = world.release_json();
    let file = instance.file();
    verify_under(
        file.as_bytes(),
        &root,
        Some(&release),
        &world.roots(),
        &world.policy,
    )
    .into_explanation()
}

#[test]
fn a_verdict_says_of_when_and_against_whom_it_speaks() {
    for (cloud, kind) in [(Cloud::Google, "gcp_tpm"), (Cloud::Azure, "azure_tpm")] {
        let verdict = judge(&Instance::of(cloud));
        assert_eq!(verdict.status, Status::Verified, "{verdict}");
        assert_eq!(verdict.subject.evidence, Some(kind));
        assert_eq!(verdict.subject.judged, Some("archived"));
        assert_eq!(verdict.subject.assurance, Some("development"));
        let last = verdict.steps.last().unwrap();
        assert_eq!(last.result, Outcome::NotChecked, "{}", last.detail);
    }
}

#[test]
fn a_pinned_root_takes_no_quote_of_our_own_cloud() {
    for cloud in [Cloud::Google, Cloud::Azure] {
        let instance = Instance::of(cloud);
        let world = &instance.machine.world;
        let verdict = verify_ak_quote_archived(
            instance.file().as_bytes(),
            None,
            &world.roots(),
            &world.policy,
        );
        assert_eq!(verdict.reason, Some("chain_root_unknown"));
        assert_eq!(verdict.subject.assurance, Some("platform"));
    }
}

#[test]
fn what_another_kind_of_machine_may_show_is_not_compared() {
    for cloud in [Cloud::Google, Cloud::Azure] {
        let mut instance = Instance::of(cloud);
        let measured = &mut instance.machine.world.release.measurements;
        match cloud {
            Cloud::Google => measured.gcp_tpm.clear(),
            Cloud::Azure => measured.azure_tpm.clear(),
        }
        // The same registers are there for operators' machines.
        let profile = |p: &attest::release::Tpm2Measurement| p.pcrs.bank() == Bank::Sha256;
        assert!(measured.tpm2.iter().any(profile));
        assert_eq!(judge(&instance).reason, Some("measurement_missing"));
    }
}

#[test]
fn every_single_byte_change_of_a_quote_by_rsa_is_refused() {
    let genuine = Instance::of(Cloud::Azure);
    let root = AkRoot::development(&genuine.root.der, Cloud::Azure).unwrap();
    let world = &genuine.machine.world;
    let (release, roots) = (world.release_json(), world.roots());
    let mut form = genuine.form();
    let quote = HEXLOWER.decode(form.quote.as_bytes()).unwrap();
    for position in 0..quote.len() {
        for bit in 0..8 {
            let mut changed = quote.clone();
            changed[position] ^= 1 << bit;
            form.quote = HEXLOWER.encode(&changed);
            let file = serde_json::to_vec(&form).unwrap();
            let verdict = verify_under(&file, &root, Some(&release), &roots, &world.policy);
            assert_eq!(
                verdict.status,
                Status::Refused,
                "byte {position}, bit {bit}"
            );
        }
    }
}

#[test]
fn a_file_says_what_it_is_and_is_bounded() {
    let file = Instance::of(Cloud::Google).file();
    assert!(is_ak_quote(file.as_bytes()));
    let release = Instance::of(Cloud::Google).machine.world.release_json();
    assert!(!is_ak_quote(&release));
    assert!(!is_ak_quote(b"{"));
    let padded = file.replacen('{', &format!("{{{}", " ".repeat(AK_QUOTE_BYTES_MAX)), 1);
    assert!(!is_ak_quote(padded.as_bytes()));
    let world = &Instance::of(Cloud::Google).machine.world;
    let verdict = verify_ak_quote_archived(padded.as_bytes(), None, &world.roots(), &world.policy);
    assert_eq!(verdict.reason, Some("evidence_malformed"));
}
