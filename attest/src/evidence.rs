//! A relay's evidence, as its certificate carries it.
//!
//! The extension `id-pe-cmw` (1.3.6.1.5.5.7.1.35, RFC 9999) holds one record
//! of media type and bytes. The media type is the kind, and kinds are types:
//! none is an alias of another (threat B9).

mod cmw;

use crate::error::Error;
use crate::policy::Assurance;
use crate::software::SoftwareEvidence;
use wire::{Decode, Encode};

/// Media type of [`SoftwareEvidence`].
pub const SOFTWARE_MEDIA_TYPE: &str = "application/vnd.roundcast.evidence.software.v1";

/// A kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvidenceKind {
    /// A desk certifies the hash of a program that it started.
    Software,
}

impl EvidenceKind {
    /// The stable name; also the release's name for the platform.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
        }
    }

    /// Against whom evidence of this kind proves anything.
    #[must_use]
    pub const fn assurance(self) -> Assurance {
        match self {
            Self::Software => Assurance::Development,
        }
    }
}

/// Evidence, decoded but not appraised.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// See [`SoftwareEvidence`].
    Software(Box<SoftwareEvidence>),
}

impl Evidence {
    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> EvidenceKind {
        match self {
            Self::Software(_) => EvidenceKind::Software,
        }
    }

    /// The value of the certificate extension: a DER `CMW`.
    #[must_use]
    pub fn to_extension(&self) -> Vec<u8> {
        match self {
            Self::Software(evidence) => cmw::wrap(SOFTWARE_MEDIA_TYPE, &evidence.to_bytes()),
        }
    }

    /// Reads the value of the certificate extension.
    ///
    /// # Errors
    /// [`Error::EvidenceMalformed`]; [`Error::EvidenceKindUnknown`] for a
    /// well-formed record of a kind that this build does not know.
    pub fn from_extension(value: &[u8]) -> Result<Self, Error> {
        let record = cmw::unwrap(value)?;
        if record.media_type != SOFTWARE_MEDIA_TYPE {
            return Err(Error::EvidenceKindUnknown(record.media_type.to_owned()));
        }
        let evidence = SoftwareEvidence::from_bytes(record.value)
            .map_err(|_| Error::EvidenceMalformed("software evidence"))?;
        Ok(Self::Software(Box::new(evidence)))
    }
}
