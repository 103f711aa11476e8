//! Permits: the coordinator's leave for one edge of the tree.

use super::{Scope, statement};
use crate::id::{OrderId, Rendition, SpkiHash, UnixMs};
use crate::stripe_set::StripeSet;

crate::code! {
    /// Who is served first when an uplink is full (paper, sections 2.3, 2.4).
    pub enum Priority {
        /// The sponsor of the relay that is the parent here.
        OwnSponsor = 0 => "own_sponsor",
        /// A relay below.
        Relay = 1 => "relay",
        /// The sponsor of another relay.
        Sponsor = 2 => "sponsor",
        /// A peer that forwards.
        Contributor = 3 => "contributor",
        /// A peer that forwards nothing.
        FreeRider = 4 => "free_rider",
    }
}

crate::code! {
    /// What crosses an edge by itself.
    pub enum PermitKind {
        /// The stripes of the permit, as they come.
        Push = 0 => "push",
        /// Nothing: the child pulls, of these stripes, what it misses.
        Repair = 1 => "repair",
    }
}

crate::record! {
    /// One edge: this child may take these stripes from this parent until then.
    pub struct Permit {
        /// Stream, run, epoch.
        pub scope: Scope,
        /// Grows with every permit of the run: of two for the same edge the
        /// one with the larger number counts.
        pub serial: u64,
        /// Whether the stripes are pushed, or blocks of them may be pulled.
        pub kind: PermitKind,
        /// The stripes: the parent sends the child blocks of these alone.
        pub stripes: StripeSet,
        /// The rendition.
        pub rendition: Rendition,
        /// Who sends.
        pub parent: SpkiHash,
        /// Who receives.
        pub child: SpkiHash,
        /// The order of the parent, if it is a relay.
        pub parent_order: Option<OrderId>,
        /// The order of the child, if it is a relay.
        pub child_order: Option<OrderId>,
        /// The child's standing at this parent.
        pub priority: Priority,
        /// Block bytes (data, without framing) that may cross this edge under
        /// this permit.
        pub byte_budget: u64,
        /// When it was signed.
        pub issued: UnixMs,
        /// When it ends, at most [`crate::limits::PERMIT_LIFE_MS_MAX`] later.
        pub expiry: UnixMs,
    }
}
statement!(Permit, "roundcast/permit/v1", 512);

crate::record! {
    /// A member is out, at once. The epoch is the first without it.
    pub struct Revocation {
        /// Stream, run, first epoch without the member.
        pub scope: Scope,
        /// Who is out.
        pub member: SpkiHash,
        /// When it was signed.
        pub issued: UnixMs,
    }
}
statement!(Revocation, "roundcast/revocation/v1", 256);
