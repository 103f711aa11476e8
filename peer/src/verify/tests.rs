#![allow(clippy::unwrap_used)]

use super::explain;
use crate::cli::Verify;
use crate::trust::TrustOptions;
use attest::Status;
use attest::release::{KeyRing, Release, SoftwareMeasurement};
use attest::software::{self, BootKey, PlatformStatement};
use certs::SigningKey;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};
use wire::codec::Text;
use wire::invite::{AudienceSecret, Invite};
use wire::order::{Order, Parameters};
use wire::{Digest, StreamId, UnixMs};

const NOW: UnixMs = UnixMs(1_790_000_000_000);
const HOUR_MS: u64 = 3_600_000;
const RELAY: &[u8] = b"a relay's program";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn sha256(bytes: &[u8]) -> Digest {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    Digest(hash.as_ref().try_into().unwrap())
}

/// A developer's root, a release folder, and a certificate, as files.
struct Files {
    folder: TempDir,
    release: Vec<u8>,
}

impl Files {
    fn new() -> Self {
        let ring = KeyRing {
            root: [key(1), key(2), key(3)],
            release: [key(4), key(5)],
        };
        let mut release = Release::new(
            "stable",
            "0.1.0",
            "00112233445566778899aabbccddeeff00112233",
            "cargo build --release -p relay-vm",
            UnixMs(NOW.0 - HOUR_MS),
            NOW.plus_ms(24 * HOUR_MS),
        );
        release.measurements.software = Some(SoftwareMeasurement {
            executable_sha256: sha256(RELAY).into(),
        });
        let release = ring.sign_release(&release).unwrap();
        let folder = tempdir().unwrap();
        let root = ring.first_root(NOW.plus_ms(99 * HOUR_MS)).unwrap();
        fs::write(folder.path().join("root.json"), root).unwrap();
        fs::write(folder.path().join("release.json"), &release).unwrap();
        fs::write(folder.path().join("roundcast-relay"), RELAY).unwrap();
        Self { folder, release }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The certificate of a relay that was started from this release.
    fn certificate(&self) -> PathBuf {
        let order = Order {
            holder_key: key(7).public(),
            voucher_nonce: Digest([0x11; 32]),
            class: Text::new("small.local.1h.45gb.2026q4").unwrap(),
            channel: Text::new("stable").unwrap(),
            desk_key: key(6).public(),
            lease_ms: HOUR_MS,
            byte_cap: 45_000_000_000,
        };
        let parameters = Parameters {
            listen: Text::new("127.0.0.9:4433").unwrap(),
            rate_bps: 100_000_000,
            lease_end: NOW.plus_ms(HOUR_MS),
            byte_cap: 45_000_000_000,
            private_networks: true,
        };
        let boot: BootKey = key(9).into();
        let statement = PlatformStatement {
            executable_sha256: sha256(RELAY),
            order: certs::order::id(&order),
            parameters: certs::order::parameters_digest(&parameters),
            release: sha256(&self.release),
            boot_key: boot.public(),
            issued: NOW,
        };
        let platform = software::certify(&key(6), &statement).unwrap();
        let spki = certs::x509::spki_of_public(&key(8).public());
        let evidence = boot
            .evidence(&spki, order, parameters, platform, &self.release)
            .unwrap();
        let extension = (certs::x509::EVIDENCE_OID.to_vec(), evidence.to_extension());
        let der = certs::x509::self_signed(&key(8), vec![extension]).unwrap();
        fs::write(self.path("relay.der"), der).unwrap();
        self.path("relay.der")
    }

    fn options(&self, what: &Path, root: bool, development: bool) -> Verify {
        Verify {
            what: what.to_str().unwrap().to_owned(),
            archived: false,
            release: None,
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
}

#[test]
fn a_release_folder_is_verified_with_its_program() {
    let files = Files::new();
    let (status, json) = files.verdict(files.folder.path(), true, true);
    assert_eq!(status.exit_code(), 0, "{json}");
    assert_eq!(json["schema"], "roundcast.explanation/1");
    assert_eq!(json["kind"], "release");
    let steps = json["steps"].as_array().unwrap();
    let measured = steps.iter().find(|s| s["check"] == "measurement").unwrap();
    assert_eq!(measured["result"], "passed");
    let (status, _) = files.verdict(&files.path("release.json"), true, true);
    assert_eq!(status, Status::Verified);
}

#[test]
fn a_changed_program_and_a_changed_release_are_refused() {
    let files = Files::new();
    fs::write(files.path("roundcast-relay"), b"another program").unwrap();
    let (status, json) = files.verdict(files.folder.path(), true, true);
    assert_eq!(
        (status.exit_code(), &json["reason"]),
        (3, &json!("measurement_mismatch"))
    );
    let mut changed = files.release.clone();
    let last = changed.iter().rposition(|b| b.is_ascii_digit()).unwrap();
    changed[last] = if changed[last] == b'0' { b'1' } else { b'0' };
    fs::write(files.path("release.json"), changed).unwrap();
    let (status, _) = files.verdict(&files.path("release.json"), true, true);
    assert_eq!(status, Status::Refused);
}

#[test]
fn an_old_release_is_expired_and_without_a_root_all_is_unknown() {
    let files = Files::new();
    let options = files.options(files.folder.path(), true, true);
    let later = NOW.plus_ms(48 * HOUR_MS);
    let report = explain(&options, later).unwrap();
    assert_eq!(report.status(), Status::Expired);
    assert_eq!(report.status().exit_code(), 3);
    let (status, json) = files.verdict(files.folder.path(), false, false);
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
fn what_is_none_of_the_three_is_a_usage_error() {
    let files = Files::new();
    fs::write(files.path("notes.txt"), "hello").unwrap();
    let empty = tempdir().unwrap();
    for path in [
        files.path("absent"),
        files.path("notes.txt"),
        empty.path().to_owned(),
    ] {
        let error = explain(&files.options(&path, true, true), NOW).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn control_characters_do_not_reach_a_terminal() {
    let report = super::invite::explain("roundcast:\u{1b}[2J");
    assert!(!report.text().contains('\u{1b}'));
}
