//! Whatever a desk says, in whatever order.

use crate::desk::{hex, key, now, opening, software};
use attest::tpm2::{Bank, Pcrs, TpmStatement, certify};
use attest::{Evidence, EvidenceKind, QuoteDigest};
use proptest::prelude::*;
use relay_vm::boot::{Opening, Platform, Tpm, Tpm2Keys, Tpm2Platform, TpmFailed};
use relay_vm::{Booted, Conversation, Error, SoftwarePlatform, Static, Turn};
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use wire::codec::Blob;
use wire::{Digest, Encode};
use zeroize::Zeroizing;

const SECRET: [u8; 4] = [1, 2, 3, 4];
const CREDENTIAL: [u8; 3] = [9, 8, 7];

/// A device whose answers are known: it says what it was asked.
#[derive(Debug)]
struct Scripted;

impl Tpm for Scripted {
    fn keys(&self) -> Tpm2Keys {
        Tpm2Keys {
            ek_public: vec![1],
            ek_certificate: vec![2],
            ak_public: vec![3],
        }
    }

    fn activate(&mut self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, TpmFailed> {
        if credential == CREDENTIAL {
            Ok(Zeroizing::new(SECRET.to_vec()))
        } else {
            Err(TpmFailed("TPM_RC_VALUE".to_owned()))
        }
    }

    fn quote(&mut self, qualifying: &[u8; 32]) -> Result<Vec<u8>, TpmFailed> {
        Ok(qualifying.to_vec())
    }
}

fn pcrs() -> Pcrs {
    Pcrs::new(Bank::Sha256, std::array::from_fn(|_| vec![5; 32])).unwrap()
}

fn begun(platform: impl Platform + 'static) -> Conversation {
    Conversation::new(key(), Box::new(platform))
}

fn tpm() -> Conversation {
    begun(Tpm2Platform::new(Scripted, pcrs()))
}

fn process() -> Conversation {
    begun(SoftwarePlatform::new(&SystemRandom::new()).unwrap())
}

fn said(turn: Result<Turn, Error>) -> (Value, Conversation) {
    match turn.unwrap() {
        Turn::Say { line, then } => (serde_json::from_str(&line).unwrap(), *then),
        Turn::Booted(_) => panic!("booted too early"),
    }
}

fn booted(turn: Result<Turn, Error>) -> Booted {
    match turn.unwrap() {
        Turn::Booted(booted) => *booted,
        Turn::Say { line, .. } => panic!("asks for more: {line}"),
    }
}

fn evidence(booted: &Booted) -> Evidence {
    let der = &booted.identity.certificate;
    let extension = certs::x509::extension(der, certs::x509::EVIDENCE_OID)
        .unwrap()
        .unwrap();
    Evidence::from_extension(&extension).unwrap()
}

fn credential() -> String {
    json!({"credential": hex(&CREDENTIAL)}).to_string()
}

fn statement(opening: &Opening) -> String {
    let statement = TpmStatement {
        ak_public: Blob::new(vec![3]).unwrap(),
        ek_certificate_digest: Digest([0; 32]),
        boot: [0; 16],
        order: certs::order::id(&opening.order),
        parameters_digest: certs::order::parameters_digest(&opening.parameters),
        release_digest: Digest([0; 32]),
        issued: now(),
        until: opening.parameters.lease_end,
    };
    let signed = certify(&key(), &statement).unwrap();
    json!({"platform": hex(&signed.to_bytes())}).to_string()
}

#[test]
fn a_process_boots_in_two_lines() {
    let desk = key();
    let opening = opening(&desk);
    let (request, then) = said(process().hear(&opening.line().unwrap()));
    assert_eq!(request["kind"], "boot_request");
    assert!(request.get("ak_public").is_none());
    let booted = booted(then.hear(&software(&desk, &opening, &request.to_string())));
    assert_eq!(booted.order_id, certs::order::id(&opening.order));
    assert_eq!(evidence(&booted).kind(), EvidenceKind::Software);
}

#[test]
fn a_machine_activates_a_credential_before_it_is_vouched_for() {
    let opening = opening(&key());
    let (request, then) = said(tpm().hear(&opening.line().unwrap()));
    assert_eq!(request["kind"], "boot_request");
    assert_eq!(request["ek_public"], "01");
    assert_eq!(request["ek_certificate"], "02");
    assert_eq!(request["ak_public"], "03");
    assert!(request.get("boot_key").is_none());
    let (activated, then) = said(then.hear(&credential()));
    assert_eq!(activated["kind"], "activated");
    assert_eq!(activated["secret"], hex(&SECRET));
    let booted = booted(then.hear(&statement(&opening)));
    let Evidence::Tpm2(evidence) = evidence(&booted) else {
        panic!("another kind of evidence");
    };
    let digest = QuoteDigest::boot(
        &booted.binding.spki,
        &booted.binding.order,
        &booted.binding.parameters,
    );
    assert_eq!(&evidence.boot_quote[..], digest.as_bytes());
    assert_eq!(evidence.pcrs, pcrs());
    assert_eq!(&evidence.release[..], opening.release.as_bytes());
    assert_eq!(booted.quoter.quote(&digest).unwrap(), digest.as_bytes());
}

#[test]
fn a_credential_for_another_machine_ends_the_boot() {
    let opening = opening(&key());
    let (_, then) = said(tpm().hear(&opening.line().unwrap()));
    let line = json!({"credential": hex(&[0; 3])}).to_string();
    assert_eq!(then.hear(&line).unwrap_err().reason(), "platform_failed");
    let (_, then) = said(tpm().hear(&opening.line().unwrap()));
    let line = json!({"credential": hex(&[0; 1025])}).to_string();
    assert_eq!(then.hear(&line).unwrap_err().reason(), "boot_protocol");
}

#[test]
fn no_line_is_taken_out_of_turn() {
    let desk = key();
    let opening = opening(&desk);
    let first = opening.line().unwrap();
    let lines = [first.clone(), credential(), statement(&opening)];
    let expected_after = |heard: usize, begin: fn() -> Conversation, line: &str| {
        let mut conversation = begin();
        for line in lines.iter().take(heard) {
            conversation = said(conversation.hear(line)).1;
        }
        conversation.hear(line).is_ok()
    };
    for (position, line) in lines.iter().enumerate() {
        for heard in 0..lines.len() {
            let taken = expected_after(heard, tpm, line);
            assert_eq!(taken, heard == position, "line {position} after {heard}");
        }
    }
    assert!(!expected_after(1, process, &credential()));
}

#[test]
fn the_first_line_is_read_strictly() {
    let good: Value = serde_json::from_str(&opening(&key()).line().unwrap()).unwrap();
    for (name, value) in [
        ("schema", json!("roundcast.boot/2")),
        ("order", json!("")),
        ("order", json!("zz")),
        ("parameters", json!(1)),
        ("extra", json!(1)),
        ("network", json!({"address": "10.0.0.1"})),
        (
            "network",
            json!({"address": "10.0.0.1/24", "dns": "10.0.0.2"}),
        ),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        let refused = Opening::parse(&bad.to_string()).unwrap_err();
        assert_eq!(refused.reason(), "boot_protocol", "{bad}");
    }
    let text = good.to_string();
    let twice = text.replacen('{', "{\"schema\":\"roundcast.boot/1\",", 1);
    assert!(Opening::parse(&twice).is_err(), "a name twice");
    assert!(
        Opening::parse(&format!("{text}{text}")).is_err(),
        "two objects"
    );
    assert!(Opening::parse(&format!("{text}{}", " ".repeat(1 << 18))).is_err());
}

proptest! {
    #[test]
    fn an_opening_says_the_same_after_a_line(
        release in ".{0,200}", a in any::<u8>(), prefix in 1u8..=32, way in any::<bool>()
    ) {
        let gateway = way.then_some("10.0.0.1");
        let address = format!("10.0.{a}.2/{prefix}");
        let opening = Opening {
            release,
            network: Some(Static::parse(&address, gateway).unwrap()),
            ..opening(&key())
        };
        let line = opening.line().unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(Opening::parse(&line).unwrap(), opening);
    }

    #[test]
    fn no_line_makes_a_boot_panic_or_succeed(line in ".{0,300}", heard in 0usize..3) {
        let opening = opening(&key());
        let mut conversation = tpm();
        for line in [opening.line().unwrap(), credential()].iter().take(heard) {
            conversation = said(conversation.hear(line)).1;
        }
        prop_assert!(conversation.hear(&line).is_err());
    }

    #[test]
    fn every_shortened_line_is_refused(cut in any::<prop::sample::Index>()) {
        let line = opening(&key()).line().unwrap();
        let length = cut.index(line.len());
        prop_assert!(tpm().hear(&line[..length]).is_err());
    }
}
