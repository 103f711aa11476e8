//! Events that do not fit the state.

use thiserror::Error;

/// Why an event was refused; the state is as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// The node is not part of the tree.
    #[error("plan: the node is unknown; let it join first")]
    UnknownNode,
    /// The node is part of the tree already.
    #[error("plan: the node is a member already; take it out before it joins again")]
    AlreadyMember,
    /// The station neither joins, leaves nor is sponsored.
    #[error("plan: the station is the root of the tree; end the run instead")]
    Station,
    /// The member was never asked this.
    #[error("answer: this member was not asked this question; ignore the answer")]
    UnknownAsk,
    /// Fewer than two renditions, or they do not get smaller.
    #[error("ladder: name two renditions or more, each smaller than the one before")]
    NoLadder,
}

impl Error {
    /// The stable name.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownNode => "unknown_node",
            Self::AlreadyMember => "already_member",
            Self::Station => "station",
            Self::UnknownAsk => "unknown_ask",
            Self::NoLadder => "no_ladder",
        }
    }
}
