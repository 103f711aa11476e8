//! Who may pull from whom when parents fail: for each viewer a few others from
//! other branches, of those with upload the ones that have least above them in
//! common with him.
//!
//! What an event costs is bounded: a sample of members is looked at, and those
//! who lack neighbours take turns.

use super::Planner;
use super::forest::{Ix, ROOT};
use super::lot::{GAMMA, mix};
use crate::NodeId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Neighbours of one viewer: the chance that all of them hang under the same
/// failed node as his parent is small, and each costs a few bytes a second.
const NEIGHBOURS: usize = 3;
/// Viewers that may pull from one: what one of them misses is a part of the
/// stream, but all may miss it at once.
const PULLERS_MAX: usize = 6;
/// Members that are looked at for one place.
const SAMPLE: usize = 16;
/// Viewers whose places are looked at in one [`Neighbours::tend`].
const TENDED_MAX: usize = 16;
/// Neighbours that a viewer is not given again; older ones are forgotten.
const LEFT_MAX: usize = 16;

/// A link of neighbours begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighbourChange<N> {
    /// `child` may pull from `parent`.
    Link {
        /// Who pulls.
        child: N,
        /// Who answers.
        parent: N,
    },
    /// It may not any more.
    End {
        /// Who pulled.
        child: N,
        /// Who answered.
        parent: N,
    },
}

/// The neighbours of all viewers. Equal seeds and equal events give equal
/// changes.
#[derive(Debug, Clone)]
pub struct Neighbours<N> {
    seed: u64,
    /// Everybody, for samples; where each one is in it.
    members: Vec<N>,
    places: BTreeMap<N, usize>,
    /// Whom a viewer pulls from, and who pulls from him.
    parents: BTreeMap<N, BTreeSet<N>>,
    pullers: BTreeMap<N, BTreeSet<N>>,
    /// Whom a viewer has left, oldest first.
    left: BTreeMap<N, VecDeque<N>>,
    turns: Turns<N>,
    changes: VecDeque<NeighbourChange<N>>,
}

impl<N: NodeId> Neighbours<N> {
    /// Of nobody. `seed` decides between equals.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            members: Vec::new(),
            places: BTreeMap::new(),
            parents: BTreeMap::new(),
            pullers: BTreeMap::new(),
            left: BTreeMap::new(),
            turns: Turns::new(),
            changes: VecDeque::new(),
        }
    }

    /// The next link that begins or ends.
    pub fn poll_change(&mut self) -> Option<NeighbourChange<N>> {
        self.changes.pop_front()
    }

    /// A viewer has come. He is given neighbours by [`Neighbours::tend`].
    pub fn join(&mut self, node: N) {
        if !self.places.contains_key(&node) {
            self.places.insert(node, self.members.len());
            self.members.push(node);
            self.turns.next(node);
        }
    }

    /// A viewer is gone: his links end without a word to him, and those who
    /// pulled from him are next.
    pub fn leave(&mut self, node: N) {
        let Some(place) = self.places.remove(&node) else {
            return;
        };
        self.members.swap_remove(place);
        if let Some(moved) = self.members.get(place) {
            self.places.insert(*moved, place);
        }
        self.left.remove(&node);
        self.turns.remove(node);
        for parent in self.parents.remove(&node).unwrap_or_default() {
            self.unlink(node, parent);
        }
        for child in self.pullers.remove(&node).unwrap_or_default() {
            self.unlink(child, node);
            self.turns.next(child);
        }
    }

    /// The link does not work, or the child has left this neighbour: he gets
    /// another one.
    pub fn broke(&mut self, child: N, parent: N) {
        if !self.has(child, parent) {
            return;
        }
        self.unlink(child, parent);
        let left = self.left.entry(child).or_default();
        left.push_back(parent);
        if left.len() > LEFT_MAX {
            left.pop_front();
        }
        self.turns.next(child);
    }

    /// Whether `child` may pull from `parent`.
    #[must_use]
    pub fn has(&self, child: N, parent: N) -> bool {
        let parents = self.parents.get(&child);
        parents.is_some_and(|parents| parents.contains(&parent))
    }

    /// Whether more viewers lack neighbours than one [`Neighbours::tend`] looks
    /// at, as in a crowd: then it should not wait for the next second.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.turns.urgent().nth(TENDED_MAX).is_some()
    }

    /// Looks at some viewers in turn: gives neighbours to those who lack some,
    /// and better ones to those who have one above or below themselves.
    pub fn tend(&mut self, planner: &Planner<N>) {
        for _ in 0..TENDED_MAX.min(self.members.len()) {
            let Some(child) = self.turns.take() else {
                return;
            };
            self.tend_one(planner, child);
        }
    }

    fn tend_one(&mut self, planner: &Planner<N>, child: N) {
        let parents = self.parents.get(&child).into_iter().flatten().copied();
        let worst = parents
            .filter_map(|parent| Some((planner.nearness(child, parent)?, parent)))
            .max();
        let full = self.parents.get(&child).map_or(0, BTreeSet::len) >= NEIGHBOURS;
        let replaced = worst.filter(|(nearness, _)| full && nearness.related);
        if full && replaced.is_none() {
            return;
        }
        for _ in 0..NEIGHBOURS {
            if self.parents.get(&child).map_or(0, BTreeSet::len) >= NEIGHBOURS && replaced.is_none()
            {
                return;
            }
            let Some((nearness, parent)) = self.best(planner, child) else {
                return;
            };
            if let Some((_, old)) = replaced {
                if !nearness.related {
                    self.unlink(child, old);
                    self.link(child, parent);
                }
                return;
            }
            self.link(child, parent);
        }
    }

    /// The best of a sample that the child has not yet.
    fn best(&mut self, planner: &Planner<N>, child: N) -> Option<(Nearness, N)> {
        let mut best: Option<(Nearness, N)> = None;
        for _ in 0..SAMPLE.min(self.members.len().saturating_mul(2)) {
            let at = self.dice() % (self.members.len().max(1) as u64);
            let other = *self.members.get(usize::try_from(at).ok()?)?;
            let busy = self.pullers.get(&other).map_or(0, BTreeSet::len);
            let left = self.left.get(&child);
            let no = other == child
                || busy >= PULLERS_MAX
                || self.has(child, other)
                || left.is_some_and(|left| left.contains(&other));
            let Some(mut nearness) = planner.nearness(child, other).filter(|_| !no) else {
                continue;
            };
            nearness.busy = busy;
            if best.is_none_or(|(known, _)| nearness < known) {
                best = Some((nearness, other));
            }
        }
        best
    }

    fn dice(&mut self) -> u64 {
        let lot = mix(self.seed);
        self.seed = self.seed.wrapping_add(GAMMA);
        lot
    }

    fn link(&mut self, child: N, parent: N) {
        self.parents.entry(child).or_default().insert(parent);
        self.pullers.entry(parent).or_default().insert(child);
        let change = NeighbourChange::Link { child, parent };
        self.changes.push_back(change);
    }

    fn unlink(&mut self, child: N, parent: N) {
        for (map, key, value) in [
            (&mut self.parents, child, parent),
            (&mut self.pullers, parent, child),
        ] {
            if let Some(set) = map.get_mut(&key) {
                set.remove(&value);
                if set.is_empty() {
                    map.remove(&key);
                }
            }
        }
        let change = NeighbourChange::End { child, parent };
        self.changes.push_back(change);
    }
}

/// Viewers to look at, each once: the urgent ones first, then in rounds.
#[derive(Debug, Clone)]
struct Turns<N> {
    next: BTreeMap<(bool, u64), N>,
    of: BTreeMap<N, (bool, u64)>,
    count: u64,
}

impl<N: NodeId> Turns<N> {
    const fn new() -> Self {
        Self {
            next: BTreeMap::new(),
            of: BTreeMap::new(),
            count: 0,
        }
    }

    fn put(&mut self, node: N, later: bool) {
        self.remove(node);
        self.count = self.count.saturating_add(1);
        let turn = (later, self.count);
        self.next.insert(turn, node);
        self.of.insert(node, turn);
    }

    /// The node is one of the urgent ones.
    fn next(&mut self, node: N) {
        self.put(node, false);
    }

    fn urgent(&self) -> impl Iterator<Item = N> + '_ {
        let urgent = self.next.range(..(true, 0));
        urgent.map(|(_, node)| *node)
    }

    /// Whose turn it is; he is the last of the round from now on.
    fn take(&mut self) -> Option<N> {
        let (_, node) = self.next.first_key_value()?;
        let node = *node;
        self.put(node, true);
        Some(node)
    }

    fn remove(&mut self, node: N) {
        if let Some(turn) = self.of.remove(&node) {
            self.next.remove(&turn);
        }
    }
}

/// How little use one viewer is to another, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Nearness {
    /// One is above the other in some stripe.
    related: bool,
    /// Nodes but the station that are above both.
    shared: usize,
    /// All its upload is taken.
    full: bool,
    /// Viewers who pull from it.
    busy: usize,
}

impl<N: NodeId> Planner<N> {
    /// How near `other` is to `viewer`; none if he may not or cannot pull
    /// there.
    fn nearness(&self, viewer: N, other: N) -> Option<Nearness> {
        let (viewer, other) = (self.ix(viewer)?, self.ix(other)?);
        let (v, o) = (self.member(viewer)?, self.member(other)?);
        let able = v.is_peer() && !v.relay_only && o.is_peer() && !o.leaving;
        if !able || o.edges_usable() == 0 || viewer == other {
            return None;
        }
        let stripes = 0..self.config.stripes.count();
        let above = |node: Ix| -> BTreeSet<Ix> {
            let above = stripes
                .clone()
                .flat_map(|s| self.forest.ancestors(node, s).collect::<Vec<_>>());
            above.filter(|ix| *ix != ROOT).collect()
        };
        let (mine, its) = (above(viewer), above(other));
        if stripes
            .clone()
            .all(|s| self.forest.is_within(other, viewer, s))
        {
            // It has nothing but by him.
            return None;
        }
        Some(Nearness {
            related: mine.contains(&other) || its.contains(&viewer),
            shared: mine.intersection(&its).count(),
            full: self.forest.free_of(other) == 0,
            busy: 0,
        })
    }
}
