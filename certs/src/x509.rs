//! Certificates (RFC 5280): Ed25519 alone, and never believed for a name.
//!
//! A member's certificate is issued by the stream CA; strangers, holders and
//! relays present self-signed ones, whose only meaning is the key. Who a node
//! is, is decided by its SPKI hash.

mod inspect;
mod issue;
mod member;

pub use inspect::{extension, public_key, spki_der, spki_hash, spki_of_public, verify_self_signed};
pub use issue::{MemberRequest, StreamCa, self_signed};
pub use member::{Member, verify_ca, verify_member};

/// The extension that carries a relay's evidence: the conceptual message
/// wrapper (RFC 9999).
pub const EVIDENCE_OID: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 35];
/// The DNS name in every certificate, for TLS libraries that want one. It
/// cannot exist (RFC 2606) and is compared with nothing.
pub const SERVER_NAME: &str = "member.roundcast.invalid";
/// The name of every stream CA: which CA is meant, its key alone says.
const CA_NAME: &str = "roundcast stream CA";
