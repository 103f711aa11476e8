//! What was permitted: one permit for each pair of nodes, for all stripes that
//! the planner gives the child of this parent; as
//! `peer/src/station/permits.rs` has it.

use super::node::{EdgeIx, Id};
use std::collections::{BTreeMap, BTreeSet};
use wire::statement::Priority;
use wire::{Stripe, StripeSet};

/// A child and its parent.
pub(super) type Pair = (Id, Id);

/// What the child may take from the parent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permitted {
    pub(super) stripes: StripeSet,
    pub(super) priority: Priority,
    pub(super) minted_ms: Option<u64>,
    /// The edge that was ordered, once it was.
    pub(super) edge: Option<EdgeIx>,
}

/// What becomes of a pair, once all that the planner wanted is known.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// A permit is due.
    Permit(Permitted),
    /// The edge ends, if it was ordered.
    End(Option<EdgeIx>),
}

#[derive(Debug, Default)]
pub(super) struct Permits {
    permitted: BTreeMap<Pair, Permitted>,
    changed: BTreeSet<Pair>,
}

impl Permits {
    /// The child gets one more stripe there.
    pub(super) fn attach(&mut self, pair: Pair, stripe: Stripe, priority: Priority) {
        self.changed.insert(pair);
        let permitted = self.permitted.entry(pair).or_insert(Permitted {
            stripes: StripeSet::EMPTY,
            priority,
            minted_ms: None,
            edge: None,
        });
        permitted.stripes = permitted.stripes.with(stripe);
        permitted.priority = priority;
    }

    /// The child gets this stripe there no more.
    pub(super) fn detach(&mut self, pair: Pair, stripe: Stripe) {
        if let Some(permitted) = self.permitted.get_mut(&pair) {
            self.changed.insert(pair);
            permitted.stripes = permitted.stripes.without(stripe);
        }
    }

    /// What has changed since the last time: ends first.
    pub(super) fn changes(&mut self) -> Vec<(Pair, Change)> {
        let (mut ends, mut permits) = (Vec::new(), Vec::new());
        for pair in std::mem::take(&mut self.changed) {
            match self.permitted.get(&pair).copied() {
                Some(permitted) if permitted.stripes.is_empty() => {
                    self.permitted.remove(&pair);
                    ends.push((pair, Change::End(permitted.edge)));
                }
                Some(permitted) => permits.push((pair, Change::Permit(permitted))),
                None => {}
            }
        }
        ends.append(&mut permits);
        ends
    }

    /// A permit was signed for this edge.
    pub(super) fn minted(&mut self, pair: Pair, edge: EdgeIx, now_ms: u64) {
        if let Some(permitted) = self.permitted.get_mut(&pair) {
            permitted.minted_ms = Some(now_ms);
            permitted.edge = Some(edge);
        }
    }

    /// Permits that are older than this.
    pub(super) fn older_than(&self, age_ms: u64, now_ms: u64) -> Vec<(Pair, Permitted)> {
        let old = |p: &Permitted| {
            let minted_ms = p.minted_ms;
            minted_ms.is_some_and(|at| now_ms.saturating_sub(at) > age_ms)
        };
        let pairs = self.permitted.iter().filter(|(_, p)| old(p));
        pairs.map(|(pair, p)| (*pair, *p)).collect()
    }

    /// A node is gone, and all its edges with it.
    pub(super) fn forget(&mut self, node: Id) {
        let other = |(child, parent): &Pair| *child != node && *parent != node;
        self.permitted.retain(|pair, _| other(pair));
        self.changed.retain(other);
    }
}
