//! A relay that does one step wrong, for each step. What a TPM does right is
//! shown with a real one, where the desk runs as a program.
#![allow(clippy::unwrap_used)]

use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256,
};
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use wire::codec::Text;
use wire::order::{Order, Parameters};
use wire::{Digest, PublicKey};

const BOOT: [u8; 16] = [7; 16];
/// `tcg-kp-EKCertificate`.
const EK_USAGE: [u64; 5] = [2, 23, 133, 8, 1];
/// The policy of the TCG's templates for endorsement keys.
const EK_POLICY: &[u8] = b"837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

/// `TPMT_PUBLIC` of a P-256 key.
fn public(attributes: u32, policy: &[u8], algorithms: &[u16], key: &KeyPair) -> Vec<u8> {
    let words = |words: &[u16]| -> Vec<u8> { words.iter().flat_map(|w| w.to_be_bytes()).collect() };
    let sized = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).unwrap();
        [&length.to_be_bytes(), bytes].concat()
    };
    let (_, point) = key.public_key_raw().split_first().unwrap();
    let (x, y) = point.split_at(32);
    [
        words(&[0x23, 0x0b]),
        attributes.to_be_bytes().to_vec(),
        sized(policy),
        words(algorithms),
        words(&[3, 0x10]),
        sized(x),
        sized(y),
    ]
    .concat()
}

fn ek_public(key: &KeyPair) -> String {
    let policy = HEXLOWER.decode(EK_POLICY).unwrap();
    HEXLOWER.encode(&public(0x0003_00b2, &policy, &[6, 128, 0x43, 0x10], key))
}

/// An attestation key; `restricted` as it has to be, or not.
fn ak_public(restricted: bool) -> String {
    let attributes = if restricted { 0x0005_0072 } else { 0x0004_0072 };
    HEXLOWER.encode(&public(attributes, &[], &[0x10, 0x18, 0x0b], &key()))
}

/// A maker of TPMs.
struct Maker {
    root: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Maker {
    fn new() -> Self {
        let key = key();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().to_vec();
        Self {
            root,
            issuer: Issuer::new(params, key),
        }
    }

    fn certificate(&self, key: &KeyPair, name: &str) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let usage = ExtendedKeyUsagePurpose::Other(EK_USAGE.to_vec());
        params.extended_key_usages.push(usage);
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        HEXLOWER.encode(certificate.der())
    }
}

/// What a relay says after the desk's first line, and after its second.
struct Relay {
    maker: Maker,
    request: Value,
    answer: Value,
}

impl Relay {
    /// All of it as it has to be, but for the secret, which no relay without
    /// the TPM knows.
    fn new() -> Self {
        let (maker, ek) = (Maker::new(), key());
        let request = json!({
            "kind": "boot_request",
            "spki": HEXLOWER.encode(&[9; 32]),
            "ek_public": ek_public(&ek),
            "ek_certificate": maker.certificate(&ek, &HEXLOWER.encode(&BOOT)),
            "ak_public": ak_public(true),
        });
        let answer = json!({ "kind": "activated", "secret": HEXLOWER.encode(&[1; 32]) });
        Self {
            maker,
            request,
            answer,
        }
    }

    /// One field of the request said otherwise.
    fn saying(field: &str, value: impl Into<Value>) -> Self {
        let mut relay = Self::new();
        let fields = relay.request.as_object_mut().unwrap();
        fields.insert(field.to_owned(), value.into());
        relay
    }

    fn answering(answer: Value) -> Self {
        Self {
            answer,
            ..Self::new()
        }
    }

    /// Certified by its maker for this key, under this name.
    fn certified(key: &KeyPair, name: &str) -> Self {
        let mut relay = Self::saying("ek_public", ek_public(key));
        let certificate = relay.maker.certificate(key, name);
        let fields = relay.request.as_object_mut().unwrap();
        fields.insert("ek_certificate".to_owned(), certificate.into());
        relay
    }

    /// How the desk ends the conversation, and what it said to the end.
    async fn meets(self) -> (LaunchFailure, Vec<String>) {
        let (ours, theirs) = duplex(64 * 1024);
        let roots = Roots::development(&[&self.maker.root], &[]).unwrap();
        let heard = tokio::spawn(speak(theirs, self.request, self.answer));
        let failure = talk(ours, &roots).await.unwrap_err();
        (failure, heard.await.unwrap())
    }
}

/// The relay's end; the lines that it heard.
async fn speak(channel: DuplexStream, request: Value, answer: Value) -> Vec<String> {
    let (from, mut to) = tokio::io::split(channel);
    let mut lines = BufReader::new(from).lines();
    let mut heard = vec![lines.next_line().await.unwrap().unwrap()];
    for said in [request, answer] {
        to.write_all(format!("{said}\n").as_bytes()).await.unwrap();
        match lines.next_line().await {
            Ok(Some(line)) => heard.push(line),
            _ => break,
        }
    }
    heard
}

async fn talk(
    channel: DuplexStream,
    roots: &Roots<Development>,
) -> Result<(SpkiHash, SocketAddr), LaunchFailure> {
    let desk = SigningKey::from_seed([3; 32]);
    let order = Order {
        holder_key: PublicKey([1; 32]),
        voucher_nonce: Digest([2; 32]),
        class: Text::new("small.local.1h.45gb.2026q4".to_owned()).unwrap(),
        channel: Text::new("stable".to_owned()).unwrap(),
        desk_key: desk.public(),
        lease_ms: 3_600_000,
        byte_cap: 45_000_000_000,
    };
    let parameters = Parameters {
        listen: Text::new("0.0.0.0:7000".to_owned()).unwrap(),
        rate_bps: 100_000_000,
        lease_end: UnixMs(1_800_000_000_000),
        byte_cap: 45_000_000_000,
        private_networks: true,
    };
    let opening = Opening {
        order: &order,
        parameters: &parameters,
        release: "{}",
        network: None,
    };
    let host = Host {
        roots,
        boot: BOOT,
        desk: &desk,
        until: parameters.lease_end,
        rng: &SystemRandom::new(),
    };
    let (from, to) = tokio::io::split(channel);
    let mut dialogue = Dialogue::new(to, BufReader::new(from), 10_000, &|_| {});
    certify(&mut dialogue, opening, &host).await
}

#[tokio::test]
async fn each_wrong_step_of_a_relay_has_its_name_and_nothing_is_vouched_for() {
    let (other, boot) = (key(), HEXLOWER.encode(&BOOT));
    let foreign = Maker::new().certificate(&other, &boot);
    let tries = [
        (Relay::saying("boot_key", "00"), "launch_protocol_error"),
        (Relay::saying("kind", "activated"), "launch_protocol_error"),
        (Relay::saying("spki", "00"), "launch_protocol_error"),
        (Relay::saying("ek_public", "x"), "launch_protocol_error"),
        (Relay::saying("ek_public", "00"), "launch_ek_refused"),
        (
            Relay::saying("ek_public", ek_public(&other)),
            "launch_ek_refused",
        ),
        (Relay::saying("ek_certificate", "00"), "launch_ek_refused"),
        (
            Relay::saying("ek_certificate", foreign),
            "launch_ek_refused",
        ),
        (
            Relay::certified(&other, "another boot"),
            "launch_ek_of_another_boot",
        ),
        (Relay::certified(&other, ""), "launch_ek_of_another_boot"),
        (Relay::saying("ak_public", "00"), "launch_ak_refused"),
        (
            Relay::saying("ak_public", ak_public(false)),
            "launch_ak_refused",
        ),
        (
            Relay::saying("ak_public", ek_public(&other)),
            "launch_ak_refused",
        ),
        (Relay::new(), "launch_activation_failed"),
        (
            Relay::answering(json!({ "kind": "activated", "secret": "" })),
            "launch_activation_failed",
        ),
        (
            Relay::answering(json!({ "kind": "ready" })),
            "launch_protocol_error",
        ),
        (Relay::answering(json!("x")), "launch_protocol_error"),
    ];
    for (number, (relay, expected)) in tries.into_iter().enumerate() {
        let (failure, heard) = relay.meets().await;
        assert_eq!(failure.reason(), expected, "try {number}");
        let vouched = heard.iter().any(|line| line.contains("platform"));
        assert!(!vouched, "try {number}: {heard:?}");
    }
}

#[tokio::test]
async fn a_relay_that_goes_away_or_says_nothing_has_ended_or_is_late() {
    let roots = Roots::development(&[], &[]).unwrap();
    let (ours, theirs) = duplex(64 * 1024);
    drop(theirs);
    assert_eq!(talk(ours, &roots).await.unwrap_err(), LaunchFailure::Ended);

    let (ours, _theirs) = duplex(64 * 1024);
    let (from, to) = tokio::io::split(ours);
    let mut dialogue = Dialogue::new(to, BufReader::new(from), 20, &|_| {});
    let late = dialogue.finish(&[], &SpkiHash([0; 32])).await;
    assert_eq!(late.unwrap_err(), LaunchFailure::Timeout);
}

#[tokio::test]
async fn a_relay_that_is_ready_with_another_key_or_at_no_port_is_refused() {
    let key = SigningKey::from_seed([5; 32]);
    let own = certs::x509::spki_of_public(&key.public());
    let certificate = HEXLOWER.encode(&certs::x509::self_signed(&key, Vec::new()).unwrap());
    for (address, spki, good) in [
        ("10.0.2.15:7000", own, true),
        ("10.0.2.15:0", own, false),
        ("10.0.2.15:7000", SpkiHash([0; 32]), false),
    ] {
        let (ours, mut theirs) = duplex(64 * 1024);
        let line = json!({ "kind": "ready", "address": address, "certificate": certificate });
        let line = format!("{line}\n");
        theirs.write_all(line.as_bytes()).await.unwrap();
        let (from, to) = tokio::io::split(ours);
        let mut dialogue = Dialogue::new(to, BufReader::new(from), 10_000, &|_| {});
        let ready = dialogue.finish(&[], &spki).await;
        assert_eq!(ready.is_ok(), good, "{address} {ready:?}");
    }
}
