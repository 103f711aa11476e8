//! What the planner wants done.

use wire::statement::{Cause, Priority, Step};
use wire::{AskId, Reason, Stripe};

/// Which question to the audience, for what, and how far it had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// The question.
    pub ask: AskId,
    /// What made capacity short.
    pub cause: Cause,
    /// The group that the asked member belongs to.
    pub step: Step,
}

/// One thing to do, in the order in which the planner gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<N> {
    /// Permit this edge to both ends. The planner waits for
    /// [`super::Planner::edge_up`] or [`super::Planner::edge_failed`].
    Attach {
        /// The stripe.
        stripe: Stripe,
        /// Who receives.
        child: N,
        /// Who sends.
        parent: N,
        /// The child's standing at this parent.
        priority: Priority,
        /// The old parent, which goes on sending until a `Detach` follows.
        replaces: Option<N>,
    },
    /// End this edge; tell whichever end is still there.
    Detach {
        /// The stripe.
        stripe: Stripe,
        /// Who received.
        child: N,
        /// Who sent.
        parent: N,
    },
    /// The viewer or relay lost so many stripes that it is without the stream,
    /// and waits for places.
    Orphaned {
        /// The node.
        node: N,
    },
    /// There are fewer edges than the viewers need.
    CapacityShort {
        /// What made capacity short.
        cause: Cause,
        /// Missing edges; k+m are one child's full rate.
        deficit_edges: u32,
        /// Viewers without the stream; who has k stripes or more is not short.
        viewers_short: u32,
    },
    /// Ask a member whether he would sponsor a relay.
    Ask {
        /// Who is asked.
        to: N,
        /// The question.
        question: Question,
        /// Missing edges.
        deficit_edges: u32,
        /// Viewers without the stream; who has k stripes or more is not short.
        viewers_short: u32,
        /// Rounds that would end the shortage, less those that are granted.
        rounds_wanted: u32,
        /// Milliseconds to answer, from now.
        deadline_ms: u64,
    },
    /// The member may redeem his voucher.
    Grant {
        /// The sponsor.
        to: N,
        /// The question that he answered.
        question: Question,
        /// Milliseconds until the reservation ends, from now.
        expiry_ms: u64,
    },
    /// The question is withdrawn, or the answer came too late.
    NotNeeded {
        /// Who was asked.
        to: N,
        /// The question.
        question: Question,
    },
    /// The member did not answer in time.
    TimedOut {
        /// Who was asked.
        to: N,
        /// The question.
        question: Question,
    },
    /// The sponsor brought no relay in time; the asking goes on.
    GrantExpired {
        /// The sponsor.
        to: N,
        /// The question that he had answered.
        question: Question,
    },
    /// The node is out; the planner has forgotten it.
    Refuse {
        /// The node.
        node: N,
        /// Why.
        reason: Reason,
    },
}
