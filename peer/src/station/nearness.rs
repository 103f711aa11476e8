//! Who is near whom, and which edges lose too much: what members and relays
//! tell of their links and the station measures on its own goes into the pure
//! `overlay::near`, and from there to the planner.
//!
//! A round trip counts if both ends have measured it alike. Losses are the
//! sender's word, the only one there is: a parent that lies loses a child, and
//! nobody's standing.

use super::coordinator::Coordinator;
use link::Link;
use overlay::near::{Agreement, Counts, LINES_MAX, Loss, RTT_US_MAX};
use serde_json::json;
use std::collections::BTreeMap;
use wire::message::lines::{Line, Lines};
use wire::{Reason, SpkiHash};

/// Members whose coordinates are looked at in one second.
const STEPS_PER_S: usize = 512;
/// Seconds from one look at the station's own edges to the next.
const OWN_EDGES_S: u32 = 5;

/// What the coordinator knows of the members' lines.
pub(super) struct Nearness {
    lines: overlay::near::Lines<SpkiHash>,
    loss: Loss<SpkiHash>,
    /// The members' control links.
    calls: BTreeMap<SpkiHash, Link>,
    /// Packets of the station's own edges, as counted last.
    counted: BTreeMap<SpkiHash, Counts>,
    seconds: u32,
}

impl Nearness {
    pub(super) fn new(station: SpkiHash, agreement: Agreement) -> Self {
        Self {
            lines: overlay::near::Lines::new(station, agreement),
            loss: Loss::default(),
            calls: BTreeMap::new(),
            counted: BTreeMap::new(),
            seconds: 0,
        }
    }

    /// A member's control link is up.
    pub(super) fn call(&mut self, link: &Link) {
        self.calls.insert(link.peer, link.clone());
    }

    /// The member has gone.
    pub(super) fn forget(&mut self, node: SpkiHash) {
        self.lines.forget(node);
        self.loss.forget(node);
        self.calls.remove(&node);
        self.counted.remove(&node);
    }

    /// What went over an edge of the station since the last look.
    fn since(&mut self, child: SpkiHash, all: Counts) -> Counts {
        let before = self.counted.insert(child, all).unwrap_or_default();
        let before = if before.sent > all.sent {
            Counts::default()
        } else {
            before
        };
        Counts {
            sent: all.sent.saturating_sub(before.sent),
            lost: all.lost.saturating_sub(before.lost),
        }
    }
}

impl Coordinator {
    /// A member or relay tells of its links.
    pub(super) fn lines(&mut self, from: SpkiHash, lines: &Lines) {
        if lines.lines.iter().any(|l| l.rtt_us > RTT_US_MAX) {
            return self.throw_out(from, Reason::Nonsense);
        }
        let known = |other: SpkiHash| other == self.me || self.members.contains_key(&other);
        let known: Vec<&Line> = lines.lines.iter().filter(|l| known(l.other)).collect();
        let rtts: Vec<(SpkiHash, u64)> = known.iter().map(|l| (l.other, l.rtt_us)).collect();
        self.nearness.lines.tell(from, rtts);
        for line in known.into_iter().take(LINES_MAX) {
            let counts = Counts {
                sent: line.sent,
                lost: line.lost,
            };
            self.note_loss(line.other, from, counts);
        }
    }

    /// Once a second: the station's own links, and who is where by now.
    pub(super) fn tend_nearness(&mut self) {
        let near = &mut self.nearness;
        for (node, link) in &near.calls {
            near.lines.tell_own(*node, link.path().rtt_us);
        }
        near.seconds = near.seconds.wrapping_add(1);
        let own = near.seconds.is_multiple_of(OWN_EDGES_S);
        let paths = if own {
            self.node.paths()
        } else {
            BTreeMap::new()
        };
        for (child, path) in paths {
            let all = Counts {
                sent: path.sent,
                lost: path.lost,
            };
            let counts = self.nearness.since(child, all);
            self.nearness.lines.tell_own(child, path.rtt_us);
            self.note_loss(child, self.me, counts);
        }
        if let Some(at) = self.nearness.lines.at(self.me) {
            self.planner.locate(self.me, at);
        }
        for (node, at) in self.nearness.lines.step(STEPS_PER_S) {
            self.planner.locate(node, at);
        }
    }

    /// What a parent sent to a child, and what of it was lost. Whoever is no
    /// parent of `child` says nothing about it.
    fn note_loss(&mut self, child: SpkiHash, parent: SpkiHash, counts: Counts) {
        let fed = self.planner.node(child);
        if !fed.is_some_and(|view| view.parents.contains(&Some(parent))) {
            return self.nearness.loss.end(child, parent);
        }
        let now_ms = self.clock.mono_ms();
        let leaves = self.nearness.loss.note(now_ms, child, parent, counts);
        if leaves && self.planner.edge_lossy(child, parent) {
            self.nearness.loss.moved(now_ms, child, parent);
            let fields = json!({"child": child.to_hex(), "parent": parent.to_hex()});
            self.emit.tell("edge_lossy", fields);
        }
    }
}

#[cfg(test)]
mod tests;
