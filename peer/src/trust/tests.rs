#![allow(clippy::unwrap_used)]

use super::*;
use crate::test_files::{Files, NOW};
use attest::Expectation;
use std::fs;
use tempfile::tempdir;

#[test]
fn an_operator_is_named_with_its_key_alone() {
    let hex = "ab".repeat(32);
    let desk = SpkiHash::from_hex(&hex).unwrap();
    let operator: Operator = format!("demo-desk={hex}").parse().unwrap();
    assert_eq!((operator.name.as_str(), operator.desk), ("demo-desk", desk));
    let uri = DeskUri::new("127.0.0.1", 4433, desk).unwrap();
    let by_uri: Operator = format!("demo-desk={uri}").parse().unwrap();
    assert_eq!(by_uri, operator);
    let wrong = ["demo-desk", "=", "a b=00", "demo-desk=zz", "demo-desk="];
    for text in wrong {
        assert!(text.parse::<Operator>().is_err(), "{text}");
    }
    assert!(format!("\u{1b}={hex}").parse::<Operator>().is_err());
}

#[test]
fn only_named_operators_are_accepted_and_the_banner_names_them() {
    let hex = "ab".repeat(32);
    let desk = SpkiHash::from_hex(&hex).unwrap();
    let bare = TrustOptions::default().resolve(None).unwrap();
    assert!(!bare.relays.policy().accepts(attest::Assurance::Operator));
    assert_eq!(bare.banner, None);
    let options = TrustOptions {
        trust_operator: vec![format!("demo-desk={hex}").parse().unwrap()],
        ..TrustOptions::default()
    };
    let trust = options.resolve(None).unwrap();
    let policy = trust.relays.policy();
    assert!(policy.accepts(attest::Assurance::Operator) && policy.trusts_operator(&desk));
    assert!(!policy.trusts_operator(&SpkiHash([1; 32])));
    assert!(!policy.accepts(attest::Assurance::Development));
    assert!(trust.banner.unwrap().contains("nothing against demo-desk"));
}

/// A viewer's trust in the developer of `files`, after a start with `data`.
fn started(files: &Files, data: &Path) -> Result<Trust, Error> {
    files.trust().resolve_learning(data, None, NOW)
}

/// The name under which `trust` refuses the relay of `files`, if it does.
fn refusal(trust: &Trust, files: &Files) -> Option<String> {
    let expectation = Expectation::of_order(files.relay(), &files.order());
    let certificate = fs::read(files.certificate()).unwrap();
    let appraised = trust.relays.appraise(&certificate, &expectation, NOW);
    appraised.err().map(|error| error.reason().to_owned())
}

#[test]
fn an_old_release_is_refused_after_a_newer_one_was_seen_across_a_restart_too() {
    let old = Files::new();
    let newer = old.released(|release| {
        (release.security_version, release.security_version_min) = (2, 2);
    });
    let data = tempdir().unwrap();
    let trust = started(&old, data.path()).unwrap();
    assert_eq!(refusal(&trust, &old), None);
    assert_eq!(refusal(&trust, &newer), None);
    let rolled_back = Some("release_rolled_back".to_owned());
    assert_eq!(refusal(&trust, &old), rolled_back);
    let restarted = started(&old, data.path()).unwrap();
    assert_eq!(refusal(&restarted, &old), rolled_back);
    assert_eq!(refusal(&restarted, &newer), None);
    // The control removed: a start that knows nothing of the newer release.
    fs::remove_file(data.path().join("revocations.json")).unwrap();
    let forgetful = started(&old, data.path()).unwrap();
    assert_eq!(refusal(&forgetful, &old), None);
}

#[test]
fn a_revoked_release_is_denied_after_its_successor_was_seen_across_a_restart_too() {
    let old = Files::new();
    let revoked = old.release_digest();
    let newer = old.released(|release| release.denied = vec![revoked.into()]);
    let data = tempdir().unwrap();
    let trust = started(&old, data.path()).unwrap();
    assert_eq!(refusal(&trust, &old), None);
    assert_eq!(refusal(&trust, &newer), None);
    let denied = Some("release_denied".to_owned());
    assert_eq!(refusal(&trust, &old), denied);
    let restarted = started(&old, data.path()).unwrap();
    assert_eq!(refusal(&restarted, &old), denied);
    let forgetful = started(&old, tempdir().unwrap().path()).unwrap();
    assert_eq!(refusal(&forgetful, &old), None);
}

#[test]
fn newer_metadata_from_a_file_counts_before_the_first_relay() {
    let old = Files::new();
    let newer = old.released(|release| {
        (release.security_version, release.security_version_min) = (2, 2);
    });
    let data = tempdir().unwrap();
    let file = newer.path("release.json");
    let options = old.trust();
    let trust = options.resolve_learning(data.path(), Some(&file), NOW);
    assert_eq!(
        refusal(&trust.unwrap(), &old),
        Some("release_rolled_back".into())
    );
    let restarted = started(&old, data.path()).unwrap();
    assert_eq!(restarted.relays.policy().security_version_min(), 2);
}

#[test]
fn nothing_is_learnt_from_a_release_that_does_not_verify() {
    let old = Files::new();
    let stranger = Files::of_developer(21);
    let foreign = stranger.released(|release| {
        (release.security_version, release.security_version_min) = (9, 9);
    });
    let data = tempdir().unwrap();
    let trust = started(&old, data.path()).unwrap();
    assert_eq!(
        refusal(&trust, &foreign),
        Some("release_signature_invalid".into())
    );
    assert_eq!(trust.relays.policy().security_version_min(), 0);
    assert!(!data.path().join("revocations.json").exists());
    let file = foreign.path("release.json");
    let error = old.trust().resolve_learning(data.path(), Some(&file), NOW);
    assert_eq!(error.unwrap_err().reason(), "release_signature_invalid");
    let bare = TrustOptions::default();
    let error = bare.resolve_learning(data.path(), Some(&file), NOW);
    assert_eq!(error.unwrap_err().reason(), "root_missing");
}

#[test]
fn damaged_revocations_are_an_error_and_never_an_empty_list() {
    let files = Files::new();
    let data = tempdir().unwrap();
    let path = data.path().join("revocations.json");
    let good = Revocations::default().to_json().unwrap();
    let good = String::from_utf8(good).unwrap();
    let cases = [
        String::new(),
        good[..good.len() - 1].to_owned(),
        format!("{good}{good}"),
        good.replace("min\":0", "min\":-1"),
        good.replace("revocations/1", "revocations/2"),
        good.replacen('{', "{\"more\":1,", 1),
        good.replace("[]", &format!("[\"{0}\",\"{0}\"]", "ab".repeat(32))),
    ];
    for damaged in cases {
        fs::write(&path, &damaged).unwrap();
        let error = started(&files, data.path()).unwrap_err();
        assert_eq!(error.reason(), "revocations_damaged", "{damaged}");
        assert!(error.to_string().contains("revocations.json"));
        assert!(files.trust().resolve(Some(data.path())).is_err());
    }
    fs::write(&path, "x".repeat(2 * 1024 * 1024)).unwrap();
    let error = started(&files, data.path()).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
    // Nor is it written over by what is learnt while it is damaged.
    fs::remove_file(&path).unwrap();
    let trust = started(&files, data.path()).unwrap();
    fs::write(&path, "damaged").unwrap();
    let newer = files.released(|release| release.security_version_min = 1);
    assert_eq!(refusal(&trust, &newer), None);
    assert_eq!(fs::read(&path).unwrap(), b"damaged");
    assert_eq!(trust.relays.policy().security_version_min(), 1);
    // It is tried again: once the file is whole, nothing is lost.
    fs::write(&path, &good).unwrap();
    assert_eq!(refusal(&trust, &newer), None);
    let restarted = started(&files, data.path()).unwrap();
    assert_eq!(restarted.relays.policy().security_version_min(), 1);
}

#[test]
fn two_clients_with_one_data_folder_forget_nothing_of_each_other() {
    let old = Files::new();
    let data = tempdir().unwrap();
    let (one, other) = (
        started(&old, data.path()).unwrap(),
        started(&old, data.path()).unwrap(),
    );
    let floor = old.released(|release| {
        (release.security_version, release.security_version_min) = (3, 3);
    });
    let denying = old.released(|release| release.denied = vec![old.release_digest().into()]);
    assert_eq!(refusal(&one, &floor), None);
    assert_eq!(refusal(&other, &denying), None);
    let kept = kept::read(data.path()).unwrap();
    let denied = old.release_digest().to_hex();
    let text = String::from_utf8(kept.to_json().unwrap()).unwrap();
    assert_eq!(kept.security_version_min(), 3);
    assert!(text.contains(&denied), "{text}");
}
