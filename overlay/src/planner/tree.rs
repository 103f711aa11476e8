//! The planned tree of one stripe: a forest in which exactly the station's
//! part is *rooted*, with indexes over free slots and leaves.
//!
//! A node can only be hung under a rooted node, and only while its own part
//! is not rooted; so a loop cannot be made.

use crate::NodeId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
struct Vertex<N> {
    parent: Option<N>,
    children: BTreeSet<N>,
    /// Edges to the station; none if it cannot be reached.
    depth: Option<u32>,
    slots: u32,
    hub: bool,
    serial: u64,
}

impl<N> Vertex<N> {
    fn free(&self) -> u32 {
        let used = u32::try_from(self.children.len()).unwrap_or(u32::MAX);
        self.slots.saturating_sub(used)
    }
}

/// Shallow before deep, strong before weak, old before young.
type FreeKey<N> = (u32, Reverse<u32>, u64, N);
/// Shallow before deep, weak before strong, young before old.
type LeafKey<N> = (u32, u32, Reverse<u64>, N);

#[derive(Debug, Clone)]
pub(super) struct Tree<N> {
    root: N,
    vertices: BTreeMap<N, Vertex<N>>,
    free_hubs: BTreeSet<FreeKey<N>>,
    free_peers: BTreeSet<FreeKey<N>>,
    /// Rooted peers without children.
    leaves: BTreeSet<LeafKey<N>>,
    levels: BTreeMap<u32, BTreeSet<N>>,
    /// Nodes whose parent changed since [`Tree::take_moved`].
    moved: BTreeSet<N>,
}

impl<N: NodeId> Tree<N> {
    pub(super) fn new(root: N, slots: u32) -> Self {
        let mut tree = Self {
            root,
            vertices: BTreeMap::new(),
            free_hubs: BTreeSet::new(),
            free_peers: BTreeSet::new(),
            leaves: BTreeSet::new(),
            levels: BTreeMap::new(),
            moved: BTreeSet::new(),
        };
        tree.insert(root, slots, true, 0);
        if let Some(v) = tree.vertices.get_mut(&root) {
            v.depth = Some(0);
        }
        tree.index(root);
        tree
    }

    /// Adds a node without a place.
    pub(super) fn insert(&mut self, node: N, slots: u32, hub: bool, serial: u64) {
        let vertex = Vertex {
            parent: None,
            children: BTreeSet::new(),
            depth: None,
            slots,
            hub,
            serial,
        };
        self.vertices.insert(node, vertex);
    }

    /// Hangs `child` with its subtree under `parent`. False, and nothing
    /// changes, unless `child` has no parent and is not rooted, and `parent`
    /// is rooted and has a free slot.
    pub(super) fn attach(&mut self, child: N, parent: N) -> bool {
        let child_fits = self
            .vertices
            .get(&child)
            .is_some_and(|v| v.parent.is_none() && v.depth.is_none());
        let depth = match self.vertices.get(&parent) {
            Some(v) if v.free() > 0 => v.depth,
            _ => None,
        };
        let (true, Some(depth)) = (child_fits, depth) else {
            return false;
        };
        self.unindex(parent);
        if let Some(v) = self.vertices.get_mut(&parent) {
            v.children.insert(child);
        }
        self.index(parent);
        if let Some(v) = self.vertices.get_mut(&child) {
            v.parent = Some(parent);
        }
        self.set_depths(child, Some(depth.saturating_add(1)));
        self.moved.insert(child);
        true
    }

    /// Takes `child` with its subtree from its parent.
    pub(super) fn detach(&mut self, child: N) {
        let Some(parent) = self.parent(child) else {
            return;
        };
        self.unindex(parent);
        if let Some(v) = self.vertices.get_mut(&parent) {
            v.children.remove(&child);
        }
        self.index(parent);
        if let Some(v) = self.vertices.get_mut(&child) {
            v.parent = None;
        }
        self.set_depths(child, None);
        self.moved.insert(child);
    }

    /// Removes a node; its children, which are returned, lose their parent.
    pub(super) fn remove(&mut self, node: N) -> Vec<N> {
        let children = self.children(node);
        for child in &children {
            self.detach(*child);
        }
        self.detach(node);
        self.unindex(node);
        self.vertices.remove(&node);
        self.moved.remove(&node);
        children
    }

    pub(super) fn set_slots(&mut self, node: N, slots: u32) {
        self.unindex(node);
        if let Some(v) = self.vertices.get_mut(&node) {
            v.slots = slots;
        }
        self.index(node);
    }

    pub(super) fn parent(&self, node: N) -> Option<N> {
        self.vertices.get(&node).and_then(|v| v.parent)
    }

    pub(super) fn children(&self, node: N) -> Vec<N> {
        self.vertices
            .get(&node)
            .map(|v| v.children.iter().copied().collect())
            .unwrap_or_default()
    }

    pub(super) fn children_len(&self, node: N) -> u32 {
        self.vertices
            .get(&node)
            .map_or(0, |v| u32::try_from(v.children.len()).unwrap_or(u32::MAX))
    }

    /// Edges to the station; none if the node cannot be reached from it.
    pub(super) fn depth(&self, node: N) -> Option<u32> {
        self.vertices.get(&node).and_then(|v| v.depth)
    }

    pub(super) fn slots(&self, node: N) -> u32 {
        self.vertices.get(&node).map_or(0, |v| v.slots)
    }

    pub(super) fn free(&self, node: N) -> u32 {
        self.vertices.get(&node).map_or(0, Vertex::free)
    }

    pub(super) fn over(&self, node: N) -> bool {
        self.children_len(node) > self.slots(node)
    }

    pub(super) fn deepest(&self) -> u32 {
        self.levels.last_key_value().map_or(0, |(depth, _)| *depth)
    }

    /// Rooted nodes at this depth.
    pub(super) fn level(&self, depth: u32) -> impl Iterator<Item = N> + '_ {
        self.levels.get(&depth).into_iter().flatten().copied()
    }

    /// Rooted peers without children: shallow, weak and young ones first.
    pub(super) fn leaves(&self) -> impl Iterator<Item = N> + '_ {
        self.leaves.iter().map(|key| key.3)
    }

    /// The shallowest, strongest rooted node with a free slot that `fits`,
    /// among hubs alone or all.
    pub(super) fn free_place(&self, hubs_only: bool, fits: impl Fn(N) -> bool) -> Option<N> {
        let hub = self.free_hubs.iter().find(|key| fits(key.3));
        if hubs_only {
            return hub.map(|key| key.3);
        }
        let peer = self.free_peers.iter().find(|key| fits(key.3));
        hub.into_iter().chain(peer).min().map(|key| key.3)
    }

    /// As [`Tree::free_place`], at one depth.
    pub(super) fn free_place_at(&self, depth: u32, fits: impl Fn(N) -> bool) -> Option<N> {
        let at = |set: &BTreeSet<FreeKey<N>>| {
            set.iter()
                .skip_while(|key| key.0 < depth)
                .take_while(|key| key.0 == depth)
                .find(|key| fits(key.3))
                .copied()
        };
        let hub = at(&self.free_hubs);
        hub.into_iter()
            .chain(at(&self.free_peers))
            .min()
            .map(|key| key.3)
    }

    /// The node and everything below it.
    pub(super) fn subtree(&self, node: N) -> Vec<N> {
        let mut found = Vec::new();
        let mut todo = vec![node];
        while let Some(next) = todo.pop() {
            if let Some(v) = self.vertices.get(&next) {
                found.push(next);
                todo.extend(v.children.iter().copied());
            }
        }
        found
    }

    /// Whether `node` is `top` or below it.
    pub(super) fn is_within(&self, node: N, top: N) -> bool {
        let mut at = Some(node);
        while let Some(n) = at {
            if n == top {
                return true;
            }
            at = self.parent(n);
        }
        false
    }

    /// Nodes whose parent changed since the last call, parents first.
    pub(super) fn take_moved(&mut self) -> Vec<N> {
        let mut moved: Vec<N> = std::mem::take(&mut self.moved).into_iter().collect();
        moved.sort_by_key(|n| {
            let v = self.vertices.get(n);
            (
                v.and_then(|v| v.depth).unwrap_or(u32::MAX),
                v.map_or(0, |v| v.serial),
            )
        });
        moved
    }

    fn set_depths(&mut self, top: N, depth: Option<u32>) {
        let mut todo = vec![(top, depth)];
        while let Some((node, depth)) = todo.pop() {
            self.unindex(node);
            if let Some(v) = self.vertices.get_mut(&node) {
                v.depth = depth;
                let below = depth.map(|d| d.saturating_add(1));
                todo.extend(v.children.iter().map(|c| (*c, below)));
            }
            self.index(node);
        }
    }

    fn index(&mut self, node: N) {
        let Some(v) = self.vertices.get(&node) else {
            return;
        };
        let Some(depth) = v.depth else { return };
        let free_key = (depth, Reverse(v.slots), v.serial, node);
        let leaf_key = (depth, v.slots, Reverse(v.serial), node);
        if v.free() > 0 {
            let set = if v.hub {
                &mut self.free_hubs
            } else {
                &mut self.free_peers
            };
            set.insert(free_key);
        }
        if !v.hub && v.children.is_empty() {
            self.leaves.insert(leaf_key);
        }
        if node != self.root {
            self.levels.entry(depth).or_default().insert(node);
        }
    }

    fn unindex(&mut self, node: N) {
        let Some(v) = self.vertices.get(&node) else {
            return;
        };
        let Some(depth) = v.depth else { return };
        let free_key = (depth, Reverse(v.slots), v.serial, node);
        self.free_hubs.remove(&free_key);
        self.free_peers.remove(&free_key);
        self.leaves
            .remove(&(depth, v.slots, Reverse(v.serial), node));
        if let Some(level) = self.levels.get_mut(&depth) {
            level.remove(&node);
            if level.is_empty() {
                self.levels.remove(&depth);
            }
        }
    }
}
