//! Paths of a platform's certificates, by rustls-webpki under an anchor of
//! our own choice, at a time of our own choice.

use crate::error::Error;
use crate::tpm2::ek::{SPKI_RSA, SPKI_RSA_END};
use pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use wire::UnixMs;

/// `tcg-kp-EKCertificate`, 2.23.133.8.1: the only purpose that Amazon's and
/// Google's authorities name for themselves, if they name one.
pub(crate) const EK_PURPOSE: &[u8] = &[0x67, 0x81, 0x05, 0x08, 0x01];
/// `tcg-kp-AIKCertificate`, 2.23.133.8.3: what Azure's name for the keys that
/// quote.
pub(crate) const AIK_PURPOSE: &[u8] = &[0x67, 0x81, 0x05, 0x08, 0x03];
/// `SubjectPublicKeyInfo` of a P-384 key up to the point's coordinates, with
/// the 4 of the uncompressed form (RFC 5480).
const SPKI_P384: [u8; 24] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04,
];
/// The same of a P-256 key.
const SPKI_P256: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// The anchor that a trusted certificate is.
pub(crate) fn anchor(der: &[u8]) -> Result<TrustAnchor<'static>, Error> {
    anchor_from_trusted_cert(&CertificateDer::from(der))
        .map(|anchor| anchor.to_owned())
        .map_err(|_| Error::ChainInvalid("root"))
}

/// `leaf` leads over `between` to `anchor`, all of them valid at `at` and, if
/// they name purposes, for `purpose`.
pub(crate) fn verify(
    leaf: &[u8],
    between: &[CertificateDer<'_>],
    anchor: &TrustAnchor<'_>,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    purpose: &'static [u8],
    at: UnixMs,
) -> Result<(), Error> {
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf).map_err(|_| Error::ChainInvalid("certificate"))?;
    leaf.verify_for_usage(
        algorithms,
        std::slice::from_ref(anchor),
        between,
        UnixTime::since_unix_epoch(Duration::from_millis(at.0)),
        KeyUsage::required_if_present(purpose),
        None,
        None,
    )
    .map(|_| ())
    .map_err(|error| refusal(&error))
}

/// The point of a certificate's P-384 key: 4, x, y.
pub(crate) fn p384_point(leaf: &[u8]) -> Result<Vec<u8>, Error> {
    let spki = spki(leaf)?;
    let coordinates = spki
        .strip_prefix(&SPKI_P384)
        .ok_or(Error::ChainInvalid("not a key of P-384"))?;
    Ok([&[4], coordinates].concat())
}

/// The coordinates of a certificate's P-256 key: x, y.
pub(crate) fn p256_coordinates(leaf: &[u8]) -> Result<[u8; 64], Error> {
    spki(leaf)?
        .strip_prefix(&SPKI_P256)
        .and_then(|coordinates| coordinates.try_into().ok())
        .ok_or(Error::ChainInvalid("not a key of P-256"))
}

/// The modulus of a certificate's RSA-2048 key with exponent 65537.
pub(crate) fn rsa_2048_modulus(leaf: &[u8]) -> Result<[u8; 256], Error> {
    spki(leaf)?
        .strip_prefix(&SPKI_RSA)
        .and_then(|rest| rest.strip_suffix(&SPKI_RSA_END))
        .and_then(|modulus| modulus.try_into().ok())
        .ok_or(Error::ChainInvalid("not a key of P-256 or RSA 2048"))
}

fn spki(leaf: &[u8]) -> Result<Vec<u8>, Error> {
    let leaf = CertificateDer::from(leaf);
    EndEntityCert::try_from(&leaf)
        .map(|leaf| leaf.subject_public_key_info().to_vec())
        .map_err(|_| Error::ChainInvalid("certificate"))
}

fn refusal(error: &webpki::Error) -> Error {
    use webpki::Error as E;
    match error {
        E::CertExpired { .. } => Error::ChainExpired,
        E::CertNotValidYet { .. } => Error::ClockWrong,
        E::UnknownIssuer => Error::ChainRootUnknown,
        E::InvalidSignatureForPublicKey => Error::ChainInvalid("signature"),
        E::CaUsedAsEndEntity | E::EndEntityUsedAsCa => Error::ChainInvalid("role"),
        _ => Error::ChainInvalid("path"),
    }
}
