#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::explain;
use crate::cli::Verify;
use crate::test_files::{Files, HOUR_MS, NOW, key};
use crate::trust::TrustOptions;
use attest::Status;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::tempdir;
use wire::invite::{AudienceSecret, Invite};
use wire::{StreamId, UnixMs};

impl Files {
    fn options(&self, what: &Path, root: bool, development: bool) -> Verify {
        Verify {
            what: what.to_str().unwrap().to_owned(),
            archived: false,
            release: None,
            data: Some(self.path("data")),
            nonce: None,
            json: true,
            trust: TrustOptions {
                trust_root: root.then(|| self.path("root.json")),
                trust_operator: Vec::new(),
                trust_development: development,
            },
        }
    }

    fn verdict(&self, what: &Path, root: bool, development: bool) -> (Status, Value) {
        let report = explain(&self.options(what, root, development), NOW).unwrap();
        (report.status(), json!(report))
    }

    /// Evidence as a viewer saved it.
    fn saved(&self) -> Vec<u8> {
        let trust = self.trust().resolve(None).unwrap();
        self.proof(&trust.relays).saved().to_json().unwrap()
    }
}

/// What `verify` says of the file, as JSON.
pub(crate) fn verdict(what: &Path, trust: &TrustOptions, now: UnixMs) -> Value {
    let empty = tempdir().unwrap();
    let options = Verify {
        what: what.to_str().unwrap().to_owned(),
        archived: false,
        release: None,
        data: Some(empty.path().to_owned()),
        nonce: None,
        json: true,
        trust: trust.clone(),
    };
    json!(explain(&options, now).unwrap())
}

#[test]
fn a_release_folder_is_verified_with_its_program() {
    let files = Files::new();
    let (status, json) = files.verdict(files.folder(), true, true);
    assert_eq!(status.exit_code(), 0, "{json}");
    assert_eq!(json["schema"], "roundcast.explanation/1");
    assert_eq!(json["kind"], "release");
    let steps = json["steps"].as_array().unwrap();
    let measured = steps.iter().find(|s| s["check"] == "measurement").unwrap();
    assert_eq!(measured["result"], "passed");
    let banner = json["banner"].as_str().unwrap();
    assert!(banner.contains("relays prove nothing"), "{banner}");
    let (status, _) = files.verdict(&files.path("release.json"), true, true);
    assert_eq!(status, Status::Verified);
}

#[test]
fn a_changed_program_and_a_changed_release_are_refused() {
    let files = Files::new();
    fs::write(files.path("roundcast-relay"), b"another program").unwrap();
    let (status, json) = files.verdict(files.folder(), true, true);
    assert_eq!(
        (status.exit_code(), &json["reason"]),
        (3, &json!("measurement_mismatch"))
    );
    let mut changed = files.release_json().to_vec();
    let last = changed.iter().rposition(|b| b.is_ascii_digit()).unwrap();
    changed[last] = if changed[last] == b'0' { b'1' } else { b'0' };
    fs::write(files.path("release.json"), changed).unwrap();
    let (status, _) = files.verdict(&files.path("release.json"), true, true);
    assert_eq!(status, Status::Refused);
}

#[test]
fn an_old_release_is_expired_and_without_a_root_all_is_unknown() {
    let files = Files::new();
    let options = files.options(files.folder(), true, true);
    let later = NOW.plus_ms(48 * HOUR_MS);
    let report = explain(&options, later).unwrap();
    assert_eq!(report.status(), Status::Expired);
    assert_eq!(report.status().exit_code(), 3);
    let (status, json) = files.verdict(files.folder(), false, false);
    assert_eq!(
        (status.exit_code(), &json["reason"]),
        (4, &json!("root_missing"))
    );
}

#[test]
fn a_relay_s_certificate_is_judged_by_policy() {
    let files = Files::new();
    let certificate = files.certificate();
    let (status, json) = files.verdict(&certificate, true, true);
    assert_eq!(status, Status::Verified, "{json}");
    assert_eq!(json["subject"]["assurance"], "development");
    let (status, json) = files.verdict(&certificate, true, false);
    assert_eq!(
        (status.exit_code(), &json["reason"]),
        (3, &json!("assurance_not_accepted"))
    );
}

#[test]
fn a_saved_certificate_is_judged_now_or_at_its_own_time_and_says_which() {
    let files = Files::new();
    let mut options = files.options(&files.certificate(), true, true);
    let later = NOW.plus_ms(90 * 24 * HOUR_MS);
    let report = explain(&options, later).unwrap();
    assert_ne!(report.status(), Status::Verified);
    assert_eq!(json!(report)["subject"]["judged"], "now");
    options.archived = true;
    let report = explain(&options, later).unwrap();
    assert_eq!(report.status(), Status::Verified);
    assert_eq!(json!(report)["subject"]["judged"], "archived");
    assert!(report.text().contains("says nothing about now"));
}

#[test]
fn saved_evidence_is_judged_now_or_at_its_own_time_and_says_which() {
    let files = Files::new();
    let file = files.path("relay.evidence.json");
    fs::write(&file, files.saved()).unwrap();
    let mut options = files.options(&file, true, true);
    let report = explain(&options, NOW).unwrap();
    assert_eq!(report.status(), Status::Verified, "{}", report.text());
    assert!(report.text().contains("\nevidence: verified as of now\n"));
    let later = NOW.plus_ms(90 * 24 * HOUR_MS);
    assert_eq!(explain(&options, later).unwrap().status(), Status::Expired);
    options.archived = true;
    let report = explain(&options, later).unwrap();
    assert_eq!(report.status(), Status::Verified, "{}", report.text());
    assert!(
        report
            .text()
            .contains("\nevidence: was good at its own time\n")
    );
    let json = json!(report);
    assert_eq!(json["subject"]["judged"], "archived");
    assert!(
        json["meaning"]
            .as_str()
            .unwrap()
            .contains("nothing is said about now")
    );
    let result = |check: &str| {
        let mut steps = json["steps"].as_array().unwrap().iter();
        steps.rfind(|s| s["check"] == check).unwrap()["result"].clone()
    };
    assert_eq!(result("live_binding"), "passed");
    assert_eq!(result("order"), "passed");
    assert_eq!(result("live_age"), "not_checked");
    assert_eq!(result("admission"), "not_checked");
}

/// All but the time, which is the saver's word: a digit of it is shown as it
/// stands, and decides nothing.
#[test]
fn any_changed_byte_of_saved_evidence_is_refused() {
    let files = Files::new();
    let genuine = files.saved();
    let text = String::from_utf8(genuine.clone()).unwrap();
    let time = text.find("1790000000000").unwrap();
    let file = files.path("relay.evidence.json");
    let mut options = files.options(&file, true, true);
    options.archived = true;
    let mut verified = Vec::new();
    for position in 0..genuine.len() {
        let mut changed = genuine.clone();
        changed[position] ^= 1;
        fs::write(&file, changed).unwrap();
        // Not even taken for evidence, or refused.
        if explain(&options, NOW).is_ok_and(|report| report.status() == Status::Verified) {
            verified.push(position);
        }
    }
    verified.retain(|position| !(time..time + 13).contains(position));
    assert!(verified.is_empty(), "{verified:?}");
    for cut in [genuine.len() / 2, genuine.len() - 1] {
        fs::write(&file, &genuine[..cut]).unwrap();
        let json = json!(explain(&options, NOW).unwrap());
        assert_eq!(json["reason"], "evidence_malformed");
    }
    let repeated = text.replacen(',', ",\"saved_ms\":1,", 1);
    for longer in [repeated, format!("{text} "), format!("{text}{text}")] {
        fs::write(&file, longer).unwrap();
        let json = json!(explain(&options, NOW).unwrap());
        assert_eq!(json["reason"], "evidence_malformed");
    }
}

#[test]
fn evidence_of_another_order_is_refused() {
    let files = Files::new();
    let text = String::from_utf8(files.saved()).unwrap();
    let order = certs::order::id(&files.order()).to_hex();
    let file = files.path("relay.evidence.json");
    let other = text.replace(&order, &"ab".repeat(32));
    assert_ne!(other, text);
    fs::write(&file, other).unwrap();
    let (status, json) = files.verdict(&file, true, true);
    assert_eq!(
        (status, &json["reason"]),
        (Status::Refused, &json!("order_mismatch"))
    );
}

#[test]
fn evidence_without_its_certificate_is_judged_but_for_the_key() {
    let files = Files::new();
    let der = fs::read(files.certificate()).unwrap();
    let cmw = certs::x509::extension(&der, certs::x509::EVIDENCE_OID);
    let cmw = cmw.unwrap().unwrap();
    assert_eq!(cmw.first(), Some(&0x04));
    let file = files.path("evidence.cmw");
    fs::write(&file, &cmw).unwrap();
    let mut options = files.options(&file, true, true);
    for archived in [false, true] {
        options.archived = archived;
        let json = json!(explain(&options, NOW).unwrap());
        assert_eq!(json["kind"], "evidence");
        assert_eq!(json["status"], "verified", "{json}");
        let steps = json["steps"].as_array().unwrap();
        let boot = steps.iter().find(|s| s["check"] == "boot").unwrap();
        assert_eq!(boot["result"], "not_checked");
    }
    let (_, json) = files.verdict(&file, true, false);
    assert_eq!(json["reason"], "assurance_not_accepted");
    fs::write(&file, &cmw[..cmw.len() - 1]).unwrap();
    let (_, json) = files.verdict(&file, true, true);
    assert_eq!(json["reason"], "evidence_malformed");
}

#[test]
fn a_saved_quote_is_taken_for_one_and_believed_under_pinned_roots_alone() {
    let files = Files::new();
    let set = include_str!("../../../attest/vectors/clouds.json");
    let set: Value = serde_json::from_str(set).unwrap();
    let genuine = set["cases"][0]["file"].as_str().unwrap();
    let path = files.path("quote.json");
    let judge = |text: &str| {
        fs::write(&path, text).unwrap();
        let (status, json) = files.verdict(&path, true, true);
        (status.exit_code(), json)
    };
    let (code, json) = judge(genuine);
    assert_eq!((code, &json["kind"]), (3, &json!("ak_quote")));
    // Genuine under an authority of our own, which is nobody here.
    assert_eq!(json["reason"], "chain_root_unknown");
    assert_eq!(json["subject"]["judged"], "archived");
    let (code, json) = judge(&genuine.replacen('{', "{\"any\":0,", 1));
    assert_eq!((code, &json["reason"]), (3, &json!("evidence_malformed")));
    // What does not name the schema is a release, and none.
    let (_, json) = judge(&genuine.replace("roundcast.ak-quote/1", "another/1"));
    assert_eq!(json["reason"], "release_malformed");
    fs::write(&path, genuine).unwrap();
    let mut options = files.options(&path, true, true);
    options.nonce = Some("00".into());
    assert!(explain(&options, NOW).is_err());
}

#[test]
fn a_platform_s_document_is_taken_for_one_and_refused_for_its_form() {
    let files = Files::new();
    fs::write(files.path("document.cbor"), [0x84, 0x44, 0xa1]).unwrap();
    let mut options = files.options(&files.path("document.cbor"), true, true);
    options.release = Some(files.path("release.json"));
    let report = explain(&options, NOW).unwrap();
    let json = json!(report);
    assert_eq!(
        (&json["kind"], &json["reason"]),
        (&json!("document"), &json!("document_malformed"))
    );
    options.nonce = Some("not hexadecimal".into());
    assert_eq!(explain(&options, NOW).unwrap_err().exit_code(), 2);
}

#[test]
fn a_certificate_without_evidence_is_refused() {
    let files = Files::new();
    let der = certs::x509::self_signed(&key(8), Vec::new()).unwrap();
    fs::write(files.path("bare.der"), der).unwrap();
    let (status, json) = files.verdict(&files.path("bare.der"), true, true);
    assert_eq!(
        (status.exit_code(), &json["reason"]),
        (3, &json!("evidence_missing"))
    );
}

#[test]
fn an_invite_s_secret_is_never_shown_and_its_sender_not_vouched_for() {
    let invite = Invite {
        stream: StreamId([5; 32]),
        secret: AudienceSecret::new([0xab; 32]),
        addresses: vec!["192.0.2.1:4433".parse().unwrap()],
    };
    let uri = invite.to_uri();
    let secret = uri.split(['=', '&']).nth(1).unwrap();
    let files = Files::new();
    let report = explain(&files.options(Path::new(uri.as_str()), false, false), NOW).unwrap();
    assert_eq!(report.status().exit_code(), 0);
    let json = json!(report);
    for shown in [json.to_string(), report.text()] {
        assert!(!shown.contains(secret) && !shown.contains(&"ab".repeat(32)));
        assert!(shown.contains(&invite.stream.to_hex()) && shown.contains("192.0.2.1:4433"));
    }
    let steps = json["steps"].as_array().unwrap();
    let sender = steps.iter().find(|s| s["check"] == "sender").unwrap();
    assert_eq!(sender["result"], "not_checked");
    assert_eq!(json["banner"], Value::Null);
    let told = explain(&files.options(Path::new(uri.as_str()), false, true), NOW).unwrap();
    assert!(told.text().starts_with("DEVELOPMENT: software evidence"));
}

#[test]
fn an_altered_invite_is_refused_by_name() {
    let files = Files::new();
    for (text, reason) in [
        ("roundcast:v2/x", "invite_scheme"),
        (
            "roundcast:v1/AAAA?s=AAAA&a=192.0.2.1:1",
            "invite_stream_key",
        ),
    ] {
        let (status, json) = files.verdict(Path::new(text), false, false);
        assert_eq!((status.exit_code(), &json["reason"]), (3, &json!(reason)));
    }
}

#[test]
fn what_is_none_of_these_is_a_usage_error() {
    let files = Files::new();
    fs::write(files.path("notes.txt"), "hello").unwrap();
    let notes = files.path("notes.txt");
    let error = explain(&files.options(&notes, true, true), NOW).unwrap_err();
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let files = Files::new();
    let empty = tempdir().unwrap();
    let absent = empty.path().join("absent");
    let release = empty.path().join("release.json");
    for (what, named) in [(absent.as_path(), &absent), (empty.path(), &release)] {
        let error = explain(&files.options(what, true, true), NOW).unwrap_err();
        assert_eq!(
            (error.exit_code(), error.reason().as_str()),
            (1, "file_unusable")
        );
        assert!(
            error.to_string().contains(named.to_str().unwrap()),
            "{error}"
        );
    }
}

#[test]
fn what_was_learnt_of_revoked_releases_counts_here_too() {
    let old = Files::new();
    let newer = old.released(|release| {
        (release.security_version, release.security_version_min) = (2, 2);
    });
    let file = newer.path("release.json");
    let data = old.path("data");
    old.trust()
        .resolve_learning(&data, Some(&file), NOW)
        .unwrap();
    let (status, json) = old.verdict(&old.certificate(), true, true);
    assert_eq!(
        (status, &json["reason"]),
        (Status::Refused, &json!("release_rolled_back"))
    );
    // The control removed: a data folder that knows nothing.
    let mut options = old.options(&old.certificate(), true, true);
    options.data = Some(newer.path("data"));
    assert_eq!(explain(&options, NOW).unwrap().status(), Status::Verified);
}

#[test]
fn control_characters_do_not_reach_a_terminal() {
    let report = super::invite::explain("roundcast:\u{1b}[2J");
    assert!(!report.text().contains('\u{1b}'));
}

/// What `attest` has for relays with a TPM: genuine ones and each lie, with
/// the operators that a viewer believes.
const MACHINES: &str = include_str!("../../../attest/vectors/tpm2.json");

/// Reasons that need an admission, which a file does not have.
const ADMISSION: [&str; 2] = ["spki_not_admitted", "order_mismatch"];

#[test]
fn a_machine_s_certificate_is_judged_by_whose_word_is_believed() {
    let vectors: Value = serde_json::from_str(MACHINES).unwrap();
    let files = Files::new();
    fs::write(files.path("root.json"), vectors["root"].as_str().unwrap()).unwrap();
    let mut judged = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let reason = case["reason"].as_str();
        if reason.is_some_and(|reason| ADMISSION.contains(&reason)) {
            continue;
        }
        let machine = files.path("machine.der");
        fs::write(
            &machine,
            hex::decode(case["certificate"].as_str().unwrap()).unwrap(),
        )
        .unwrap();
        let mut options = files.options(&machine, true, false);
        let operators = case["operators"].as_array().unwrap().iter();
        let operators = operators.map(|key| format!("desk={}", key.as_str().unwrap()));
        options.trust.trust_operator = operators.map(|o| o.parse().unwrap()).collect();
        let now = UnixMs(case["now_ms"].as_u64().unwrap());
        let json = json!(explain(&options, now).unwrap());
        assert_eq!(json["reason"].as_str(), reason, "{}", case["name"]);
        assert_eq!(json["subject"]["judged"], "now");
        if reason.is_none() {
            assert_eq!(json["subject"]["evidence"], "tpm2");
            assert_eq!(json["subject"]["assurance"], "operator");
        }
        judged += 1;
    }
    assert!(judged > 20, "{judged} cases");
}
