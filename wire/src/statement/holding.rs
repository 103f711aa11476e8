//! What a member still has of a run whose coordinator was away.

use super::{BatchedPermit, Scope, statement};
use crate::codec::List;
use crate::id::{Nonce, SpkiHash, UnixMs};
use crate::limits::HELD_EDGES_MAX;
use crate::stripe_set::StripeSet;

crate::record! {
    /// An edge that brings its child something: what the coordinator
    /// permitted, by its own signature, and what of it works.
    pub struct Held {
        /// The newest permit of the edge; the member is its child.
        pub permit: BatchedPermit,
        /// Stripes of which blocks have come by this edge.
        pub stripes: StripeSet,
    }
}

crate::record! {
    /// Signed by the member's own key: under whom it hangs now. Who hangs
    /// under it, these say themselves.
    pub struct Holding {
        /// Stream, run, the newest epoch that the member knows.
        pub scope: Scope,
        /// The member.
        pub member: SpkiHash,
        /// That of the join which it comes with.
        pub nonce: Nonce,
        /// The edges that work.
        pub edges: List<Held, HELD_EDGES_MAX>,
        /// When it was signed.
        pub issued: UnixMs,
    }
}
statement!(Holding, "roundcast/holding/v1", 28_672);
