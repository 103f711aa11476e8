//! The stored vectors get the verdicts that stand beside them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use attest::live::{Batch, Leaf, TlsSide};
use attest::{Expectation, TrustRoots, appraise};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use std::collections::BTreeMap;
use wire::{Digest, Nonce, OrderId, SpkiHash, UnixMs};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Appraisals {
    root: String,
    cases: Vec<AppraisalCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppraisalCase {
    name: String,
    certificate: String,
    spki: String,
    order: String,
    now_ms: u64,
    development: bool,
    security_version_min: u64,
    denied: Vec<String>,
    reason: Option<String>,
}

#[test]
fn stored_certificates_get_their_verdicts() {
    let vectors: Appraisals =
        serde_json::from_str(include_str!("../vectors/appraisal.json")).unwrap();
    let roots = TrustRoots::from_root_file(vectors.root.as_bytes()).unwrap();
    for case in &vectors.cases {
        let denied: Vec<_> = case
            .denied
            .iter()
            .filter_map(|d| Digest::from_hex(d))
            .collect();
        let verdict = appraise(
            &HEXLOWER.decode(case.certificate.as_bytes()).unwrap(),
            &Expectation::new(
                SpkiHash::from_hex(&case.spki).unwrap(),
                OrderId::from_hex(&case.order).unwrap(),
            ),
            &roots,
            &common::cases::policy(case.development, case.security_version_min, &denied),
            UnixMs(case.now_ms),
        );
        let reason = verdict.err().map(|refusal| refusal.reason());
        assert_eq!(reason, case.reason.as_deref(), "{}", case.name);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LiveCase {
    count: u16,
    index: u16,
    side: String,
    fields: BTreeMap<String, String>,
    leaf: String,
    path: Vec<String>,
    digest: String,
}

/// The leaf with number `i`, as `live.py` makes its inputs.
fn leaf(i: u16) -> Leaf {
    let field = |name: &str| common::sha256(&[name.as_bytes(), &i.to_be_bytes()].concat()).0;
    Leaf {
        attester_side: if i.is_multiple_of(2) {
            TlsSide::Server
        } else {
            TlsSide::Client
        },
        nonce: Nonce(field("nonce")),
        exporter: field("exporter"),
        attester: SpkiHash(field("attester")),
        verifier: SpkiHash(field("verifier")),
        order: OrderId(field("order")),
        parameters: Digest(field("parameters")),
        release: Digest(field("release")),
    }
}

#[test]
fn live_leaves_and_batches_are_those_of_the_independent_implementation() {
    let cases: Vec<LiveCase> = serde_json::from_str(include_str!("../vectors/live.json")).unwrap();
    for case in cases {
        let leaves: Vec<_> = (0..case.count).map(|i| leaf(i).digest().unwrap()).collect();
        let own = leaf(case.index);
        assert_eq!(Digest(own.exporter).to_hex(), case.fields["exporter"]);
        let server = own.attester_side == TlsSide::Server;
        assert_eq!(server, case.side == "server");
        assert_eq!(leaves[usize::from(case.index)].to_hex(), case.leaf);
        let batch = Batch::new(&leaves).unwrap();
        let path = batch.path(case.index).unwrap();
        assert_eq!(
            path.iter().map(Digest::to_hex).collect::<Vec<_>>(),
            case.path
        );
        assert_eq!(HEXLOWER.encode(batch.digest().as_bytes()), case.digest);
    }
}
