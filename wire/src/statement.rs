//! Statements: what somebody signs. A statement is verified as the exact
//! bytes that were received, decoded afterwards, and never re-encoded.

mod admission;
mod asking;
mod batch;
mod chunk;
mod holding;
mod permit;
mod run;

pub use admission::{CapacityClaim, Introduction, JoinReply};
pub use asking::{Ask, Cause, Grant, Step};
pub use batch::{BatchedPermit, PermitBatch, PermitBytes};
pub use chunk::{ChunkFlags, ChunkHeader, ChunkKey, HeadBeacon, Layout};
pub use holding::{Held, Holding};
pub use permit::{Permit, PermitKind, Priority, Revocation};
pub use run::RunStatement;

use crate::codec::{Decode, DecodeError, Encode, Reader, put_varint};
use crate::id::{Epoch, RunId, StreamId};
use bytes::Bytes;
use std::marker::PhantomData;

crate::record! {
    /// Which stream, run and epoch a statement speaks of. Every statement
    /// begins with it, so that none can be replayed into another.
    pub struct Scope {
        /// The stream.
        pub stream: StreamId,
        /// The run.
        pub run: RunId,
        /// The epoch.
        pub epoch: Epoch,
    }
}

/// A value that can be signed.
pub trait Statement: Encode + Decode {
    /// Domain label: the signed string is `label ‖ 0x00 ‖ body`.
    const LABEL: &'static str;
    /// Bound of the body, in bytes.
    const BODY_BYTES_MAX: usize;
    /// What the statement speaks of.
    fn scope(&self) -> &Scope;
}

/// A statement's exact bytes and an Ed25519 signature (RFC 8032) over its
/// label and them. Nothing can be read from it before `certs` verified it.
pub struct Signed<T> {
    body: Bytes,
    signature: [u8; 64],
    kind: PhantomData<fn() -> T>,
}

impl<T: Statement> Signed<T> {
    /// Puts body and signature together; verifies nothing.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] if the body is over the statement's bound.
    pub fn from_parts(body: impl Into<Bytes>, signature: [u8; 64]) -> Result<Self, DecodeError> {
        let body = body.into();
        if body.len() > T::BODY_BYTES_MAX {
            return Err(DecodeError::TooLong {
                what: T::LABEL,
                len: body.len() as u64,
                max: T::BODY_BYTES_MAX as u64,
            });
        }
        Ok(Self {
            body,
            signature,
            kind: PhantomData,
        })
    }

    /// The string that the signature is over.
    #[must_use]
    pub fn signed_string(&self) -> Vec<u8> {
        signed_string(T::LABEL, &self.body)
    }
}

impl<T> Signed<T> {
    /// The exact bytes of the statement, not yet verified.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
    /// The signature, not yet verified.
    #[must_use]
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

/// `label ‖ 0x00 ‖ body`.
#[must_use]
pub fn signed_string(label: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(label.len() + 1 + body.len());
    out.extend_from_slice(label.as_bytes());
    out.push(0);
    out.extend_from_slice(body);
    out
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self {
            body: self.body.clone(),
            signature: self.signature,
            kind: PhantomData,
        }
    }
}
impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.body == other.body && self.signature == other.signature
    }
}
impl<T> Eq for Signed<T> {}
impl<T> std::fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signed({} bytes)", self.body.len())
    }
}
impl<T: Statement> Encode for Signed<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.body.len() as u64);
        out.extend_from_slice(&self.body);
        out.extend_from_slice(&self.signature);
    }
}
impl<T: Statement> Decode for Signed<T> {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = r.length(T::BODY_BYTES_MAX, T::LABEL)?;
        let body = Bytes::copy_from_slice(r.take(len, T::LABEL)?);
        let signature = <[u8; 64]>::decode(r)?;
        Self::from_parts(body, signature)
    }
}

macro_rules! statement {
    ($t:ty, $label:literal, $max:literal) => {
        impl $crate::statement::Statement for $t {
            const LABEL: &'static str = $label;
            const BODY_BYTES_MAX: usize = $max;
            fn scope(&self) -> &$crate::statement::Scope {
                &self.scope
            }
        }
    };
}
pub(crate) use statement;
