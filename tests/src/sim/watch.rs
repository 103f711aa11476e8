//! A node looks whether its parents keep up, and a viewer receipts what they
//! sent.

use super::message::Up;
use super::node::{EdgeIx, Id, Kind, Step};
use super::stream::RENDITION;
use super::world::{Event, World};
use overlay::slots::Summary;
use wire::{Sequence, Stripe, StripeSet};

/// How long after a word about silence the next one follows; see
/// `overlay/link/src/edge/silence.rs`.
const AGAIN_US: u64 = 2_000_000;
/// See [`World::look_for_lateness`].
const LOOK_US: u64 = 500_000;
/// See `peer/src/viewer/control.rs`.
const RECEIPT_US: u64 = 5_000_000;

impl World {
    /// The child begins to watch an edge.
    pub(super) fn watch(&mut self, ix: EdgeIx) {
        let silence_us = self.scenario.rules.silence_ms * 1_000;
        if silence_us > 0 {
            self.queue.after(silence_us, Event::Silent(ix));
        }
    }

    /// Reports stripes of which nothing has come, again and again. Among
    /// several stripes only those are silent that lack in a chunk of which
    /// others came, as `overlay/link/src/edge/silence.rs` has it.
    pub(super) fn look_for_silence(&mut self, ix: EdgeIx) {
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        if self.edge(ix).at_child != Step::Running || !self.node(child).alive {
            return;
        }
        let now_us = self.now_us();
        let silence_us = self.scenario.rules.silence_ms * 1_000;
        let mut next_us = now_us + silence_us;
        for stripe in self.edge(ix).wanted.iter() {
            let heard_us = self.edge(ix).heard_us.get(usize::from(stripe.0)).copied();
            let due_us = heard_us.unwrap_or(now_us) + silence_us;
            if now_us < due_us {
                next_us = next_us.min(due_us);
            } else if self.is_overdue(ix, stripe) {
                self.measure.silent();
                next_us = now_us + AGAIN_US;
                let stripe = stripe.0;
                self.say_up(child, Up::Withheld { parent, stripe });
            }
        }
        self.queue.at(next_us, Event::Silent(ix));
    }

    fn is_overdue(&self, ix: EdgeIx, stripe: Stripe) -> bool {
        if self.stripes.count() == 1 {
            return true;
        }
        let edge = self.edge(ix);
        let resume = edge.start.as_ref().and_then(|start| start.resume.as_ref());
        let from = resume.map_or(Sequence(0), |resume| resume.next);
        let before_ms = self.now_ms().saturating_sub(self.scenario.rules.silence_ms);
        let forwarder = &self.node(edge.child).forwarder;
        let set = StripeSet::one(stripe);
        let overdue = forwarder.overdue(RENDITION, set, from, before_ms);
        // Before anything has come there is nothing to compare with.
        !overdue.is_empty() || self.node(edge.child).newest.is_none()
    }

    /// A node that is late and does not catch up says so of the parents that
    /// are late, as `overlay/link/src/edge/beacon.rs` does with more patience.
    pub(super) fn look_for_lateness(&mut self, id: Id) {
        if !self.node(id).alive {
            return;
        }
        self.queue.after(LOOK_US, Event::Look(id));
        let late_ms = self.scenario.rules.late_ms;
        if late_ms == 0 {
            return;
        }
        let late_chunks = late_ms / self.scenario.stream.chunk_ms;
        let node = self.node_mut(id);
        let Some(head) = node.head else { return };
        let lag =
            |head: u64, newest: Option<u64>| newest.map_or(u64::MAX, |n| head.saturating_sub(n));
        let before = node.lag_before.replace((head, node.newest));
        let Some((head_before, newest_before)) = before else {
            return;
        };
        let now = lag(head, node.newest);
        let behind = now > late_chunks && node.newest < Some(head_before);
        if !behind || now < lag(head_before, newest_before) {
            return;
        }
        for ix in self.node(id).parents.clone() {
            self.report_late(ix, id, head.saturating_sub(late_chunks));
        }
    }

    fn report_late(&mut self, ix: EdgeIx, child: Id, floor: u64) {
        let edge = self.edge(ix);
        if edge.at_child != Step::Running {
            return;
        }
        let parent = edge.parent;
        let late = |stripe: &Stripe| {
            let account = edge.accounts.get(usize::from(stripe.0));
            let newest = account.and_then(|a| a.newest.max(a.receipted));
            edge.up.has(*stripe) && newest < Some(floor)
        };
        let stripes: Vec<Stripe> = edge.wanted.iter().filter(late).collect();
        for stripe in stripes {
            self.measure.late();
            let stripe = stripe.0;
            self.say_up(child, Up::Withheld { parent, stripe });
        }
    }

    /// Receipts for all parents.
    pub(super) fn write_receipts(&mut self, id: Id) {
        if !self.node(id).alive {
            return;
        }
        self.queue.after(RECEIPT_US, Event::Receipts(id));
        self.tell_lines(id);
        for ix in self.node(id).parents.clone() {
            self.receipts(ix);
        }
    }

    /// Receipts for all stripes of an edge.
    pub(super) fn receipts(&mut self, ix: EdgeIx) {
        for stripe in 0..self.stripes.count() {
            self.receipt(ix, stripe);
        }
    }

    /// The receipt for what a stripe of an edge brought since the last one, if
    /// anything.
    pub(super) fn receipt(&mut self, ix: EdgeIx, stripe: u8) {
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        if self.node(child).kind != Kind::Viewer {
            // A relay has no key for receipts.
            return;
        }
        let Some(account) = self.edge_mut(ix).accounts.get_mut(usize::from(stripe)) else {
            return;
        };
        let (Some(first), Some(newest)) = (account.first.take(), account.newest.take()) else {
            return;
        };
        let from = account.receipted.map_or(first, |n| n + 1);
        account.receipted = account.receipted.max(Some(newest));
        let summary = Summary {
            bytes: std::mem::take(&mut account.bytes),
            due: (newest + 1).saturating_sub(from),
            in_time: std::mem::take(&mut account.in_time),
        };
        self.say_up(child, Up::Receipt { parent, summary });
    }
}
