//! The control stream of one edge. The end that dialled opens it with
//! [`Edge::Hello`]; the child says [`Edge::Start`] only after it has verified
//! its parent, and the parent sends groups only after `Start` and after it
//! has verified the child.

use crate::codec::List;
use crate::id::{Rendition, Sequence};
use crate::reason::Reason;
use crate::statement::{BatchedPermit, ChunkHeader, HeadBeacon, Revocation, Signed};
use crate::stripe_set::StripeSet;

crate::messages! {
    /// Messages of an edge, in both directions.
    pub enum Edge {
        /// The permit for this edge (dialler, first).
        1 => Hello(BatchedPermit),
        /// The acceptor holds the same edge for permitted.
        2 => Welcome(super::control::Empty),
        /// Child to parent: begin.
        3 => Start(Start),
        /// The permit was renewed for other stripes than before: whoever hears
        /// of it from the coordinator first tells the other end.
        4 => Renew(BatchedPermit),
        /// A head beacon on this path.
        5 => Beacon(Signed<HeadBeacon>),
        /// A member is out.
        6 => Revoked(Signed<Revocation>),
        /// This edge ends.
        7 => Bye(Reason),
        /// The sender has told two stories: whoever hears of it first passes
        /// it on, up and down, once.
        8 => Equivocation(Equivocation),
    }
}

crate::record! {
    /// Where the child wants to begin. Said again when the permit names more
    /// stripes, or when the child needs older chunks: what was sent is not
    /// sent again.
    pub struct Start {
        /// The rendition.
        pub rendition: Rendition,
        /// What it wants; the parent sends those of its own permit alone.
        pub stripes: StripeSet,
        /// What the child already has; none: start at the newest key frame.
        pub resume: Option<Resume>,
    }
}

crate::record! {
    /// What a re-parented child has.
    pub struct Resume {
        /// The newest init segment it has.
        pub init: Option<Sequence>,
        /// The first media chunk of which it needs blocks of these stripes.
        pub next: Sequence,
        /// Block indices of that chunk which it already has.
        pub have: List<u16, 1024>,
    }
}

crate::record! {
    /// Two headers that both bear the sender's signature and contradict each
    /// other (threat D10). A proof by itself: believe it from anybody, after
    /// both signatures were checked.
    pub struct Equivocation {
        /// The one that was known first.
        pub a: Signed<ChunkHeader>,
        /// The one that contradicts it.
        pub b: Signed<ChunkHeader>,
    }
}
