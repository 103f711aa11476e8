//! Against a real TPM 2.0 in software: who it is, what it activates, what it
//! quotes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use attest::tpm2::credential::{Challenge, make};
use attest::tpm2::ek::{Development, Pinned, Roots, verify};
use attest::tpm2::public::{AkPublic, EkKey, EkPublic};
use common::{Emulator, Maker, installed, now};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use tpm::{Ak, Ek, PCRS};
use wire::{Digest, UnixMs};

fn roots(maker: &Maker) -> Roots<Development> {
    Roots::development(&[&maker.root()], &[&maker.authority()]).unwrap()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap()
}

#[test]
fn an_endorsement_key_is_verified_up_to_its_maker_and_to_no_other() {
    if !installed() {
        return;
    }
    let (maker, other) = (Maker::new(), Maker::new());
    let (ours, theirs) = (maker.tpm(), other.tpm());
    let ek = Ek::load(&ours.device()).unwrap();
    let foreign = Ek::load(&theirs.device()).unwrap();
    let check = |certificate: &[u8], public: &[u8], at| {
        verify(certificate, public, &roots(&maker), at).map_err(|error| error.reason())
    };

    let endorsed = check(ek.certificate(), ek.public(), now()).unwrap();
    assert_eq!(
        endorsed.certificate_digest(),
        &Digest(sha256(ek.certificate()))
    );
    assert!(matches!(endorsed.public().key(), EkKey::Rsa2048(_)));
    assert_eq!(
        check(foreign.certificate(), foreign.public(), now()),
        Err("ek_issuer_unknown")
    );
    assert_eq!(
        check(ek.certificate(), foreign.public(), now()),
        Err("ek_key_mismatch")
    );
    assert_eq!(
        check(ek.certificate(), ek.public(), UnixMs(1)),
        Err("ek_certificate_expired")
    );

    // The same roots, named by fingerprint.
    let root = maker.root();
    let pinned = Roots::<Pinned>::pinned(&[&root], &[&maker.authority()], &[Digest(sha256(&root))]);
    verify(ek.certificate(), ek.public(), &pinned.unwrap(), now()).unwrap();
    let unnamed = Roots::<Pinned>::pinned(&[&root], &[], &[Digest([0; 32])]);
    assert_eq!(unnamed.unwrap_err().reason(), "ek_issuer_unknown");
}

#[test]
fn every_altered_byte_of_the_certificate_is_refused() {
    if !installed() {
        return;
    }
    let maker = Maker::new();
    let emulator = maker.tpm();
    let ek = Ek::load(&emulator.device()).unwrap();
    let roots = roots(&maker);
    for at in 0..ek.certificate().len() {
        let mut altered = ek.certificate().to_vec();
        altered[at] ^= 1;
        assert!(
            verify(&altered, ek.public(), &roots, now()).is_err(),
            "byte {at}"
        );
    }
}

#[test]
fn only_the_tpm_with_both_keys_opens_a_credential() {
    if !installed() {
        return;
    }
    let maker = Maker::new();
    let (emulator, second) = (maker.tpm(), maker.tpm());
    let (device, elsewhere) = (emulator.device(), second.device());
    let ek = Ek::load(&device).unwrap();
    let ak = Ak::create(&device).unwrap();
    let ek_public = EkPublic::parse(ek.public()).unwrap();
    let ak_public = AkPublic::parse(ak.public()).unwrap();
    let rng = SystemRandom::new();

    let (challenge, credential) = Challenge::new(&ek_public, &ak_public, &rng).unwrap();
    let secret = ek.activate(&ak, &credential).unwrap();
    challenge.check(&secret).unwrap();
    let (another, _) = Challenge::new(&ek_public, &ak_public, &rng).unwrap();
    assert_eq!(
        another.check(&secret).unwrap_err().reason(),
        "credential_answer_wrong"
    );

    // Another key of the same TPM, and the right names in another TPM.
    let sibling = Ak::create(&device).unwrap();
    assert_ne!(sibling.public(), ak.public());
    assert_eq!(
        ek.activate(&sibling, &credential).unwrap_err().reason(),
        "credential_foreign"
    );
    drop(sibling);
    let foreign_ek = Ek::load(&elsewhere).unwrap();
    let foreign_ak = Ak::create(&elsewhere).unwrap();
    assert_eq!(
        foreign_ek
            .activate(&foreign_ak, &credential)
            .unwrap_err()
            .reason(),
        "credential_foreign"
    );
    // For this EK, naming a key that is not in its TPM.
    let named = AkPublic::parse(foreign_ak.public()).unwrap();
    let crossed = make(&ek_public, named.name(), &[7; 32], &rng).unwrap();
    assert_eq!(
        ek.activate(&ak, &crossed).unwrap_err().reason(),
        "credential_foreign"
    );
}

#[test]
fn an_altered_credential_is_refused_and_the_tpm_goes_on() {
    if !installed() {
        return;
    }
    let maker = Maker::new();
    let emulator = maker.tpm();
    let device = emulator.device();
    let ek = Ek::load(&device).unwrap();
    let ak = Ak::create(&device).unwrap();
    let ek_public = EkPublic::parse(ek.public()).unwrap();
    let ak_public = AkPublic::parse(ak.public()).unwrap();
    let rng = SystemRandom::new();
    let (challenge, credential) = Challenge::new(&ek_public, &ak_public, &rng).unwrap();
    // One byte of each part: lengths, code, cipher text, seed. The sessions
    // of the refused attempts must not pile up: a TPM has few.
    for at in (0..credential.len()).step_by(7) {
        let mut altered = credential.clone();
        altered[at] ^= 0x40;
        let refused = ek.activate(&ak, &altered).unwrap_err().reason();
        assert!(
            ["credential_foreign", "credential_malformed"].contains(&refused),
            "byte {at}: {refused}"
        );
    }
    for len in [0, 1, 70, credential.len() - 1] {
        assert_eq!(
            ek.activate(&ak, &credential[..len]).unwrap_err().reason(),
            "credential_malformed",
            "{len} bytes"
        );
    }
    let trailing = [&credential[..], &[0]].concat();
    assert_eq!(
        ek.activate(&ak, &trailing).unwrap_err().reason(),
        "credential_malformed"
    );
    challenge
        .check(&ek.activate(&ak, &credential).unwrap())
        .unwrap();
}

#[test]
fn a_tpm_with_a_certificate_for_p256_activates_with_that_key() {
    if !installed() {
        return;
    }
    let emulator = Emulator::blank();
    let certificate = [&[0x30, 0x82, 0x02, 0x00][..], &[5; 512]].concat();
    emulator.store(0x01c0_000a, &certificate);
    let device = emulator.device();
    let ek = Ek::load(&device).unwrap();
    assert_eq!(ek.certificate(), certificate);
    let ak = Ak::create(&device).unwrap();
    let ek_public = EkPublic::parse(ek.public()).unwrap();
    assert!(matches!(ek_public.key(), EkKey::P256(_)));
    let ak_public = AkPublic::parse(ak.public()).unwrap();
    let rng = SystemRandom::new();
    let (challenge, credential) = Challenge::new(&ek_public, &ak_public, &rng).unwrap();
    challenge
        .check(&ek.activate(&ak, &credential).unwrap())
        .unwrap();
}

#[test]
fn a_tpm_without_a_certificate_and_one_with_rubbish_are_named() {
    if !installed() {
        return;
    }
    let emulator = Emulator::blank();
    assert_eq!(
        Ek::load(&emulator.device()).unwrap_err().reason(),
        "certificate_missing"
    );
    emulator.store(0x01c0_0002, &[0x41; 40]);
    assert_eq!(
        Ek::load(&emulator.device()).unwrap_err().reason(),
        "certificate_malformed"
    );
}

/// Takes a quote apart by hand, apart from the verifier's own parser.
struct Quoted<'a> {
    statement: &'a [u8],
    signature: [u8; 64],
}

impl<'a> Quoted<'a> {
    fn of(quote: &'a [u8]) -> Self {
        let len = usize::from(u16::from_be_bytes([quote[0], quote[1]]));
        let (statement, rest) = quote[2..].split_at(len);
        assert_eq!(rest.len(), 4 + 2 * 34);
        assert_eq!(rest[..6], [0, 0x18, 0, 0x0b, 0, 32], "ECDSA, SHA-256");
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&rest[6..38]);
        assert_eq!(rest[38..40], [0, 32]);
        signature[32..].copy_from_slice(&rest[40..]);
        Self {
            statement,
            signature,
        }
    }
}

#[test]
fn a_quote_is_the_tpm_s_word_on_exactly_these_registers_and_this_nonce() {
    if !installed() {
        return;
    }
    let emulator = Emulator::blank();
    let extended = format!("9:sha256={}", "ab".repeat(32));
    emulator.tool(&["tpm2_pcrextend", &extended]);
    let device = emulator.device();
    let ak = Ak::create(&device).unwrap();
    let public = AkPublic::parse(ak.public()).unwrap();
    let pcrs = device.pcrs().unwrap();
    assert_eq!(pcrs[0], [0; 32]);
    assert_eq!(pcrs[2], sha256(&[[0; 32], [0xab; 32]].concat()));

    let point = public.point().to_uncompressed();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    // Among 300 signatures two or three have a half with a leading zero.
    for n in 0..300u16 {
        let nonce = sha256(&n.to_be_bytes());
        let quote = ak.quote(&nonce).unwrap();
        let quoted = Quoted::of(&quote);
        key.verify(quoted.statement, &quoted.signature).unwrap();
        let s = quoted.statement;
        assert_eq!(s[..6], [0xff, 0x54, 0x43, 0x47, 0x80, 0x18]);
        let signer = usize::from(u16::from_be_bytes([s[6], s[7]]));
        let s = &s[8 + signer..];
        assert_eq!(s[..2], [0, 32]);
        assert_eq!(s[2..34], nonce);
        // Clock, counters, safe and firmware are 25 bytes.
        let s = &s[34 + 25..];
        assert_eq!(s[..10], [0, 0, 0, 1, 0, 0x0b, 3, 0x90, 0x3a, 0]);
        assert_eq!(s[10..12], [0, 32]);
        assert_eq!(s[12..], sha256(&pcrs.concat()));
    }
    assert_eq!(PCRS, [4, 7, 9, 11, 12, 13]);
}

#[test]
fn threads_share_one_key_and_each_gets_its_own_quote() {
    if !installed() {
        return;
    }
    let emulator = Emulator::blank();
    let ak = Ak::create(&emulator.device()).unwrap();
    std::thread::scope(|scope| {
        for n in 0..4u8 {
            let ak = &ak;
            scope.spawn(move || {
                for m in 0..20u8 {
                    let nonce = [n.wrapping_mul(20).wrapping_add(m); 32];
                    let quote = ak.quote(&nonce).unwrap();
                    let statement = Quoted::of(&quote).statement;
                    assert!(statement.windows(32).any(|window| window == nonce));
                }
            });
        }
    });
}

#[test]
fn keys_and_sessions_give_their_places_back() {
    if !installed() {
        return;
    }
    let maker = Maker::new();
    let emulator = maker.tpm();
    let device = emulator.device();
    // The emulator has three places for keys: a fourth round would find none.
    for _ in 0..5 {
        let _ek = Ek::load(&device).unwrap();
        let _ak = Ak::create(&device).unwrap();
    }
}

#[test]
fn random_bytes_come_in_the_length_that_was_asked_for() {
    if !installed() {
        return;
    }
    let emulator = Emulator::blank();
    let device = emulator.device();
    let (mut one, mut two) = ([0; 75], [0; 75]);
    device.random(&mut one).unwrap();
    device.random(&mut two).unwrap();
    assert_ne!(one, two);
    assert_ne!(one[64..], [0; 11]);
}
