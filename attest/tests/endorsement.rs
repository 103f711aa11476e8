//! Certificates of endorsement keys, from a maker of our own: what each of
//! them must say, and how the refusal is named when it does not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use attest::tpm2::credential::{CREDENTIAL_BYTES_MAX, Challenge};
use attest::tpm2::ek::{Development, EK_CERTIFICATE_BYTES_MAX, ROOTS_MAX, Roots, verify};
use attest::tpm2::public::{AkPublic, EkPublic};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use ring::rand::{SecureRandom, SystemRandom};
use wire::UnixMs;

/// In 2027, within every certificate below unless it says otherwise.
const NOW: UnixMs = UnixMs(1_800_000_000_000);
/// `tcg-kp-EKCertificate`.
const EK_USAGE: &[u64] = &[2, 23, 133, 8, 1];

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2035, 1, 1);
    params
}

fn usage(oid: &[u64]) -> ExtendedKeyUsagePurpose {
    ExtendedKeyUsagePurpose::Other(oid.to_vec())
}

/// `TPMT_PUBLIC` of a P-256 key whose point is `key`'s, or zeros.
fn public(attributes: u32, policy: &[u8], algorithms: &[u16], key: Option<&KeyPair>) -> Vec<u8> {
    let words = |words: &[u16]| -> Vec<u8> { words.iter().flat_map(|w| w.to_be_bytes()).collect() };
    let sized = |bytes: &[u8]| {
        let len = u16::try_from(bytes.len()).unwrap();
        [&len.to_be_bytes(), bytes].concat()
    };
    let point = key.map_or_else(|| vec![0; 65], |key| key.public_key_raw().to_vec());
    [
        words(&[0x23, 0x0b]),
        attributes.to_be_bytes().to_vec(),
        sized(policy),
        words(algorithms),
        words(&[3, 0x10]),
        sized(&point[1..33]),
        sized(&point[33..]),
    ]
    .concat()
}

/// Template L-2 with this key.
fn ek_public(key: Option<&KeyPair>) -> Vec<u8> {
    let policy = data_encoding::HEXLOWER
        .decode(b"837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
        .unwrap();
    public(0x0003_00b2, &policy, &[6, 128, 0x43, 0x10], key)
}

struct Maker {
    root: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Maker {
    fn new() -> Self {
        let key = key();
        let mut params = params();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            root: params.self_signed(&key).unwrap().der().to_vec(),
            issuer: Issuer::new(params, key),
        }
    }

    fn roots(&self) -> Roots<Development> {
        Roots::development(&[&self.root], &[]).unwrap()
    }

    fn certify(&self, key: &KeyPair, params: &CertificateParams) -> Vec<u8> {
        params.signed_by(key, &self.issuer).unwrap().der().to_vec()
    }
}

/// What a certificate of these parameters is refused for.
fn refusal(change: impl FnOnce(&mut CertificateParams)) -> Option<&'static str> {
    let (maker, key) = (Maker::new(), key());
    let mut params = params();
    params.extended_key_usages = vec![usage(EK_USAGE)];
    change(&mut params);
    let certificate = maker.certify(&key, &params);
    verify(&certificate, &ek_public(Some(&key)), &maker.roots(), NOW)
        .err()
        .map(|error| error.reason())
}

#[test]
fn a_certificate_of_the_right_kind_is_accepted() {
    assert_eq!(refusal(|_| {}), None);
    // Another purpose beside it does no harm.
    let two = |p: &mut CertificateParams| p.extended_key_usages.push(usage(&[2, 23, 133, 8, 3]));
    assert_eq!(refusal(two), None);
}

#[test]
fn a_certificate_that_is_not_for_endorsement_keys_is_refused() {
    let set = |usages: Vec<ExtendedKeyUsagePurpose>| {
        refusal(|params| params.extended_key_usages = usages)
    };
    for usages in [
        vec![],
        vec![ExtendedKeyUsagePurpose::ServerAuth],
        vec![ExtendedKeyUsagePurpose::Any],
        vec![ExtendedKeyUsagePurpose::Any, usage(EK_USAGE)],
        // That of attestation keys.
        vec![usage(&[2, 23, 133, 8, 3])],
    ] {
        assert_eq!(
            set(usages.clone()),
            Some("ek_certificate_unsuitable"),
            "{usages:?}"
        );
    }
    assert_eq!(
        refusal(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        Some("ek_certificate_unsuitable")
    );
}

#[test]
fn a_certificate_out_of_its_time_is_refused() {
    assert_eq!(
        refusal(|params| params.not_after = date_time_ymd(2026, 1, 1)),
        Some("ek_certificate_expired")
    );
    assert_eq!(
        refusal(|params| params.not_before = date_time_ymd(2030, 1, 1)),
        Some("ek_certificate_expired")
    );
}

#[test]
fn a_stranger_s_signature_and_another_key_are_refused() {
    let (maker, stranger, key, other) = (Maker::new(), Maker::new(), key(), key());
    let mut params = params();
    params.extended_key_usages = vec![usage(EK_USAGE)];
    let genuine = maker.certify(&key, &params);
    let forged = stranger.certify(&key, &params);
    let own = params.self_signed(&key).unwrap().der().to_vec();
    let check = |certificate: &[u8], key: &KeyPair| {
        verify(certificate, &ek_public(Some(key)), &maker.roots(), NOW)
            .map(|_| ())
            .map_err(|error| error.reason())
    };
    assert_eq!(check(&genuine, &key), Ok(()));
    assert_eq!(check(&genuine, &other), Err("ek_key_mismatch"));
    assert_eq!(check(&forged, &key), Err("ek_issuer_unknown"));
    assert_eq!(check(&own, &key), Err("ek_issuer_unknown"));
    let nobody = Roots::development(&[], &[]).unwrap();
    let refused = verify(&genuine, &ek_public(Some(&key)), &nobody, NOW);
    assert_eq!(refused.unwrap_err().reason(), "ek_issuer_unknown");
}

/// What an EK's certificate is refused for, whose signer was certified thus.
fn refusal_under(is_ca: IsCa) -> Option<&'static str> {
    let (maker, middle, key) = (Maker::new(), key(), key());
    let mut between = params();
    between
        .distinguished_name
        .push(DnType::CommonName, "between");
    between.is_ca = is_ca;
    let between_der = maker.certify(&middle, &between);
    let mut leaf = params();
    leaf.extended_key_usages = vec![usage(EK_USAGE)];
    let leaf = leaf.signed_by(&key, &Issuer::new(between, middle)).unwrap();
    let roots = Roots::development(&[&maker.root], &[&between_der]).unwrap();
    verify(leaf.der(), &ek_public(Some(&key)), &roots, NOW)
        .err()
        .map(|error| error.reason())
}

#[test]
fn only_an_authority_may_stand_between_a_root_and_a_key() {
    assert_eq!(
        refusal_under(IsCa::Ca(BasicConstraints::Unconstrained)),
        None
    );
    assert_eq!(refusal_under(IsCa::ExplicitNoCa), Some("ek_issuer_unknown"));
}

#[test]
fn a_truncated_lengthened_or_oversized_certificate_is_malformed() {
    let (maker, key) = (Maker::new(), key());
    let mut params = params();
    params.extended_key_usages = vec![usage(EK_USAGE)];
    let genuine = maker.certify(&key, &params);
    let check = |certificate: &[u8]| {
        verify(certificate, &ek_public(Some(&key)), &maker.roots(), NOW)
            .unwrap_err()
            .reason()
    };
    for len in 0..genuine.len() {
        assert_eq!(check(&genuine[..len]), "ek_certificate_malformed", "{len}");
    }
    let trailing = [&genuine[..], &[0]].concat();
    assert_eq!(check(&trailing), "ek_certificate_malformed");
    let huge = vec![0x30; EK_CERTIFICATE_BYTES_MAX + 1];
    assert_eq!(check(&huge), "ek_certificate_malformed");
}

#[test]
fn a_list_of_roots_is_bounded_and_holds_certificates() {
    let root = Maker::new().root;
    let many = vec![root.as_slice(); ROOTS_MAX + 1];
    for refused in [
        Roots::development(&many, &[]),
        Roots::development(&[], &many),
        Roots::development(&[&[1, 2, 3]], &[]),
    ] {
        assert_eq!(refused.unwrap_err().reason(), "ek_certificate_malformed");
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    root: String,
    authority: String,
    certificate: String,
    ek_public: String,
}

/// Of others' making: RSA throughout, a critical name of the TPM, an
/// authority between.
#[test]
fn an_emulated_tpm_s_stored_certificate_is_verified() {
    let vector: Vector = serde_json::from_str(include_str!("../vectors/endorsement.json")).unwrap();
    let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
    let (root, authority) = (hex(&vector.root), hex(&vector.authority));
    let (certificate, public) = (hex(&vector.certificate), hex(&vector.ek_public));
    let check = |roots: &[&[u8]], between: &[&[u8]]| {
        let roots = Roots::development(roots, between).unwrap();
        verify(&certificate, &public, &roots, NOW)
            .map(|endorsed| endorsed.public().clone())
            .map_err(|error| error.reason())
    };
    let ek = check(&[&root], &[&authority]).unwrap();
    assert_eq!(ek, check(&[&authority], &[]).unwrap());
    assert_eq!(check(&[&root], &[]), Err("ek_issuer_unknown"));
    let (_, credential) = Challenge::new(&ek, &ak(), &SystemRandom::new()).unwrap();
    assert_eq!(credential.len(), CREDENTIAL_BYTES_MAX);
}

fn ak() -> AkPublic {
    AkPublic::parse(&public(0x0005_0072, &[], &[0x10, 0x18, 0x0b], Some(&key()))).unwrap()
}

#[test]
fn nothing_is_encrypted_to_a_point_off_the_curve() {
    let ek = EkPublic::parse(&ek_public(None)).unwrap();
    let refused = Challenge::new(&ek, &ak(), &SystemRandom::new());
    assert_eq!(refused.unwrap_err().reason(), "credential_impossible");
}

#[test]
fn a_challenge_takes_its_own_secret_alone_and_prints_nothing() {
    let ek = EkPublic::parse(&ek_public(Some(&key()))).unwrap();
    let new = || Challenge::new(&ek, &ak(), &SystemRandom::new()).unwrap();
    assert_eq!(format!("{:?}", new().0), "[redacted]");
    let (_, credential) = new();
    assert!(credential.len() <= CREDENTIAL_BYTES_MAX);
    assert_ne!(credential, new().1);
    let mut guess = [0; 32];
    SystemRandom::new().fill(&mut guess).unwrap();
    for answer in [&[][..], &guess, &guess[..31], &[0; 32], &[0; 33]] {
        let refused = new().0.check(answer).unwrap_err();
        assert_eq!(refused.reason(), "credential_answer_wrong");
    }
}
