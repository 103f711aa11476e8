//! What a relay's attestation key signs: digests that this crate computed,
//! never bytes that somebody handed over (threat B7).

use crate::error::Error;
use crate::signature::{holds, sha256};
use crate::tpm2::BootState;
use wire::{Digest, OrderId, PublicKey, SpkiHash};

/// Domain label of boot evidence.
pub const BOOT_LABEL: &str = "roundcast/attest-boot/v1";
/// Domain label of a batch of live challenges.
pub const BATCH_LABEL: &str = "roundcast/attest-batch/v1";

/// A digest that may be quoted. It is only made of a boot or of a batch, so
/// that the relay's key is no oracle for other strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuoteDigest(Digest);

impl QuoteDigest {
    /// `SHA-256(label ‖ SPKI hash ‖ order ‖ parameters digest)`.
    #[must_use]
    pub fn boot(spki: &SpkiHash, order: &OrderId, parameters: &Digest) -> Self {
        Self(sha256(&[
            BOOT_LABEL.as_bytes(),
            spki.as_bytes(),
            order.as_bytes(),
            parameters.as_bytes(),
        ]))
    }

    /// `SHA-256(label ‖ count (u16, big endian) ‖ root)`.
    pub(crate) fn batch(count: u16, root: &Digest) -> Self {
        Self(sha256(&[
            BATCH_LABEL.as_bytes(),
            &count.to_be_bytes(),
            root.as_bytes(),
        ]))
    }

    /// The 32 bytes that the platform signs.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// The relay's side of a platform: signs digests.
pub trait Quoter {
    /// The platform's signature over `digest`, in the form that its evidence
    /// kind has, at most [`wire::limits::QUOTE_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`Error::QuoteFailed`].
    fn quote(&self, digest: &QuoteDigest) -> Result<Vec<u8>, Error>;
}

/// The verifier's side: the key that appraised evidence certified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuoteKey {
    /// The boot key of software evidence: Ed25519 over the digest.
    Software(PublicKey),
    /// The attestation key of TPM evidence, and what its live quotes are
    /// compared with.
    Tpm2(BootState),
    /// No key: every quote is taken. Only minted together with an
    /// appraisal that nothing stands behind.
    #[cfg(feature = "ablation")]
    Anything,
}

impl QuoteKey {
    /// Whether the key signed this digest and no other.
    ///
    /// # Errors
    /// What is wrong with the quote itself: `quote_malformed`, `quote_magic`,
    /// `quote_type` or `quote_signature_invalid`.
    pub(crate) fn signed(&self, digest: &QuoteDigest, quote: &[u8]) -> Result<bool, Error> {
        match self {
            Self::Software(key) => Ok(holds(key, digest.as_bytes(), quote)),
            Self::Tpm2(boot) => boot.signed(digest, quote),
            #[cfg(feature = "ablation")]
            Self::Anything => Ok(true),
        }
    }

    /// The boot that a TPM's live quotes must belong to; software has none.
    pub(crate) const fn boot(&self) -> Option<&BootState> {
        match self {
            Self::Tpm2(boot) => Some(boot),
            _ => None,
        }
    }
}
