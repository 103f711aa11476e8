//! NitroTPM's attestation documents (kind `nitro_tpm`, assurance `platform`):
//! the cloud's platform says what an instance booted. Amazon is trusted, the
//! account's owner is not.
//!
//! A document is checked in one of two ways, which say different things and
//! are different types. [`verify_live`]: it was made for this nonce, a moment
//! ago. [`verify_archived`]: it was genuine at its own time; nothing is said
//! about now. Its certificates live for hours, so that every saved document
//! has expired: expiry is no reason to doubt it, and no live document may be
//! an old one.
//!
//! Documents of enclaves come from the same root and are another kind of
//! evidence: refused by name, their registers never read as a TPM's.

mod compare;
mod document;
mod sign1;
mod verify;

pub use compare::compare;
pub(crate) use compare::released;
pub use document::{DOCUMENT_BYTES_MAX, Document};
#[cfg(feature = "ablation")]
pub use verify::dangerously_archived_of_any_kind;
pub use verify::{AGE_MS_MAX, Archived, Live, Root, verify_archived, verify_live};
pub(crate) use verify::{archived_steps, live_steps};

/// The kind's stable name.
pub const KIND: &str = "nitro_tpm";
