//! One challenge's leaf: everything that the answer is bound to.

use super::EXPORTER_BYTES;
use crate::error::Error;
use crate::signature::sha256;
use serde::{Deserialize, Serialize};
use wire::codec::put_varint;
use wire::{Digest, Nonce, OrderId, SpkiHash};

/// Domain label of a leaf.
pub const LEAF_LABEL: &str = "roundcast/attest-live/v1";
/// First byte of a hashed leaf; inner nodes begin with 0x01 (RFC 6962).
const LEAF_PREFIX: u8 = 0x00;

/// Which end of the TLS connection somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsSide {
    /// Who dialled.
    Client,
    /// Who was dialled.
    Server,
}

impl TlsSide {
    const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What one answer is bound to, as either end computes it for itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The relay's end of the connection.
    pub attester_side: TlsSide,
    /// The verifier's 32 random bytes.
    pub nonce: Nonce,
    /// The connection's exporter, see [`super::EXPORTER_LABEL`].
    pub exporter: [u8; EXPORTER_BYTES],
    /// The relay's key.
    pub attester: SpkiHash,
    /// The verifier's key.
    pub verifier: SpkiHash,
    /// The relay's order.
    pub order: OrderId,
    /// Digest of the relay's parameters.
    pub parameters: Digest,
    /// SHA-256 of the relay's `release.json`.
    pub release: Digest,
}

impl Leaf {
    /// The hash to quote: `SHA-256(0x00 ‖ fields)`, every field with its
    /// length before it, the label first.
    ///
    /// # Errors
    /// [`Error::LiveExporterMissing`] without an exporter,
    /// [`Error::LiveReflection`] if both ends have one key. A relay answers
    /// neither.
    pub fn digest(&self) -> Result<Digest, Error> {
        self.bound()?;
        self.two_ended()?;
        Ok(self.hash())
    }

    /// The exporter is there: zeros are what a stack without one hands out.
    pub(super) fn bound(&self) -> Result<(), Error> {
        if self.exporter == [0; EXPORTER_BYTES] {
            return Err(Error::LiveExporterMissing);
        }
        Ok(())
    }

    pub(super) fn two_ended(&self) -> Result<(), Error> {
        if self.attester == self.verifier {
            return Err(Error::LiveReflection);
        }
        Ok(())
    }

    pub(super) fn hash(&self) -> Digest {
        let fields: [&[u8]; 9] = [
            LEAF_LABEL.as_bytes(),
            self.attester_side.name().as_bytes(),
            self.nonce.as_bytes(),
            &self.exporter,
            self.attester.as_bytes(),
            self.verifier.as_bytes(),
            self.order.as_bytes(),
            self.parameters.as_bytes(),
            self.release.as_bytes(),
        ];
        let mut bytes = vec![LEAF_PREFIX];
        for field in fields {
            put_varint(&mut bytes, field.len() as u64);
            bytes.extend_from_slice(field);
        }
        sha256(&[&bytes])
    }
}
