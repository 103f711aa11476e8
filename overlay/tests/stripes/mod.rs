//! The trees as the planner shows them, and what can be worked out from that.
#![allow(dead_code, unreachable_pub, clippy::indexing_slicing)]

use overlay::planner::{Action, NodeView, Planner};
use std::collections::{BTreeMap, BTreeSet};
use wire::Stripes;

pub const STATION: u32 = 0;

/// Does what the planner wants: every edge works at once. Returns how many were
/// made.
pub fn all_work(planner: &mut Planner<u32>) -> u32 {
    let mut made = 0;
    while let Some(action) = planner.poll_action() {
        if let Action::Attach {
            stripe,
            child,
            parent,
            ..
        } = action
        {
            made += 1;
            planner.edge_up(child, parent, stripe);
        }
    }
    made
}

/// The trees of one moment.
pub struct Trees {
    stripes: Stripes,
    pub nodes: BTreeMap<u32, NodeView<u32>>,
}

impl Trees {
    pub fn new(planner: &Planner<u32>, stripes: Stripes) -> Self {
        let nodes = planner.view().into_iter().map(|v| (v.node, v)).collect();
        Self { stripes, nodes }
    }

    /// From the parent up; a loop would not end.
    pub fn ancestors(&self, node: u32, s: u8) -> Vec<u32> {
        let mut found = Vec::new();
        let mut at = node;
        while let Some(parent) = self.nodes[&at].parents[usize::from(s)] {
            assert_ne!(parent, node, "{node} is its own ancestor in {s}");
            assert!(found.len() <= self.nodes.len(), "a loop above {node}");
            found.push(parent);
            at = parent;
        }
        found
    }

    fn is_rooted(&self, node: u32, s: u8) -> bool {
        node == STATION || self.ancestors(node, s).last() == Some(&STATION)
    }

    pub fn rooted(&self, node: u32) -> Vec<u8> {
        let all = 0..self.stripes.count();
        all.filter(|s| self.is_rooted(node, *s)).collect()
    }

    /// In each stripe it is rooted, waits, or hangs below one that waits.
    pub fn waits_above(&self, v: &NodeView<u32>) -> bool {
        (0..self.stripes.count()).all(|s| {
            let top = self.ancestors(v.node, s).last().copied();
            let top = top.unwrap_or(v.node);
            top == STATION || self.nodes[&top].waiting
        })
    }

    pub fn check_node(&self, v: &NodeView<u32>) {
        assert!(v.edges_used <= v.edges, "{v:?} is over its edges");
        let of = |parents: &[Option<u32>]| parents.iter().filter(|p| **p == Some(v.node)).count();
        let fed: usize = self.nodes.values().map(|c| of(&c.parents)).sum();
        assert_eq!(fed, v.edges_used as usize);
        let depths = self.rooted(v.node).into_iter();
        let depth = depths.map(|s| self.ancestors(v.node, s).len()).max();
        assert_eq!(v.depth.map(|d| d as usize), depth);
        assert_eq!(v.guaranteed, self.is_guaranteed(v.node), "{v:?}");
    }

    fn is_guaranteed(&self, node: u32) -> bool {
        let mut carried: BTreeMap<u32, u32> = BTreeMap::new();
        for s in 0..self.stripes.count() {
            for ancestor in self.ancestors(node, s) {
                *carried.entry(ancestor).or_default() += 1;
            }
        }
        carried.remove(&STATION);
        let m = u32::from(self.stripes.m());
        self.rooted(node).len() == usize::from(self.stripes.count())
            && carried.values().all(|n| *n <= m)
    }

    pub fn free_for(&self, s: u8, fits: impl Fn(u32) -> bool) -> Option<&NodeView<u32>> {
        self.nodes
            .values()
            .find(|p| p.edges_used < p.edges && self.is_rooted(p.node, s) && fits(p.node))
    }

    /// How many stripes free edges can bring to one node at the same time.
    pub fn matching(&self, fits: impl Fn(u32) -> bool) -> usize {
        let free =
            |p: &NodeView<u32>| (p.edges - p.edges_used).min(u32::from(self.stripes.count()));
        let places: Vec<u32> = self
            .nodes
            .values()
            .filter(|p| fits(p.node))
            .flat_map(|p| (0..free(p)).map(|_| p.node))
            .collect();
        let mut taken: BTreeMap<usize, u8> = BTreeMap::new();
        let all = 0..self.stripes.count();
        all.filter(|s| self.augment(*s, &places, &mut taken, &mut BTreeSet::new()))
            .count()
    }

    fn augment(
        &self,
        s: u8,
        places: &[u32],
        taken: &mut BTreeMap<usize, u8>,
        seen: &mut BTreeSet<usize>,
    ) -> bool {
        for (at, node) in places.iter().enumerate() {
            if self.is_rooted(*node, s) && seen.insert(at) {
                let holder = taken.get(&at).copied();
                if holder.is_none_or(|other| self.augment(other, places, taken, seen)) {
                    taken.insert(at, s);
                    return true;
                }
            }
        }
        false
    }

    pub fn lacking(&self) -> bool {
        let others = self.nodes.values().filter(|v| v.node != STATION);
        others.flat_map(|v| &v.parents).any(Option::is_none)
    }
}
