//! Round trips as the members tell them, and the coordinates that follow.

use super::Coordinate;
use crate::NodeId;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

/// Links of one member that count.
pub const LINES_MAX: usize = wire::limits::LINES_MAX;
/// Round trips above this are no link's, in microseconds.
pub const RTT_US_MAX: u64 = 10_000_000;
/// Two ends agree if the longer word is at most this many halves of the
/// shorter one, and [`AGREE_US`].
const AGREE_HALVES: u64 = 3;
/// See [`AGREE_HALVES`]: one end may have seen few packets.
const AGREE_US: u64 = 10_000;

/// Whose word about a round trip counts (threat D5).
#[derive(Debug, Clone, Copy, Default)]
pub struct Agreement(Believed);

#[derive(Debug, Clone, Copy, Default)]
enum Believed {
    /// What both ends have measured alike, and the coordinator itself.
    #[default]
    Both,
    #[cfg(any(test, feature = "ablation"))]
    Either,
}

impl Agreement {
    /// Whatever either end says, the shorter word of the two.
    #[cfg(any(test, feature = "ablation"))]
    #[must_use]
    pub fn dangerously_either() -> Self {
        #[cfg(feature = "ablation")]
        let _ = certs::ablation::marker();
        Self(Believed::Either)
    }

    /// The round trip of a link by what its ends say, in microseconds.
    fn of(self, one: Option<u64>, other: Option<u64>) -> Option<u64> {
        match self.0 {
            Believed::Both => {
                let (one, other) = (one?, other?);
                let (short, long) = (one.min(other), one.max(other));
                let most = short.saturating_mul(AGREE_HALVES) / 2;
                (long <= most.saturating_add(AGREE_US)).then_some(long)
            }
            #[cfg(any(test, feature = "ablation"))]
            Believed::Either => one.into_iter().chain(other).min(),
        }
    }
}

/// What is known of one member.
#[derive(Debug, Clone)]
struct Line<N> {
    at: Coordinate,
    /// By its own word: to whom, and how long, in microseconds.
    told: BTreeMap<N, u64>,
}

impl<N> Default for Line<N> {
    fn default() -> Self {
        Self {
            at: Coordinate::default(),
            told: BTreeMap::new(),
        }
    }
}

/// The members' lines, at the coordinator.
#[derive(Debug, Clone)]
pub struct Lines<N> {
    station: N,
    agreement: Agreement,
    lines: BTreeMap<N, Line<N>>,
    next: Option<N>,
    turn: usize,
}

impl<N: NodeId> Lines<N> {
    /// Nothing is known; `station` is the coordinator's own node, whose word
    /// counts alone.
    #[must_use]
    pub fn new(station: N, agreement: Agreement) -> Self {
        Self {
            station,
            agreement,
            lines: BTreeMap::new(),
            next: None,
            turn: 0,
        }
    }

    /// `from` says how long its links are, in microseconds; that replaces what
    /// it said before. What is beyond [`LINES_MAX`] or no round trip is left
    /// out.
    pub fn tell(&mut self, from: N, rtts: impl IntoIterator<Item = (N, u64)>) {
        let good = |(to, us): &(N, u64)| *to != from && (1..=RTT_US_MAX).contains(us);
        let most = if from == self.station {
            usize::MAX
        } else {
            LINES_MAX
        };
        let told = rtts.into_iter().filter(good).take(most).collect();
        self.lines.entry(from).or_default().told = told;
    }

    /// The coordinator itself has measured this link, in microseconds.
    pub fn tell_own(&mut self, to: N, rtt_us: u64) {
        if to != self.station && (1..=RTT_US_MAX).contains(&rtt_us) {
            let own = self.lines.entry(self.station).or_default();
            own.told.insert(to, rtt_us);
            self.lines.entry(to).or_default();
        }
    }

    /// The member has gone.
    pub fn forget(&mut self, node: N) {
        self.lines.remove(&node);
        if let Some(own) = self.lines.get_mut(&self.station) {
            own.told.remove(&node);
        }
    }

    /// Where a member is; none if nothing has told yet.
    #[must_use]
    pub fn at(&self, node: N) -> Option<Coordinate> {
        if node == self.station {
            return Some(Coordinate::middle());
        }
        let line = self.lines.get(&node)?;
        (line.at != Coordinate::default()).then_some(line.at)
    }

    /// Moves the next members, at most so many, a little to where their links
    /// say that they are; returns who moved. Costs O(log n) for each of them.
    pub fn step(&mut self, most: usize) -> Vec<(N, Coordinate)> {
        let from = self.next.map_or(Unbounded, Excluded);
        let due: Vec<N> = self
            .lines
            .range((from, Unbounded))
            .take(most)
            .map(|(n, _)| *n)
            .collect();
        self.next = if due.len() < most {
            None
        } else {
            due.last().copied()
        };
        due.into_iter()
            .filter_map(|node| self.settle(node))
            .collect()
    }

    fn settle(&mut self, node: N) -> Option<(N, Coordinate)> {
        if node == self.station {
            return None;
        }
        let before = self.lines.get(&node)?.at;
        let mut at = before;
        for (other, rtt_us) in self.known(node) {
            if let Some(there) = self.at(other) {
                self.turn = self.turn.wrapping_add(1);
                at.pull(&there, rtt_us as f32 / 1e3, self.turn);
            }
        }
        self.lines.get_mut(&node)?.at = at;
        (at != before).then_some((node, at))
    }

    /// The links of a member that count.
    fn known(&self, node: N) -> Vec<(N, u64)> {
        let own = self
            .lines
            .get(&self.station)
            .and_then(|own| own.told.get(&node));
        let own = own.map(|us| (self.station, *us));
        let told = self
            .lines
            .get(&node)
            .into_iter()
            .flat_map(|line| &line.told);
        let agreed = told
            .filter(|(to, _)| **to != self.station)
            .filter_map(|(to, us)| {
                let back = self.lines.get(to).and_then(|line| line.told.get(&node));
                let rtt_us = self.agreement.of(Some(*us), back.copied())?;
                Some((*to, rtt_us))
            });
        own.into_iter().chain(agreed).collect()
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests;
