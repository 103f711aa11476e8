//! Reading a certificate without believing it.

use crate::Error;
use crate::hash::sha256;
use wire::limits::CERTIFICATE_BYTES_MAX;
use wire::{PublicKey, SpkiHash};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::FromDer;

/// `SubjectPublicKeyInfo` of an Ed25519 key up to the key (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The DER `SubjectPublicKeyInfo` of an Ed25519 key, 44 bytes.
#[must_use]
pub fn spki_der(key: &PublicKey) -> Vec<u8> {
    [SPKI_PREFIX.as_slice(), key.as_bytes()].concat()
}

/// SHA-256 of [`spki_der`].
#[must_use]
pub fn spki_of_public(key: &PublicKey) -> SpkiHash {
    SpkiHash(sha256(&[&SPKI_PREFIX, key.as_bytes()]).0)
}

/// The SPKI hash of a DER certificate. It says who the certificate speaks of;
/// that the other end has that key is TLS's to prove.
///
/// # Errors
/// `certificate_malformed`, `certificate_key_unsupported`.
pub fn spki_hash(der: &[u8]) -> Result<SpkiHash, Error> {
    public_key(der).map(|key| spki_of_public(&key))
}

/// The Ed25519 key of a DER certificate.
///
/// # Errors
/// `certificate_malformed`, `certificate_key_unsupported`.
pub fn public_key(der: &[u8]) -> Result<PublicKey, Error> {
    key_of(&parse(der)?)
}

/// The content of an extension, none if there is none.
///
/// # Errors
/// `certificate_malformed`; also if the extension is there twice.
pub fn extension(der: &[u8], oid: &[u64]) -> Result<Option<Vec<u8>>, Error> {
    let certificate = parse(der)?;
    let oid = Oid::from(oid).map_err(|_| Error::CertificateMalformed)?;
    let found = certificate
        .get_extension_unique(&oid)
        .map_err(|_| Error::CertificateMalformed)?;
    Ok(found.map(|extension| extension.value.to_vec()))
}

/// The SPKI hash of a certificate whose own key signed it: no byte of it was
/// changed since. That somebody holds the key now is TLS's to prove.
///
/// # Errors
/// `certificate_malformed`, `certificate_key_unsupported`,
/// `certificate_signature_invalid`.
pub fn verify_self_signed(der: &[u8]) -> Result<SpkiHash, Error> {
    let certificate = parse(der)?;
    let key = key_of(&certificate)?;
    let signature = signed_by(&certificate, &key)?;
    let signed = certificate.tbs_certificate.as_ref();
    // What holds the signed part and the signature has one spelling, too.
    let content_len = signed.len() + SIGNATURE_PREFIX.len() + signature.len();
    let header = sequence_header(content_len);
    if der != [&header, signed, &SIGNATURE_PREFIX, signature].concat() {
        return Err(Error::CertificateMalformed);
    }
    Ok(spki_of_public(&key))
}

/// `signatureAlgorithm` Ed25519, and the signature's BIT STRING up to it.
const SIGNATURE_PREFIX: [u8; 10] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00];

/// DER of a SEQUENCE's tag and length, for what fits a certificate.
fn sequence_header(len: usize) -> Vec<u8> {
    const _: () = assert!(CERTIFICATE_BYTES_MAX <= 0xffff);
    let [.., high, low] = len.to_be_bytes();
    match (high, low) {
        (0, ..0x80) => vec![0x30, low],
        (0, _) => vec![0x30, 0x81, low],
        _ => vec![0x30, 0x82, high, low],
    }
}

/// The signature, if this key made it.
pub(super) fn signed_by<'a>(
    certificate: &'a X509Certificate<'_>,
    key: &PublicKey,
) -> Result<&'a [u8; 64], Error> {
    let signed = certificate.tbs_certificate.as_ref();
    <&[u8; 64]>::try_from(certificate.signature_value.as_ref())
        .ok()
        .filter(|signature| crate::verify_raw(key, signed, signature))
        .ok_or(Error::CertificateSignatureInvalid)
}

pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Error> {
    if der.len() > CERTIFICATE_BYTES_MAX {
        return Err(Error::CertificateMalformed);
    }
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(Error::CertificateMalformed),
    }
}

pub(super) fn key_of(certificate: &X509Certificate<'_>) -> Result<PublicKey, Error> {
    certificate
        .public_key()
        .raw
        .strip_prefix(&SPKI_PREFIX)
        .and_then(|key| key.try_into().ok())
        .map(PublicKey)
        .ok_or(Error::CertificateKeyUnsupported)
}
