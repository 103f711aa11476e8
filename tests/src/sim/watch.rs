//! A node looks whether its parents keep up, and a viewer receipts what they
//! sent.

use super::message::Up;
use super::node::{EdgeIx, Id, Kind, Step};
use super::world::{Event, World};
use overlay::slots::Summary;

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

    /// Reports stripes of which nothing has come, again and again.
    pub(super) fn look_for_silence(&mut self, ix: EdgeIx) {
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        if self.edge(ix).at_child != Step::Running || !self.node(child).alive {
            return;
        }
        let now_us = self.now_us();
        let silence_us = self.scenario.rules.silence_ms * 1_000;
        let mut next_us = now_us + silence_us;
        for stripe in 0..self.stream.width() {
            let heard_us = self.edge(ix).heard_us.get(usize::from(stripe)).copied();
            let Some(heard_us) = heard_us.filter(|_| self.edge(ix).stripes >> stripe & 1 == 1)
            else {
                continue;
            };
            if now_us >= heard_us + silence_us {
                self.measure.silent();
                self.say_up(child, Up::Withheld { parent, stripe });
            } else {
                next_us = next_us.min(heard_us + silence_us);
            }
        }
        self.queue.at(next_us, Event::Silent(ix));
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
        let started = edge.at_child == Step::Running && edge.up != 0;
        let newest = edge.account.newest.max(edge.account.receipted);
        if !started || newest >= Some(floor) {
            return;
        }
        let (parent, stripes) = (edge.parent, edge.stripes);
        for stripe in (0..self.stream.width()).filter(|s| stripes >> s & 1 == 1) {
            self.measure.late();
            self.say_up(child, Up::Withheld { parent, stripe });
        }
    }

    /// Receipts for all parents.
    pub(super) fn write_receipts(&mut self, id: Id) {
        if !self.node(id).alive {
            return;
        }
        self.queue.after(RECEIPT_US, Event::Receipts(id));
        for ix in self.node(id).parents.clone() {
            self.receipt(ix);
        }
    }

    /// The receipt for what an edge brought since the last one, if anything.
    pub(super) fn receipt(&mut self, ix: EdgeIx) {
        let (parent, child) = (self.edge(ix).parent, self.edge(ix).child);
        if self.node(child).kind != Kind::Viewer {
            // A relay has no key for receipts.
            return;
        }
        let stripes = u64::from(self.edge(ix).stripes.count_ones().max(1));
        let account = &mut self.edge_mut(ix).account;
        let (Some(first), Some(newest)) = (account.first.take(), account.newest.take()) else {
            return;
        };
        let from = account.receipted.map_or(first, |n| n + 1);
        account.receipted = account.receipted.max(Some(newest));
        let summary = Summary {
            bytes: std::mem::take(&mut account.bytes),
            due: (newest + 1).saturating_sub(from) * stripes,
            in_time: std::mem::take(&mut account.in_time),
        };
        self.say_up(child, Up::Receipt { parent, summary });
    }
}
