//! Neighbours where there are no trees: everybody may pull from everybody who
//! has upload, and from the station. For small audiences alone: there are as
//! many links as pairs.

use super::NeighbourChange;
use crate::NodeId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Viewers of one audience: each says to all others what it has.
const AUDIENCE_MAX: usize = 16;

/// The links of an audience without trees.
#[derive(Debug, Clone)]
pub struct Everybody<N> {
    station: N,
    /// Whether a viewer pulls from others than the station, and whether they
    /// may pull from him.
    viewers: BTreeMap<N, (bool, bool)>,
    links: BTreeSet<(N, N)>,
    changes: VecDeque<NeighbourChange<N>>,
}

impl<N: NodeId> Everybody<N> {
    /// The station alone.
    #[must_use]
    pub const fn new(station: N) -> Self {
        Self {
            station,
            viewers: BTreeMap::new(),
            links: BTreeSet::new(),
            changes: VecDeque::new(),
        }
    }

    /// The next link that begins or ends.
    pub fn poll_change(&mut self) -> Option<NeighbourChange<N>> {
        self.changes.pop_front()
    }

    /// A viewer has come; `links` says whether he links to others than the
    /// station, and `gives` whether they may pull from him. False if there is
    /// no place for him.
    pub fn join(&mut self, node: N, links: bool, gives: bool) -> bool {
        if self.viewers.len() >= AUDIENCE_MAX || self.viewers.contains_key(&node) {
            return false;
        }
        self.link(node, self.station);
        let others = self.viewers.iter().filter(|_| links);
        let others: Vec<(N, bool, bool)> = others.map(|(n, (l, g))| (*n, *l, *g)).collect();
        for (other, other_links, other_gives) in others {
            if other_links && other_gives {
                self.link(node, other);
            }
            if other_links && gives {
                self.link(other, node);
            }
        }
        self.viewers.insert(node, (links, gives));
        true
    }

    /// A viewer is gone.
    pub fn leave(&mut self, node: N) {
        self.viewers.remove(&node);
        let of_his = |(child, parent): &&(N, N)| *child == node || *parent == node;
        let ended: Vec<(N, N)> = self.links.iter().filter(of_his).copied().collect();
        for (child, parent) in ended {
            self.end(child, parent);
        }
    }

    /// The link does not work. One with the station is made again, any other
    /// is not.
    pub fn broke(&mut self, child: N, parent: N) {
        if !self.has(child, parent) {
            return;
        }
        self.end(child, parent);
        if parent == self.station {
            self.link(child, parent);
        }
    }

    /// Whether `child` may pull from `parent`.
    #[must_use]
    pub fn has(&self, child: N, parent: N) -> bool {
        self.links.contains(&(child, parent))
    }

    fn link(&mut self, child: N, parent: N) {
        if self.links.insert((child, parent)) {
            let change = NeighbourChange::Link { child, parent };
            self.changes.push_back(change);
        }
    }

    fn end(&mut self, child: N, parent: N) {
        if self.links.remove(&(child, parent)) {
            let change = NeighbourChange::End { child, parent };
            self.changes.push_back(change);
        }
    }
}
