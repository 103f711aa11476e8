//! Endorsement keys (EK): certificates by which a TPM's maker says that a key
//! is in one of its TPMs (TCG EK Credential Profile, section 3).
//!
//! Whose word counts is in the type: [`Roots<Pinned>`] are makers named by
//! fingerprint, [`Roots<Development>`] any certificates, such as those of a
//! TPM emulator. The verified key keeps the kind, so that what asks for an
//! [`Endorsed<Pinned>`] cannot be handed an emulator's.

use super::public::{EkKey, EkPublic};
use crate::error::Error;
use crate::signature::sha256;
use pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::marker::PhantomData;
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use wire::{Digest, UnixMs};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::FromDer;

/// Longest certificate of an EK: genuine ones have 800 to 1,800 bytes.
pub const EK_CERTIFICATE_BYTES_MAX: usize = 4096;
/// Most roots, and most certificates between, of one [`Roots`].
pub const ROOTS_MAX: usize = 64;

/// `tcg-kp-EKCertificate`, 2.23.133.8.1 (EK Credential Profile, section 3.5.16).
const EK_USAGE: [u64; 5] = [2, 23, 133, 8, 1];
/// The same, as the content of a DER object identifier.
const EK_USAGE_DER: &[u8] = &[0x67, 0x81, 0x05, 0x08, 0x01];

/// Makers of TPMs that the verifier named by fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinned {}

/// Certificates taken as given: emulators, tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Development {}

/// Whose certificates of endorsement keys are believed.
#[derive(Debug, Clone)]
pub struct Roots<K> {
    anchors: Vec<TrustAnchor<'static>>,
    between: Vec<CertificateDer<'static>>,
    kind: PhantomData<K>,
}

impl Roots<Pinned> {
    /// The DER certificates in `roots`, each of which must have one of
    /// `fingerprints` (SHA-256 of the DER); `between` are certificates that a
    /// path may lead over, and need no trust.
    ///
    /// # Errors
    /// `ek_issuer_unknown` for a root without a fingerprint,
    /// `ek_certificate_malformed`.
    pub fn pinned(
        roots: &[&[u8]],
        between: &[&[u8]],
        fingerprints: &[Digest],
    ) -> Result<Self, Error> {
        if roots
            .iter()
            .any(|root| !fingerprints.contains(&sha256(&[root])))
        {
            return Err(Error::EkIssuerUnknown);
        }
        Self::of(roots, between)
    }
}

impl Roots<Development> {
    /// Any DER certificates, on the caller's word alone.
    ///
    /// # Errors
    /// `ek_certificate_malformed`.
    pub fn development(roots: &[&[u8]], between: &[&[u8]]) -> Result<Self, Error> {
        Self::of(roots, between)
    }
}

impl<K> Roots<K> {
    fn of(roots: &[&[u8]], between: &[&[u8]]) -> Result<Self, Error> {
        if roots.len() > ROOTS_MAX || between.len() > ROOTS_MAX {
            return Err(Error::EkCertificateMalformed("list of roots"));
        }
        let anchor = |der: &&[u8]| {
            let der = CertificateDer::from(*der);
            anchor_from_trusted_cert(&der)
                .map(|anchor| anchor.to_owned())
                .map_err(|_| Error::EkCertificateMalformed("root"))
        };
        Ok(Self {
            anchors: roots.iter().map(anchor).collect::<Result<_, _>>()?,
            between: between
                .iter()
                .map(|der| CertificateDer::from(der.to_vec()))
                .collect(),
            kind: PhantomData,
        })
    }
}

/// An endorsement key with a certificate that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsed<K> {
    public: EkPublic,
    certificate: Digest,
    kind: PhantomData<K>,
}

impl<K> Endorsed<K> {
    /// The key.
    #[must_use]
    pub const fn public(&self) -> &EkPublic {
        &self.public
    }

    /// SHA-256 of the certificate.
    #[must_use]
    pub const fn certificate_digest(&self) -> &Digest {
        &self.certificate
    }
}

/// Verifies that `certificate` (DER) was issued under `roots`, is valid at
/// `now`, is for an endorsement key, and that this key is `ek_public`
/// (`TPMT_PUBLIC`), made after one of the TCG's templates.
///
/// # Errors
/// `tpm_public_malformed`, `ek_unsuitable`, `ek_certificate_malformed`,
/// `ek_certificate_unsuitable`, `ek_issuer_unknown`,
/// `ek_certificate_expired`, `ek_key_mismatch`.
pub fn verify<K>(
    certificate: &[u8],
    ek_public: &[u8],
    roots: &Roots<K>,
    now: UnixMs,
) -> Result<Endorsed<K>, Error> {
    let public = EkPublic::parse(ek_public)?;
    let parsed = parse(certificate)?;
    check_path(certificate, roots, now)?;
    check_usage(&parsed)?;
    if parsed.public_key().raw != spki(public.key()) {
        return Err(Error::EkKeyMismatch);
    }
    Ok(Endorsed {
        public,
        certificate: sha256(&[certificate]),
        kind: PhantomData,
    })
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Error> {
    if der.len() > EK_CERTIFICATE_BYTES_MAX {
        return Err(Error::EkCertificateMalformed("length"));
    }
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(Error::EkCertificateMalformed("X.509")),
    }
}

/// webpki's path validation. The purpose is required of the EK's certificate
/// by [`check_usage`]: those above it seldom name one, and webpki would ask
/// it of them as well.
fn check_path<K>(der: &[u8], roots: &Roots<K>, now: UnixMs) -> Result<(), Error> {
    let der = CertificateDer::from(der);
    let leaf = EndEntityCert::try_from(&der).map_err(|error| refusal(&error))?;
    leaf.verify_for_usage(
        &[
            webpki::ring::RSA_PKCS1_2048_8192_SHA256,
            webpki::ring::RSA_PKCS1_2048_8192_SHA384,
            webpki::ring::RSA_PKCS1_2048_8192_SHA512,
            webpki::ring::ECDSA_P256_SHA256,
            webpki::ring::ECDSA_P384_SHA384,
        ],
        &roots.anchors,
        &roots.between,
        UnixTime::since_unix_epoch(Duration::from_millis(now.0)),
        KeyUsage::required_if_present(EK_USAGE_DER),
        None,
        None,
    )
    .map(|_| ())
    .map_err(|error| refusal(&error))
}

/// The certificate is for endorsement keys and nothing else.
fn check_usage(certificate: &X509Certificate) -> Result<(), Error> {
    let unsuitable = |why| Err(Error::EkCertificateUnsuitable(why));
    let wanted = Oid::from(&EK_USAGE).map_err(|_| Error::EkCertificateMalformed("usage"))?;
    match certificate.extended_key_usage() {
        Ok(Some(usage)) if usage.value.any => unsuitable("for any purpose"),
        Ok(Some(usage)) if usage.value.other.contains(&wanted) => Ok(()),
        Ok(_) => unsuitable("for another purpose"),
        Err(_) => Err(Error::EkCertificateMalformed("usage")),
    }
}

fn refusal(error: &webpki::Error) -> Error {
    use webpki::Error as E;
    match error {
        E::CertExpired { .. } | E::CertNotValidYet { .. } => Error::EkCertificateExpired,
        E::UnknownIssuer
        | E::EndEntityUsedAsCa
        | E::InvalidSignatureForPublicKey
        | E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Error::EkIssuerUnknown,
        E::CaUsedAsEndEntity => Error::EkCertificateUnsuitable("for an authority"),
        E::RequiredEkuNotFoundContext(_) => Error::EkCertificateUnsuitable("for another purpose"),
        _ => Error::EkCertificateMalformed("path"),
    }
}

/// `SubjectPublicKeyInfo` of an RSA-2048 key with exponent 65537 up to the
/// modulus, which has its top bit set (RFC 3279 section 2.3.1), and after it.
pub(crate) const SPKI_RSA: [u8; 33] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01,
    0x00,
];
pub(crate) const SPKI_RSA_END: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];
/// `SubjectPublicKeyInfo` of a P-256 key up to the point (RFC 5480).
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The one DER spelling of the key.
fn spki(key: &EkKey) -> Vec<u8> {
    match key {
        EkKey::Rsa2048(modulus) => [&SPKI_RSA, modulus.as_slice(), &SPKI_RSA_END].concat(),
        EkKey::P256(point) => [&SPKI_P256[..], &point.to_uncompressed()].concat(),
    }
}
