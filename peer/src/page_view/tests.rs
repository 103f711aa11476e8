#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::test_files::{Files, NOW};
use crate::trust::TrustOptions;
use crate::verify::tests::verdict;
use attest::Expectation;
use serde_json::Value;
use std::fs;

/// What a file cannot say and a viewer can, or the other way round.
const VIEWERS_OWN: [&str; 3] = ["admission", "order", "live_age"];

/// The steps that page and file have in common.
fn common(explanation: &Value) -> Vec<Value> {
    let steps = explanation["steps"].as_array().unwrap().iter();
    let own = |step: &Value| VIEWERS_OWN.contains(&step["check"].as_str().unwrap());
    steps.filter(|step| !own(step)).cloned().collect()
}

#[test]
fn the_page_says_of_a_good_relay_what_verify_says_of_its_files() {
    let files = Files::new();
    let trust = files.trust().resolve(None).unwrap();
    let proof = files.proof(&trust.relays);
    let page = explanation(proof.verdict()).0;
    assert_eq!(page["schema"], "roundcast.explanation/1");
    assert_eq!(
        (&page["status"], &page["reason"]),
        (&"verified".into(), &Value::Null)
    );
    assert_eq!(page["subject"]["judged"], "live");

    let file = files.path("relay.evidence.json");
    fs::write(&file, saved(&proof).unwrap()).unwrap();
    let evidence = verdict(&file, &files.trust(), NOW);
    assert_eq!(evidence["status"], "verified");
    let (form, same) = evidence["steps"].as_array().unwrap().split_first().unwrap();
    assert!(
        form["detail"]
            .as_str()
            .unwrap()
            .starts_with("saved evidence")
    );
    let same = serde_json::json!({ "steps": same });
    assert_eq!(common(&page), common(&same));

    let certificate = verdict(&files.certificate(), &files.trust(), NOW);
    let (boot, live) = (common(&certificate), common(&page));
    assert_eq!(live[..boot.len()], boot);
    assert!(live.len() > boot.len());
    for field in ["spki", "order", "release", "evidence", "assurance"] {
        assert_eq!(page["subject"][field], certificate["subject"][field]);
    }
}

#[test]
fn the_page_says_of_a_refused_relay_what_verify_says_of_its_certificate() {
    let files = Files::new();
    let wary = TrustOptions {
        trust_development: false,
        ..files.trust()
    };
    let trust = wary.resolve(None).unwrap();
    let expectation = Expectation::of_order(files.relay(), &files.order());
    let bytes = fs::read(files.certificate()).unwrap();
    let error = trust
        .relays
        .appraise(&bytes, &expectation, NOW)
        .unwrap_err();
    let page = explanation(error.verdict().unwrap()).0;
    let file = verdict(&files.certificate(), &wary, NOW);
    assert_eq!(page["reason"], "assurance_not_accepted");
    for field in ["status", "reason", "schema"] {
        assert_eq!(page[field], file[field]);
    }
    assert_eq!(common(&page), common(&file));
    let last = page["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["check"], &last["result"]),
        (&"assurance".into(), &"failed".into())
    );
}

fn hop(kind: Kind, status: Status) -> Hop {
    Hop {
        name: "hop".into(),
        kind,
        verified: by_me(status == Status::Verified),
        status,
        assurance: None,
        release: None,
        evidence: None,
        verified_at_ms: None,
        explanation: None,
        saved: None,
    }
}

#[test]
fn a_relay_that_is_only_reported_leaves_the_path_unknown() {
    let you = hop(Kind::You, Status::Verified);
    let peer = hop(Kind::Peer, Status::Verified);
    let station = hop(Kind::Station, Status::Verified);
    let reported = hop(Kind::Relay, Status::Unknown);
    let expired = hop(Kind::Relay, Status::Expired);
    let good = [you.clone(), peer.clone(), station.clone()];
    assert_eq!(weakest(&good), Status::Verified);
    let above = [you.clone(), peer.clone(), reported, station.clone()];
    assert_eq!(weakest(&above), Status::Unknown);
    assert_eq!(weakest(&[you.clone(), expired, station]), Status::Expired);
    assert_eq!(weakest(&[you, peer]), Status::Unknown, "no end in sight");
    assert_eq!(weakest(&[]), Status::Unknown);
}
