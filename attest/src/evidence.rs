//! A relay's evidence, as its certificate carries it.
//!
//! The extension `id-pe-cmw` (1.3.6.1.5.5.7.1.35, RFC 9999) holds one record
//! of media type and bytes. The media type is the kind, and kinds are types:
//! none is an alias of another (threat B9).

mod cmw;

use crate::error::Error;
use crate::policy::Assurance;
use crate::software::SoftwareEvidence;
use crate::tpm2::Tpm2Evidence;
use wire::order::{Order, Parameters};
use wire::{Decode, Encode, UnixMs};

/// Media type of [`SoftwareEvidence`].
pub const SOFTWARE_MEDIA_TYPE: &str = "application/vnd.roundcast.evidence.software.v1";
/// Media type of [`Tpm2Evidence`].
pub const TPM2_MEDIA_TYPE: &str = "application/vnd.roundcast.evidence.tpm2.v1";

/// A kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvidenceKind {
    /// A desk certifies the hash of a program that it started.
    Software,
    /// A TPM quotes what was booted; the desk certifies the TPM.
    Tpm2,
}

impl EvidenceKind {
    /// The stable name; also the release's name for the platform.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Tpm2 => "tpm2",
        }
    }

    /// Against whom evidence of this kind proves anything.
    #[must_use]
    pub const fn assurance(self) -> Assurance {
        match self {
            Self::Software => Assurance::Development,
            Self::Tpm2 => Assurance::Operator,
        }
    }
}

/// Evidence, decoded but not appraised.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// See [`SoftwareEvidence`].
    Software(Box<SoftwareEvidence>),
    /// See [`Tpm2Evidence`].
    Tpm2(Box<Tpm2Evidence>),
}

impl Evidence {
    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> EvidenceKind {
        match self {
            Self::Software(_) => EvidenceKind::Software,
            Self::Tpm2(_) => EvidenceKind::Tpm2,
        }
    }

    /// What every kind carries: order, parameters and `release.json`.
    pub(crate) fn claims(&self) -> (&Order, &Parameters, &[u8]) {
        match self {
            Self::Software(e) => (&e.order, &e.parameters, &e.release),
            Self::Tpm2(e) => (&e.order, &e.parameters, &e.release),
        }
    }

    /// When its platform says that it signed; nobody's word before the
    /// statement is verified.
    pub(crate) fn claimed_time(&self) -> Result<UnixMs, Error> {
        match self {
            Self::Software(e) => e.platform.statement().map(|statement| statement.issued),
            Self::Tpm2(e) => e.statement.statement().map(|statement| statement.issued),
        }
    }

    /// The value of the certificate extension: a DER `CMW`.
    #[must_use]
    pub fn to_extension(&self) -> Vec<u8> {
        match self {
            Self::Software(evidence) => cmw::wrap(SOFTWARE_MEDIA_TYPE, &evidence.to_bytes()),
            Self::Tpm2(evidence) => cmw::wrap(TPM2_MEDIA_TYPE, &evidence.to_bytes()),
        }
    }

    /// Reads the value of the certificate extension.
    ///
    /// # Errors
    /// [`Error::EvidenceMalformed`]; [`Error::EvidenceKindUnknown`] for a
    /// well-formed record of a kind that this build does not know.
    pub fn from_extension(value: &[u8]) -> Result<Self, Error> {
        let record = cmw::unwrap(value)?;
        match record.media_type {
            SOFTWARE_MEDIA_TYPE => SoftwareEvidence::from_bytes(record.value)
                .map(|evidence| Self::Software(Box::new(evidence)))
                .map_err(|_| Error::EvidenceMalformed("software evidence")),
            TPM2_MEDIA_TYPE => Tpm2Evidence::from_bytes(record.value)
                .map(|evidence| Self::Tpm2(Box::new(evidence)))
                .map_err(|_| Error::EvidenceMalformed("TPM evidence")),
            other => Err(Error::EvidenceKindUnknown(other.to_owned())),
        }
    }
}
