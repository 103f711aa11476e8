//! Endorsement keys, their certificates, credentials, and the verdict that
//! each must get.

use super::authority::{AIK_PURPOSE, Authority, EK_PURPOSE, Key, leaf};
use super::tpm::{AK_ATTRIBUTES, public, sized};
use super::{HOUR_MS, NOW};
use rcgen::CertificateParams;
use wire::UnixMs;

/// `TPM2_PolicySecret(TPM_RH_ENDORSEMENT)`, as template L-2 has it.
const EK_POLICY: [u8; 32] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
    0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
];
/// fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted,
/// decrypt.
const EK_ATTRIBUTES: u32 = 0x0003_00b2;

/// The maker of TPMs that the verifier trusts.
pub fn maker() -> Authority {
    Authority::root(70, NOW)
}

fn ek() -> Key {
    Key::new(71)
}

/// `TPMT_PUBLIC` after template L-2.
fn ek_public(point: &[u8], attributes: u32) -> Vec<u8> {
    let words = |words: &[u16]| -> Vec<u8> { words.iter().flat_map(|w| w.to_be_bytes()).collect() };
    [
        words(&[0x23, 0x0b]),
        attributes.to_be_bytes().to_vec(),
        sized(&EK_POLICY),
        words(&[6, 128, 0x43, 0x10, 3, 0x10]),
        sized(&point[1..33]),
        sized(&point[33..]),
    ]
    .concat()
}

/// One certificate and the key that it is shown with.
pub struct CertificateCase {
    pub name: &'static str,
    pub certificate: Vec<u8>,
    pub ek_public: Vec<u8>,
    /// None: the key is in a TPM of the maker.
    pub reason: Option<&'static str>,
}

fn certificate(
    name: &'static str,
    reason: impl Into<Option<&'static str>>,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateCase {
    let mut params = leaf("a TPM", NOW, &[EK_PURPOSE]);
    change(&mut params);
    CertificateCase {
        name,
        certificate: maker().certify(&ek(), &params),
        ek_public: ek_public(ek().point(), EK_ATTRIBUTES),
        reason: reason.into(),
    }
}

/// Every verdict about an endorsement key.
pub fn certificates() -> Vec<CertificateCase> {
    let day_ms = 24 * HOUR_MS;
    let at = |at: UnixMs| move |p: &mut CertificateParams| *p = leaf("a TPM", at, &[EK_PURPOSE]);
    let genuine = || certificate("genuine", None, |_| ());
    let cut = genuine().certificate;
    vec![
        genuine(),
        CertificateCase {
            certificate: cut[..cut.len() - 1].to_vec(),
            ..certificate("cut short", "ek_certificate_malformed", |_| ())
        },
        certificate(
            "for attestation keys",
            "ek_certificate_unsuitable",
            |params| *params = leaf("a TPM", NOW, &[AIK_PURPOSE]),
        ),
        certificate("for no purpose", "ek_certificate_unsuitable", |params| {
            *params = leaf("a TPM", NOW, &[]);
        }),
        certificate(
            "of the day before",
            "ek_certificate_expired",
            at(UnixMs(NOW.0 - day_ms)),
        ),
        certificate(
            "of the day after",
            "ek_certificate_expired",
            at(NOW.plus_ms(day_ms)),
        ),
        CertificateCase {
            certificate: Authority::root(72, NOW)
                .certify(&ek(), &leaf("a TPM", NOW, &[EK_PURPOSE])),
            ..certificate("of another maker", "ek_issuer_unknown", |_| ())
        },
        CertificateCase {
            ek_public: ek_public(Key::new(73).point(), EK_ATTRIBUTES),
            ..certificate("of another key", "ek_key_mismatch", |_| ())
        },
        CertificateCase {
            // Without `restricted` it decrypts for anybody.
            ek_public: ek_public(ek().point(), EK_ATTRIBUTES & !(1 << 16)),
            ..certificate("key of another template", "ek_unsuitable", |_| ())
        },
        CertificateCase {
            ek_public: vec![0, 0x23],
            ..certificate("key cut short", "tpm_public_malformed", |_| ())
        },
    ]
}

/// One endorsement key that a secret is sent to, and what came back.
pub struct CredentialCase {
    pub name: &'static str,
    pub ek_public: Vec<u8>,
    pub ak_public: Vec<u8>,
    pub answer: Vec<u8>,
    pub reason: &'static str,
}

/// Refusals alone: what a TPM would answer is new each time.
pub fn credentials() -> Vec<CredentialCase> {
    let case = |name, reason, point: &[u8]| CredentialCase {
        name,
        ek_public: ek_public(point, EK_ATTRIBUTES),
        ak_public: public(Key::new(40).point(), AK_ATTRIBUTES),
        answer: vec![0x5a; 32],
        reason,
    };
    vec![
        case("a guessed answer", "credential_answer_wrong", ek().point()),
        case("off the curve", "credential_impossible", &[4; 65]),
    ]
}
