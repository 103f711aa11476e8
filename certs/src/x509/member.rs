//! Membership certificates: path validation by webpki, with the run's CA key
//! as the only anchor.

use super::CA_NAME;
use super::inspect::{key_of, parse, signed_by, spki_der, spki_of_public};
use crate::hash::sha256;
use crate::{Error, Verified};
use pki_types::{CertificateDer, Der, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter};
use wire::{PublicKey, SpkiHash, UnixMs};

/// `id-kp-serverAuth` and `id-kp-clientAuth` (RFC 5280 section 4.2.1.12).
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// Whom a membership certificate admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The member.
    pub spki: SpkiHash,
    /// The certificate's serial, big-endian, as encoded.
    pub serial: Vec<u8>,
    /// When the membership ends.
    pub not_after: UnixMs,
}

/// Checks a membership certificate against the CA key that the run statement
/// names. No CA certificate is needed: every stream CA has the same name, and
/// its key is the anchor.
///
/// # Errors
/// The `certificate_*` errors.
pub fn verify_member(
    der: &[u8],
    ca_key: &PublicKey,
    now: UnixMs,
) -> Result<Verified<Member>, Error> {
    let certificate = parse(der)?;
    let key = key_of(&certificate)?;
    let (subject, spki) = (ca_subject(), spki_der(ca_key));
    let anchors = [TrustAnchor {
        subject: Der::from_slice(&subject),
        // webpki wants the content of the outer SEQUENCE.
        subject_public_key_info: Der::from_slice(spki.get(2..).unwrap_or_default()),
        name_constraints: None,
    }];
    let leaf_der = CertificateDer::from(der);
    let leaf = EndEntityCert::try_from(&leaf_der).map_err(|error| refusal(&error))?;
    leaf.verify_for_usage(
        &[webpki::ring::ED25519],
        &anchors,
        &[],
        UnixTime::since_unix_epoch(Duration::from_millis(now.0)),
        BothEnds,
        None,
        None,
    )
    .map_err(|error| refusal(&error))?;
    let not_after_s = u64::try_from(certificate.validity().not_after.timestamp());
    let member = Member {
        spki: spki_of_public(&key),
        serial: certificate.raw_serial().to_vec(),
        not_after: UnixMs(not_after_s.unwrap_or(0).saturating_mul(1000)),
    };
    Ok(Verified::new(member, sha256(&[der])))
}

/// Checks the CA certificate that a coordinator hands out with an admission:
/// it must carry the key that the run statement names, and be valid now.
///
/// # Errors
/// `certificate_ca_mismatch`, `certificate_malformed`,
/// `certificate_signature_invalid`, `certificate_expired`,
/// `certificate_not_yet_valid`.
pub fn verify_ca(der: &[u8], ca_key: &PublicKey, now: UnixMs) -> Result<(), Error> {
    let certificate = parse(der)?;
    if key_of(&certificate)? != *ca_key || !certificate.is_ca() {
        return Err(Error::CertificateCaMismatch);
    }
    signed_by(&certificate, ca_key)?;
    let now_s = i64::try_from(now.0 / 1000).unwrap_or(i64::MAX);
    if now_s < certificate.validity().not_before.timestamp() {
        return Err(Error::CertificateNotYetValid);
    }
    if now_s > certificate.validity().not_after.timestamp() {
        return Err(Error::CertificateExpired);
    }
    Ok(())
}

/// The content of the CA's distinguished name: one common name, UTF-8.
fn ca_subject() -> Vec<u8> {
    // All lengths are under 128, so that one byte holds each.
    let text_len = CA_NAME.len() as u8;
    let mut out = vec![0x31, text_len + 9, 0x30, text_len + 7];
    out.extend_from_slice(&[0x06, 3, 0x55, 4, 3, 0x0c, text_len]);
    out.extend_from_slice(CA_NAME.as_bytes());
    out
}

/// A member's certificate serves both ends of a link.
struct BothEnds;

impl ExtendedKeyUsageValidator for BothEnds {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let (mut server, mut client) = (false, false);
        for purpose in purposes {
            let purpose = purpose?;
            server |= purpose == KeyPurposeId::new(SERVER_AUTH);
            client |= purpose == KeyPurposeId::new(CLIENT_AUTH);
        }
        if server && client {
            Ok(())
        } else {
            Err(webpki::Error::EmptyEkuExtension)
        }
    }
}

fn refusal(error: &webpki::Error) -> Error {
    use webpki::Error as E;
    match error {
        E::CertExpired { .. } => Error::CertificateExpired,
        E::CertNotValidYet { .. } => Error::CertificateNotYetValid,
        E::CaUsedAsEndEntity => Error::CertificateNotEndEntity,
        E::EmptyEkuExtension | E::RequiredEkuNotFoundContext(_) => Error::CertificatePurposeWrong,
        E::InvalidSignatureForPublicKey => Error::CertificateSignatureInvalid,
        E::UnknownIssuer => Error::CertificateIssuerUnknown,
        E::BadDer | E::BadDerTime | E::TrailingData(_) => Error::CertificateMalformed,
        _ => Error::CertificateRefused,
    }
}
