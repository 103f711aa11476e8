//! Admission: the reply to a join, what a node claims to carry, and how a
//! sponsor introduces his relay.

use super::{Scope, statement};
use crate::codec::Text;
use crate::id::{Digest, Nonce, OrderId, Sequence, SpkiHash, UnixMs};
use crate::limits::ADDRESS_BYTES_MAX;

crate::record! {
    /// Signed by the permit key: binds an admission to the joiner's nonce.
    pub struct JoinReply {
        /// Stream, run, current epoch.
        pub scope: Scope,
        /// The joiner's nonce.
        pub nonce: Nonce,
        /// The joiner.
        pub member: SpkiHash,
        /// The newest published chunk, if there is one.
        pub head: Option<Sequence>,
        /// SHA-256 of its signed header body, zeros without one.
        pub header: Digest,
        /// When it was signed.
        pub issued: UnixMs,
    }
}
statement!(JoinReply, "roundcast/join-reply/v1", 256);

crate::record! {
    /// Signed by who makes it (a member's or a relay's own key): an upper
    /// bound, never believed beyond what receipts prove.
    pub struct CapacityClaim {
        /// Stream, run, epoch.
        pub scope: Scope,
        /// Whose capacity.
        pub node: SpkiHash,
        /// Upload in bit/s.
        pub upload_bps: u64,
        /// When it was signed.
        pub issued: UnixMs,
    }
}
statement!(CapacityClaim, "roundcast/claim/v1", 256);

crate::record! {
    /// Signed by the holder key: this relay is the one of my order.
    pub struct Introduction {
        /// Stream, run, epoch.
        pub scope: Scope,
        /// The order.
        pub order: OrderId,
        /// The relay's key.
        pub relay: SpkiHash,
        /// The member that sponsors it.
        pub sponsor: SpkiHash,
        /// Where it listens, `ADDRESS:PORT`.
        pub address: Text<ADDRESS_BYTES_MAX>,
        /// When it was signed.
        pub issued: UnixMs,
    }
}
statement!(Introduction, "roundcast/introduction/v1", 512);
