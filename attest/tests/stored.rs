//! All stored sets: that they are the ones that are made, that releases, keys
//! and answers get the verdicts that stand beside them, and that no reason for
//! a refusal is without a case.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use attest::live::{Challenge, Connection, TlsSide};
use attest::offline::verify_release;
use attest::release::TrustRoot;
use attest::tpm2::credential;
use attest::tpm2::ek::{self, Roots};
use attest::tpm2::public::{AkPublic, EkPublic};
use attest::{Error, Expectation, Policy, TrustRoots, appraise};
use common::challenge_cases::SENT_MS;
use common::sets;
use data_encoding::HEXLOWER;
use ring::rand::SystemRandom;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use wire::message::live::Response;
use wire::{Decode, Digest, Nonce, OrderId, SpkiHash, UnixMs};

const SETS: [(&str, &str); 7] = [
    ("appraisal", include_str!("../vectors/appraisal.json")),
    ("tpm2", include_str!("../vectors/tpm2.json")),
    ("nitro", include_str!("../vectors/nitro.json")),
    ("clouds", include_str!("../vectors/clouds.json")),
    ("releases", include_str!("../vectors/releases.json")),
    ("keys", include_str!("../vectors/keys.json")),
    ("challenges", include_str!("../vectors/challenges.json")),
];

/// Refusals of the attester's side, or of a broken system: no bytes that are
/// handed over bring them about.
const NOT_STORED: [&str; 3] = ["batch_size", "quote_failed", "randomness_unavailable"];

#[test]
fn the_stored_sets_are_the_ones_that_are_made() {
    for ((name, stored), (made, make)) in SETS.iter().zip(sets::ALL) {
        assert_eq!(*name, made);
        assert!(
            *stored == sets::file(&make()),
            "make_vectors {name} prints another set"
        );
    }
}

/// Every text that stands under one of these names.
fn texts<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(name).and_then(Value::as_str));
            fields.values().for_each(|value| texts(value, name, found));
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, name, found)),
        _ => {}
    }
}

#[test]
fn every_reason_for_a_refusal_has_a_stored_case() {
    let source = include_str!("../src/error.rs");
    let (_, reasons) = source.split_once("fn reason(").unwrap();
    let (reasons, _) = reasons.split_once("fn status(").unwrap();
    let named: BTreeSet<&str> = reasons
        .split("=> \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(named.contains(Error::LiveReset.reason()), "{named:?}");
    let sets: Vec<Value> = SETS
        .iter()
        .map(|(_, text)| serde_json::from_str(text).unwrap())
        .collect();
    let mut stored = Vec::new();
    sets.iter()
        .for_each(|set| texts(set, "reason", &mut stored));
    let stored: BTreeSet<&str> = stored.into_iter().collect();
    let missing: Vec<&str> = named.difference(&stored).copied().collect();
    assert_eq!(missing, NOT_STORED);
    let unknown: Vec<_> = stored.difference(&named).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn no_two_cases_of_a_set_have_one_name() {
    for (set, text) in SETS {
        let value: Value = serde_json::from_str(text).unwrap();
        let mut names = Vec::new();
        texts(&value, "name", &mut names);
        let all = names.len();
        let once: BTreeSet<_> = names.into_iter().collect();
        assert_eq!(once.len(), all, "{set}");
    }
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Releases {
    cases: Vec<ReleaseCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseCase {
    name: String,
    file: String,
    root: Option<String>,
    is: String,
    now_ms: u64,
    security_version_min: u64,
    denied: Vec<String>,
    reason: Option<String>,
}

impl ReleaseCase {
    fn verdict(&self) -> Option<&'static str> {
        let file = self.file.as_bytes();
        let root = || self.root.as_ref().map(|root| root.as_bytes());
        match self.is.as_str() {
            "root" => TrustRoot::parse(file).err().map(|error| error.reason()),
            "rotation" => {
                let root = TrustRoot::parse(root().unwrap()).unwrap();
                root.rotate(file).err().map(|error| error.reason())
            }
            _ => {
                let roots = root().map(|root| TrustRoots::from_root_file(root).unwrap());
                let denied = self.denied.iter().map(|d| Digest::from_hex(d).unwrap());
                let floor = Policy::default().with_security_version_min(self.security_version_min);
                let policy = denied.fold(floor, Policy::with_denied);
                let (roots, now) = (roots.unwrap_or_default(), UnixMs(self.now_ms));
                verify_release(file, None, &roots, &policy, now).reason
            }
        }
    }
}

#[test]
fn stored_releases_and_roots_get_their_verdicts() {
    let set: Releases = serde_json::from_str(include_str!("../vectors/releases.json")).unwrap();
    for case in &set.cases {
        assert_eq!(case.verdict(), case.reason.as_deref(), "{}", case.name);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    maker: String,
    now_ms: u64,
    certificates: Vec<CertificateCase>,
    credentials: Vec<CredentialCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateCase {
    name: String,
    certificate: String,
    ek_public: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialCase {
    name: String,
    ek_public: String,
    ak_public: String,
    answer: String,
    reason: String,
}

#[test]
fn stored_keys_and_credentials_get_their_verdicts() {
    let set: Keys = serde_json::from_str(include_str!("../vectors/keys.json")).unwrap();
    let roots = Roots::development(&[&hex(&set.maker)], &[]).unwrap();
    for case in &set.certificates {
        let (certificate, public) = (hex(&case.certificate), hex(&case.ek_public));
        let verdict = ek::verify(&certificate, &public, &roots, UnixMs(set.now_ms));
        let reason = verdict.err().map(|error| error.reason());
        assert_eq!(reason, case.reason.as_deref(), "{}", case.name);
    }
    for case in &set.credentials {
        let ek = EkPublic::parse(&hex(&case.ek_public)).unwrap();
        let ak = AkPublic::parse(&hex(&case.ak_public)).unwrap();
        let sent = credential::Challenge::new(&ek, &ak, &SystemRandom::new());
        let verdict = sent.and_then(|(challenge, _)| challenge.check(&hex(&case.answer)));
        assert_eq!(verdict.unwrap_err().reason(), case.reason, "{}", case.name);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Challenges {
    root: String,
    certificate: String,
    spki: String,
    order: String,
    operator: String,
    now_ms: u64,
    nonce: String,
    cases: Vec<ChallengeCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChallengeCase {
    name: String,
    exporter: String,
    own: String,
    peer: String,
    response: String,
    answered_ms: u64,
    reason: Option<String>,
}

#[test]
fn stored_answers_get_their_verdicts() {
    let set: Challenges = serde_json::from_str(include_str!("../vectors/challenges.json")).unwrap();
    let roots = TrustRoots::from_root_file(set.root.as_bytes()).unwrap();
    let spki = |text: &str| SpkiHash::from_hex(text).unwrap();
    let policy = Policy::default().with_operator(spki(&set.operator));
    let expectation = Expectation::new(spki(&set.spki), OrderId::from_hex(&set.order).unwrap());
    let certificate = hex(&set.certificate);
    let now = UnixMs(set.now_ms);
    let appraised = appraise(&certificate, &expectation, &roots, &policy, now).unwrap();
    let nonce = Nonce(hex(&set.nonce).try_into().unwrap());
    for case in &set.cases {
        let connection = Connection {
            exporter: hex(&case.exporter).try_into().unwrap(),
            own: spki(&case.own),
            peer: spki(&case.peer),
            peer_side: TlsSide::Server,
        };
        let response = Response::from_bytes(&hex(&case.response)).unwrap();
        let challenge = Challenge::new(nonce, SENT_MS);
        let answered_ms = case.answered_ms;
        let verdict = challenge.verify(&response, &connection, &appraised, &policy, answered_ms);
        let reason = verdict.err().map(|refusal| refusal.reason());
        assert_eq!(reason, case.reason.as_deref(), "{}", case.name);
    }
}
