//! Attestation keys that a cloud certifies itself. Nothing of ours runs
//! there yet: the roots serve to judge saved quotes.

use super::attested::Attested;
use super::ek::{Development, Pinned};
use super::public::Point;
use super::quote::Quote;
use crate::chain;
use crate::error::Error;
use crate::signature::sha256;
use pki_types::{CertificateDer, TrustAnchor};
use std::marker::PhantomData;
use wire::{Digest, UnixMs};

/// CN=EK/AK CA Root of Google Cloud, 2022 to 2122.
const GOOGLE_ROOT: &[u8] = include_bytes!("../../roots/google-ek-ak.der");
/// SHA-256 of [`GOOGLE_ROOT`].
const GOOGLE_ROOT_DIGEST: &str = "594759594b9b61524f6c8ef668f7177f7b9066bc0674f2f49fe9e052be78beb2";
/// One certificate, in bytes: RSA-4096 takes half of it.
const CERTIFICATE_BYTES_MAX: usize = 4096;
/// Certificates between leaf and root.
const BETWEEN_MAX: usize = 4;

/// Whose certificates of attestation keys are believed.
#[derive(Debug, Clone)]
pub struct AkRoot<K> {
    anchor: TrustAnchor<'static>,
    kind: PhantomData<K>,
}

impl AkRoot<Pinned> {
    /// Google Cloud's.
    ///
    /// # Errors
    /// The root of this build is not the pinned one: a broken build.
    pub fn google() -> Result<Self, Error> {
        if Digest::from_hex(GOOGLE_ROOT_DIGEST) != Some(sha256(&[GOOGLE_ROOT])) {
            return Err(Error::ChainInvalid("root"));
        }
        Self::of(GOOGLE_ROOT)
    }
}

impl AkRoot<Development> {
    /// Any DER certificate, on the caller's word alone.
    ///
    /// # Errors
    /// [`Error::ChainInvalid`].
    pub fn development(der: &[u8]) -> Result<Self, Error> {
        Self::of(der)
    }
}

impl<K> AkRoot<K> {
    fn of(der: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            anchor: chain::anchor(der)?,
            kind: PhantomData,
        })
    }
}

/// An attestation key whose certificate held at a time in the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedAk<K> {
    point: Point,
    at: UnixMs,
    kind: PhantomData<K>,
}

impl<K> ArchivedAk<K> {
    /// Verifies a key's certificate (DER, P-256) at `at`, over `between`.
    ///
    /// # Errors
    /// `chain_invalid`, `chain_root_unknown`, `chain_expired`, `clock_wrong`
    /// if it was not valid yet.
    pub fn verify(
        certificate: &[u8],
        between: &[&[u8]],
        root: &AkRoot<K>,
        at: UnixMs,
    ) -> Result<Self, Error> {
        let lengths = between.iter().map(|der| der.len());
        if between.len() > BETWEEN_MAX
            || lengths.chain([certificate.len()]).max() > Some(CERTIFICATE_BYTES_MAX)
        {
            return Err(Error::ChainInvalid("length"));
        }
        let between: Vec<_> = between
            .iter()
            .map(|der| CertificateDer::from(*der))
            .collect();
        let algorithms = [
            webpki::ring::RSA_PKCS1_2048_8192_SHA256,
            webpki::ring::ECDSA_P256_SHA256,
        ];
        chain::verify(certificate, &between, &root.anchor, &algorithms, at)?;
        Ok(Self {
            point: Point::from_coordinates(&chain::p256_coordinates(certificate)?),
            at,
            kind: PhantomData,
        })
    }

    /// When the certificate held.
    #[must_use]
    pub const fn at(&self) -> UnixMs {
        self.at
    }

    /// What the key's TPM said; a quote has no time of its own, and whether
    /// its nonce was anybody's is for the caller to compare.
    ///
    /// # Errors
    /// `quote_malformed`, `quote_magic`, `quote_type` or
    /// `quote_signature_invalid`.
    pub fn archived_quote(&self, quote: &[u8]) -> Result<Attested, Error> {
        let quote = Quote::parse(quote)?;
        quote.signed_by(&self.point)?;
        Ok(quote.attested().clone())
    }
}
