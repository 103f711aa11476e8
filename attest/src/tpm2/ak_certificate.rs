//! Attestation keys that a cloud certifies itself. Nothing of ours runs
//! there yet: the roots serve to judge saved quotes.

use super::ek::{Development, Pinned};
use crate::chain;
use crate::error::Error;
use crate::release::{Measurements, Tpm2Measurement};
use crate::signature::sha256;
use pki_types::{CertificateDer, TrustAnchor};
use std::marker::PhantomData;
use wire::{Digest, UnixMs};

/// CN=EK/AK CA Root of Google Cloud, 2022 to 2122.
const GOOGLE_ROOT: &[u8] = include_bytes!("../../roots/google-ek-ak.der");
/// SHA-256 of [`GOOGLE_ROOT`].
const GOOGLE_ROOT_DIGEST: &str = "594759594b9b61524f6c8ef668f7177f7b9066bc0674f2f49fe9e052be78beb2";
/// CN=Azure Virtual TPM Root Certificate Authority 2023, 2023 to 2048.
const AZURE_ROOT: &[u8] = include_bytes!("../../roots/azure-virtual-tpm-2023.der");
/// SHA-256 of [`AZURE_ROOT`].
const AZURE_ROOT_DIGEST: &str = "e6c596b17f8ffefba5c300f714cfb1260c6028704ecf7becc4ab5018efb00e95";
/// One certificate, in bytes: RSA-4096 takes half of it.
pub(crate) const CERTIFICATE_BYTES_MAX: usize = 4096;
/// Certificates between leaf and root.
pub(crate) const BETWEEN_MAX: usize = 4;

wire::code! {
    /// A cloud that certifies the attestation keys of its instances' TPMs.
    pub enum Cloud {
        /// Google Cloud: confidential and shielded instances.
        Google = 1 => "google",
        /// Azure: Trusted Launch and confidential instances.
        Azure = 2 => "azure",
    }
}

impl Cloud {
    /// The cloud of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Google, Self::Azure]
            .into_iter()
            .find(|cloud| cloud.name() == name)
    }

    /// The stable name of its kind of evidence.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Google => "gcp_tpm",
            Self::Azure => "azure_tpm",
        }
    }

    /// Its pinned root.
    ///
    /// # Errors
    /// The root of this build is not the pinned one: a broken build.
    pub fn root(self) -> Result<AkRoot<Pinned>, Error> {
        match self {
            Self::Google => AkRoot::google(),
            Self::Azure => AkRoot::azure(),
        }
    }

    /// What a release says of its instances.
    pub(crate) fn released(self, measurements: &Measurements) -> &[Tpm2Measurement] {
        match self {
            Self::Google => &measurements.gcp_tpm,
            Self::Azure => &measurements.azure_tpm,
        }
    }
}

/// Whose certificates of attestation keys are believed.
#[derive(Debug, Clone)]
pub struct AkRoot<K> {
    anchor: TrustAnchor<'static>,
    purpose: &'static [u8],
    kind: PhantomData<K>,
}

impl AkRoot<Pinned> {
    /// Google Cloud's.
    ///
    /// # Errors
    /// The root of this build is not the pinned one: a broken build.
    pub fn google() -> Result<Self, Error> {
        Self::pinned(GOOGLE_ROOT, GOOGLE_ROOT_DIGEST, chain::EK_PURPOSE)
    }

    /// Azure's.
    ///
    /// # Errors
    /// The root of this build is not the pinned one: a broken build.
    pub fn azure() -> Result<Self, Error> {
        Self::pinned(AZURE_ROOT, AZURE_ROOT_DIGEST, chain::AIK_PURPOSE)
    }

    fn pinned(der: &[u8], digest: &str, purpose: &'static [u8]) -> Result<Self, Error> {
        if Digest::from_hex(digest) != Some(sha256(&[der])) {
            return Err(Error::ChainInvalid("root"));
        }
        Self::of(der, purpose)
    }
}

impl AkRoot<Development> {
    /// Any DER certificate, on the caller's word alone, in a cloud's place.
    ///
    /// # Errors
    /// [`Error::ChainInvalid`].
    pub fn development(der: &[u8], cloud: Cloud) -> Result<Self, Error> {
        let purpose = match cloud {
            Cloud::Google => chain::EK_PURPOSE,
            Cloud::Azure => chain::AIK_PURPOSE,
        };
        Self::of(der, purpose)
    }
}

impl<K> AkRoot<K> {
    fn of(der: &[u8], purpose: &'static [u8]) -> Result<Self, Error> {
        Ok(Self {
            anchor: chain::anchor(der)?,
            purpose,
            kind: PhantomData,
        })
    }

    /// A key's certificate (DER) leads over `between` to this root, and all
    /// of them were valid at `at`.
    pub(crate) fn certified(
        &self,
        certificate: &[u8],
        between: &[&[u8]],
        at: UnixMs,
    ) -> Result<(), Error> {
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
            webpki::ring::RSA_PKCS1_2048_8192_SHA384,
            webpki::ring::ECDSA_P256_SHA256,
        ];
        chain::verify(
            certificate,
            &between,
            &self.anchor,
            &algorithms,
            self.purpose,
            at,
        )
    }
}
