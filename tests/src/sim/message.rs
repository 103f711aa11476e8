//! What members and the coordinator tell each other, as far as it matters
//! here; `wire::message::control` has the real ones, by which these are
//! measured.

use super::mesh::LinkIx;
use super::node::{EdgeIx, End, Id};
use overlay::slots::Summary;
use wire::message::control::Choice;
use wire::{AskId, StripeSet};

/// Member to coordinator.
#[derive(Debug, Clone, Copy)]
pub(super) enum Up {
    Join,
    Claim,
    Answer {
        ask: AskId,
        choice: Choice,
    },
    /// A sponsor's relay is there.
    Introduce {
        relay: Id,
    },
    /// A stripe of an edge works.
    Works {
        parent: Id,
        stripe: u8,
    },
    EdgeDown {
        parent: Id,
        why: Why,
    },
    /// A child does not answer any more.
    ChildGone {
        child: Id,
    },
    /// The edge stands, and nothing comes, or too late.
    Withheld {
        parent: Id,
        stripe: u8,
    },
    /// A link of neighbours is gone.
    NeighbourDown {
        child: Id,
        parent: Id,
    },
    Receipt {
        parent: Id,
        summary: Summary,
    },
    /// So many links have been measured; see `nearness`.
    Lines {
        count: usize,
    },
    Leave,
}

impl Up {
    /// For the report.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Claim => "claim",
            Self::Answer { .. } => "answer",
            Self::Introduce { .. } => "introduce",
            Self::Works { .. } => "edge_up",
            Self::EdgeDown { .. } | Self::ChildGone { .. } => "edge_down",
            Self::Withheld { .. } => "withheld",
            Self::NeighbourDown { .. } => "neighbour_down",
            Self::Receipt { .. } => "receipt",
            Self::Lines { .. } => "lines",
            Self::Leave => "leave",
        }
    }
}

/// Why an edge is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The parent does not answer, or has closed the link.
    Gone,
    /// The other end holds the edge for not permitted.
    PermitMissing,
    /// The coordinator wanted it so.
    Reparented,
}

/// Coordinator to member.
#[derive(Debug, Clone, Copy)]
pub(super) enum Down {
    Admitted,
    Refused,
    /// Make the edge, or give it these stripes.
    Edge {
        edge: EdgeIx,
        end: End,
        stripes: StripeSet,
    },
    EdgeEnd {
        edge: EdgeIx,
        end: End,
    },
    /// The child may pull from the parent.
    Neighbour {
        link: LinkIx,
        end: End,
    },
    NeighbourEnd {
        link: LinkIx,
        end: End,
    },
    Ask {
        ask: AskId,
    },
    Granted,
    NotNeeded,
    Beacon {
        head: u64,
    },
}

impl Down {
    /// For the report.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Refused => "refused",
            Self::Edge { .. } => "edge",
            Self::EdgeEnd { .. } => "edge_end",
            Self::Neighbour { .. } => "neighbour",
            Self::NeighbourEnd { .. } => "neighbour_end",
            Self::Ask { .. } => "ask",
            Self::Granted => "granted",
            Self::NotNeeded => "not_needed",
            Self::Beacon { .. } => "beacon",
        }
    }
}
