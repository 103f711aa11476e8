//! Round trips as the members measure them on their links, and what the
//! coordinator makes of them; as `link::measuring` and
//! `peer/src/station/nearness.rs` do it.

use super::message::Up;
use super::node::{End, Id, Kind, STATION, Step};
use super::world::World;
use overlay::near::{Agreement, LINES_MAX, Lines};
use std::collections::BTreeMap;

/// Members whose coordinates are looked at in one second; see
/// `peer/src/station/nearness.rs`.
const STEPS_PER_S: usize = 512;
/// Relays write no receipts: they tell in every so manieth second.
const RELAYS_TELL_S: u64 = 5;

/// What the coordinator knows of the members' lines.
#[derive(Debug)]
pub(super) struct Nearness {
    lines: Lines<Id>,
    /// The links that a member told last.
    told: BTreeMap<Id, Vec<Id>>,
}

impl Nearness {
    pub(super) fn new() -> Self {
        Self {
            lines: Lines::new(STATION, Agreement::default()),
            told: BTreeMap::new(),
        }
    }

    pub(super) fn forget(&mut self, node: Id) {
        self.lines.forget(node);
        self.told.remove(&node);
    }
}

impl World {
    /// A member tells of its links, if they are others than before.
    pub(super) fn tell_lines(&mut self, id: Id) {
        let others = self.linked(id);
        if self.scenario.rules.nears_max > 0 && self.nearness.told.get(&id) != Some(&others) {
            let count = others.len();
            self.nearness.told.insert(id, others);
            self.say_up(id, Up::Lines { count });
        }
    }

    /// Who is at the other end of a running edge.
    fn linked(&self, id: Id) -> Vec<Id> {
        let node = self.node(id);
        let above = node.parents.iter().map(|e| (*e, End::Child));
        let below = node.children.iter().map(|e| (*e, End::Parent));
        let running = above.chain(below).filter(|(e, end)| {
            let edge = self.edge(*e);
            edge.step(*end) == Step::Running
        });
        let mut others: Vec<Id> = running
            .map(|(e, end)| self.edge(e).node_at(end.other()))
            .collect();
        others.sort_unstable();
        others.dedup();
        others.truncate(LINES_MAX);
        others
    }

    /// The least round trip between two nodes.
    fn rtt_us(&self, a: Id, b: Id) -> u64 {
        2 * self.one_way_us(a, b)
    }

    /// The coordinator hears how long a member's links are.
    pub(super) fn measured(&mut self, from: Id) {
        let others = self.nearness.told.get(&from).cloned().unwrap_or_default();
        let rtts: Vec<(Id, u64)> = others
            .into_iter()
            .map(|to| (to, self.rtt_us(from, to)))
            .collect();
        self.nearness.lines.tell(from, rtts);
    }

    /// Once a second: the station's own links, and who is where by now.
    pub(super) fn locate(&mut self) {
        if self.scenario.rules.nears_max == 0 {
            return;
        }
        let members: Vec<Id> = self.members.keys().copied().collect();
        for id in members {
            let rtt_us = self.rtt_us(STATION, id);
            self.nearness.lines.tell_own(id, rtt_us);
            let relay = matches!(self.node(id).kind, Kind::Relay { .. });
            if relay && (self.now_ms() / 1_000).is_multiple_of(RELAYS_TELL_S) {
                self.tell_lines(id);
            }
        }
        self.plan
            .locate(STATION, self.nearness.lines.at(STATION).unwrap_or_default());
        for (id, at) in self.nearness.lines.step(STEPS_PER_S) {
            self.plan.locate(id, at);
        }
    }
}

impl World {
    /// Of every viewer that can watch, how long the planned way from the station
    /// is by the lines alone, one way, in milliseconds: the k-th of his stripes.
    pub(super) fn ways_ms(&self) -> Vec<u64> {
        let seats: BTreeMap<Id, Vec<Option<Id>>> = self
            .plan
            .seats()
            .into_iter()
            .map(|seat| (seat.node, seat.parents))
            .collect();
        let parent = |id: Id, s: usize| seats.get(&id)?.get(s).copied().flatten();
        let way_us = |id: Id, s: usize| {
            let (mut at, mut sum_us) = (id, 0);
            for _ in 0..seats.len() {
                let Some(above) = parent(at, s) else { break };
                sum_us += self.one_way_us(at, above);
                at = above;
            }
            (at == STATION).then_some(sum_us)
        };
        let width = usize::from(self.stripes.count());
        let enough = usize::from(self.stripes.k()).saturating_sub(1);
        let viewer = |id: &Id| self.node(*id).kind == Kind::Viewer;
        let kth = |id: &Id| {
            let mut ways: Vec<u64> = (0..width).filter_map(|s| way_us(*id, s)).collect();
            ways.sort_unstable();
            ways.get(enough).map(|us| us / 1_000)
        };
        let mut all: Vec<u64> = seats
            .keys()
            .filter(|id| viewer(id))
            .filter_map(kth)
            .collect();
        all.sort_unstable();
        all
    }
}
