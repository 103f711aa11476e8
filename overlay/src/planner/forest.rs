//! The planned trees, one for each stripe, over one set of nodes: a forest in
//! which exactly the station's part of each stripe is *rooted*, with lists of
//! free edges and of places worth taking.
//!
//! A node can only be hung under a rooted node, and only while its own part
//! of that stripe is not rooted; so a loop cannot be made.
//!
//! Nodes are small numbers and everything is in flat vectors, so that an
//! event of one member costs the same among a million.

mod cells;
mod lists;
mod query;

pub(super) use query::{BUSY_RANKS, HUB_RANKS, IDLE_RANKS, OWN_RANKS};

/// As a primary stripe: all of them, as the station's.
const EVERY: u8 = u8::MAX;

use cells::{BARE, Cells, FREE, PLACES, Vertex};
use lists::Lists;
use wire::Stripes;

/// A node's place in the vectors; used again when the node is gone.
pub(super) type Ix = u32;
/// No node.
pub(super) const NONE: Ix = Ix::MAX;
/// The station.
pub(super) const ROOT: Ix = 0;

const UNROOTED: u16 = u16::MAX;
/// Greater depths are not told apart.
const DEPTH_MAX: u16 = UNROOTED - 1;
/// Strengths that are told apart, 0 included.
pub(super) const STRENGTHS: u32 = 16;

/// What a node is in all stripes together.
#[derive(Debug, Clone, Copy)]
struct Spot {
    /// Edges that it can feed, and edges that it feeds.
    edges: u32,
    used: u32,
    /// Stripes in which it is rooted, and in which it has children: a bit each.
    rooted: u32,
    inner: u32,
    /// The stripe that a peer feeds by preference.
    primary: u8,
    kind: SpotKind,
    /// Tell [`Forest::take_touched`] of its moves.
    watched: bool,
    /// It left without a word a moment ago: not near the root.
    unsteady: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SpotKind {
    Vacant,
    Hub,
    Peer,
}

const VACANT: Spot = Spot {
    edges: 0,
    used: 0,
    rooted: 0,
    inner: 0,
    primary: 0,
    kind: SpotKind::Vacant,
    watched: false,
    unsteady: false,
};

impl Spot {
    fn free(&self) -> u32 {
        self.edges.saturating_sub(self.used)
    }

    fn is_hub(&self) -> bool {
        self.kind == SpotKind::Hub
    }
}

#[derive(Debug, Clone)]
pub(super) struct Forest {
    stripes: Stripes,
    spots: Vec<Spot>,
    cells: Cells,
    vacant: Vec<Ix>,
    /// Rooted nodes with free edges.
    free: Lists<FREE>,
    /// Rooted nodes other than the station.
    places: Lists<PLACES>,
    /// Free edges by primary stripe; those of nodes that feed all last.
    free_edges: Vec<u64>,
    /// Peers that are rooted in fewer than k stripes.
    starved: u32,
    moved: Vec<(Ix, u8)>,
    touched: Vec<Ix>,
}

impl Forest {
    pub(super) fn new(stripes: Stripes, edges: u32) -> Self {
        let count = usize::from(stripes.count());
        let mut forest = Self {
            stripes,
            spots: Vec::new(),
            cells: Cells::new(count),
            vacant: Vec::new(),
            free: Lists::new(count),
            places: Lists::new(count),
            free_edges: vec![0; count + 1],
            starved: 0,
            moved: Vec::new(),
            touched: Vec::new(),
        };
        let root = forest.insert(true);
        forest.set_edges(root, edges);
        for s in 0..stripes.count() {
            forest.set_depth(root, s, 0);
        }
        forest
    }

    /// Adds a node without edges and without a place.
    pub(super) fn insert(&mut self, hub: bool) -> Ix {
        let ix = self.vacant.pop().unwrap_or_else(|| {
            let ix = Ix::try_from(self.spots.len()).unwrap_or(NONE);
            self.spots.push(VACANT);
            self.cells.grow();
            ix
        });
        if let Some(spot) = self.spots.get_mut(ix as usize) {
            let (kind, primary) = if hub {
                (SpotKind::Hub, EVERY)
            } else {
                (SpotKind::Peer, 0)
            };
            *spot = Spot {
                kind,
                primary,
                ..VACANT
            };
        }
        if !hub {
            self.starved = self.starved.saturating_add(1);
        }
        ix
    }

    /// Hangs `child` with its part under `parent`. False, and nothing
    /// changes, unless `child` has no parent and is not rooted, and `parent`
    /// is rooted and has a free edge.
    pub(super) fn attach(&mut self, child: Ix, parent: Ix, s: u8) -> bool {
        let (c, p) = (self.vertex(child, s), self.vertex(parent, s));
        let fits = c.parent == NONE && c.depth == UNROOTED && child != ROOT;
        if !fits || p.depth == UNROOTED || self.free_of(parent) == 0 {
            return false;
        }
        self.link_child(child, parent, s);
        self.adjust(parent, |spot| spot.used = spot.used.saturating_add(1));
        self.set_depths(child, s, below(p.depth));
        self.note_moved(child, s);
        true
    }

    /// As [`Forest::attach`], also under a parent that is not rooted itself;
    /// not under one of its own part.
    pub(super) fn graft(&mut self, child: Ix, parent: Ix, s: u8) -> bool {
        let bare = self.vertex(child, s).parent == NONE && child != ROOT;
        if !bare || self.free_of(parent) == 0 || self.is_within(parent, child, s) {
            return false;
        }
        self.link_child(child, parent, s);
        self.adjust(parent, |spot| spot.used = spot.used.saturating_add(1));
        let depth = self.vertex(parent, s).depth;
        self.set_depths(child, s, below(depth));
        self.note_moved(child, s);
        true
    }

    /// Takes `child` with its part from its parent and hangs it under `parent`,
    /// which is rooted, has a free edge and is not in that part.
    pub(super) fn shift(&mut self, child: Ix, parent: Ix, s: u8) {
        let (c, p) = (self.vertex(child, s), self.vertex(parent, s));
        if c.parent == NONE || p.depth == UNROOTED || self.free_of(parent) == 0 {
            return;
        }
        self.unlink_child(child, c.parent, s);
        self.adjust(c.parent, |spot| spot.used = spot.used.saturating_sub(1));
        self.link_child(child, parent, s);
        self.adjust(parent, |spot| spot.used = spot.used.saturating_add(1));
        if c.depth != below(p.depth) {
            self.set_depths(child, s, below(p.depth));
        }
        self.note_moved(child, s);
    }

    /// Takes `child` with its part from its parent.
    pub(super) fn detach(&mut self, child: Ix, s: u8) {
        let Some(parent) = self.parent(child, s) else {
            return;
        };
        self.unlink_child(child, parent, s);
        self.adjust(parent, |spot| spot.used = spot.used.saturating_sub(1));
        self.set_depths(child, s, UNROOTED);
        self.note_moved(child, s);
    }

    /// `node`, which is not rooted and has no children in this stripe, takes
    /// the place of `former` and its children there; `former` loses its parent.
    /// Nobody below changes its depth. False, and nothing changes, if it does
    /// not fit.
    pub(super) fn supplant(&mut self, former: Ix, node: Ix, s: u8) -> bool {
        let (f, n) = (self.vertex(former, s), self.vertex(node, s));
        let bare = n.parent == NONE && n.first_child == NONE && n.depth == UNROOTED;
        let children = self.children(former, s);
        let count = u32::try_from(children.len()).unwrap_or(u32::MAX);
        if !bare || f.parent == NONE || f.depth == UNROOTED || self.free_of(node) < count {
            return false;
        }
        self.unlink_child(former, f.parent, s);
        self.link_child(node, f.parent, s);
        for child in children {
            self.unlink_child(child, former, s);
            self.link_child(child, node, s);
            self.note_moved(child, s);
        }
        self.adjust(former, |spot| spot.used = spot.used.saturating_sub(count));
        self.adjust(node, |spot| spot.used = spot.used.saturating_add(count));
        self.set_depth(former, s, UNROOTED);
        self.set_depth(node, s, f.depth);
        self.note_moved(former, s);
        self.note_moved(node, s);
        true
    }

    /// Removes a node; its children, which are returned, lose their parent.
    pub(super) fn remove(&mut self, node: Ix) -> Vec<(Ix, u8)> {
        let mut orphans = Vec::new();
        // First it is no place any more: then nothing has to be kept in line
        // for it.
        for s in 0..self.stripes.count() {
            if let Some(parent) = self.parent(node, s) {
                self.unlink_child(node, parent, s);
                self.adjust(parent, |spot| spot.used = spot.used.saturating_sub(1));
            }
            self.set_depth(node, s, UNROOTED);
        }
        self.adjust(node, |spot| spot.edges = 0);
        for s in self.inner_stripes(node) {
            for child in self.children(node, s) {
                self.detach(child, s);
                orphans.push((child, s));
            }
        }
        for s in 0..self.stripes.count() {
            self.edit(node, s, |v| *v = BARE);
        }
        if self.spot(node).kind == SpotKind::Peer {
            self.starved = self.starved.saturating_sub(1);
        }
        if let Some(spot) = self.spots.get_mut(node as usize) {
            *spot = VACANT;
        }
        self.moved.retain(|(ix, _)| *ix != node);
        self.touched.retain(|ix| *ix != node);
        self.vacant.push(node);
        orphans
    }

    pub(super) fn set_edges(&mut self, node: Ix, edges: u32) {
        self.adjust(node, |spot| spot.edges = edges);
    }

    /// The stripe that a peer feeds by preference.
    pub(super) fn set_primary(&mut self, node: Ix, s: u8) {
        self.adjust(node, |spot| spot.primary = s);
    }

    pub(super) fn set_unsteady(&mut self, node: Ix, unsteady: bool) {
        self.adjust(node, |spot| spot.unsteady = unsteady);
    }

    /// Whether [`Forest::take_touched`] tells of this node's moves.
    pub(super) fn set_watched(&mut self, node: Ix, watched: bool) {
        if let Some(spot) = self.spots.get_mut(node as usize) {
            spot.watched = watched;
        }
    }

    /// As [`Forest::set_watched`], and tells of it once now.
    pub(super) fn watch(&mut self, node: Ix) {
        self.set_watched(node, true);
        self.touched.push(node);
    }

    /// Tells of the node once more.
    pub(super) fn touch(&mut self, node: Ix) {
        self.touched.push(node);
    }

    /// Nodes whose parent changed since the last call, by stripe, in the order
    /// of the changes.
    pub(super) fn take_moved(&mut self) -> Vec<(Ix, u8)> {
        let moved = std::mem::take(&mut self.moved);
        for (ix, s) in &moved {
            self.edit(*ix, *s, |v| v.moved = false);
        }
        moved
    }

    /// Watched nodes that moved, were rooted or lost their root.
    pub(super) fn take_touched(&mut self) -> Option<Ix> {
        self.touched.pop()
    }

    /// What [`Forest::take_touched`] will tell.
    pub(super) fn touched(&self) -> Vec<Ix> {
        self.touched.clone()
    }

    fn link_child(&mut self, child: Ix, parent: Ix, s: u8) {
        let next = self.vertex(parent, s).first_child;
        self.edit(next, s, |v| v.prev = child);
        self.edit(parent, s, |v| v.first_child = child);
        self.edit(child, s, |v| {
            v.parent = parent;
            v.next = next;
            v.prev = NONE;
        });
        self.set_inner(parent, s, true);
    }

    fn unlink_child(&mut self, child: Ix, parent: Ix, s: u8) {
        let c = self.vertex(child, s);
        self.edit(c.prev, s, |v| v.next = c.next);
        self.edit(c.next, s, |v| v.prev = c.prev);
        if self.vertex(parent, s).first_child == child {
            self.edit(parent, s, |v| v.first_child = c.next);
            self.set_inner(parent, s, c.next != NONE);
        }
        self.edit(child, s, |v| {
            v.parent = NONE;
            v.next = NONE;
            v.prev = NONE;
        });
    }

    fn set_inner(&mut self, node: Ix, s: u8, inner: bool) {
        let former = self.spot(node).inner;
        let mask = if inner {
            former | bit(s)
        } else {
            former & !bit(s)
        };
        if mask == former {
            return;
        }
        if let Some(spot) = self.spots.get_mut(node as usize) {
            spot.inner = mask;
        }
        self.refresh(node, s);
        if (mask == 0) != (former == 0) {
            for s in self.rooted_stripes(node) {
                self.refresh_free(node, s);
            }
        }
    }

    /// Changes what a node is, and brings the sums and lists in line.
    fn adjust(&mut self, node: Ix, change: impl FnOnce(&mut Spot)) {
        let former = self.spot(node);
        let mut now = former;
        change(&mut now);
        self.tally(&former, |sum, free| sum.saturating_sub(free));
        self.tally(&now, u64::saturating_add);
        if let Some(spot) = self.spots.get_mut(node as usize) {
            *spot = now;
        }
        let ranked = |spot: &Spot| (spot.edges, spot.primary, spot.unsteady);
        if ranked(&former) != ranked(&now) {
            self.refresh_all(node);
        } else if (former.free() > 0) != (now.free() > 0) {
            if Self::is_found_by_primary(&now) {
                // It is in no other list, see `busy_places`.
                self.refresh_free(node, now.primary);
                return;
            }
            for s in self.rooted_stripes(node) {
                self.refresh_free(node, s);
            }
        }
    }

    fn tally(&mut self, spot: &Spot, add: impl Fn(u64, u64) -> u64) {
        let at = spot.primary.min(self.stripes.count());
        if let Some(sum) = self.free_edges.get_mut(usize::from(at)) {
            *sum = add(*sum, u64::from(spot.free()));
        }
    }

    fn set_depths(&mut self, top: Ix, s: u8, depth: u16) {
        if self.vertex(top, s).first_child == NONE {
            self.set_depth(top, s, depth);
            return;
        }
        let mut todo = vec![(top, depth)];
        while let Some((node, depth)) = todo.pop() {
            self.set_depth(node, s, depth);
            let mut child = self.vertex(node, s).first_child;
            while child != NONE {
                todo.push((child, below(depth)));
                child = self.vertex(child, s).next;
            }
        }
    }

    fn set_depth(&mut self, node: Ix, s: u8, depth: u16) {
        self.edit(node, s, |v| v.depth = depth);
        let k = u32::from(self.stripes.k());
        let mut starved = self.starved;
        let former = self.spot(node).rooted;
        if let Some(spot) = self.spots.get_mut(node as usize) {
            let was = spot.rooted.count_ones() < k;
            if depth == UNROOTED {
                spot.rooted &= !bit(s);
            } else {
                spot.rooted |= bit(s);
            }
            let is = spot.rooted.count_ones() < k;
            if spot.kind == SpotKind::Peer && was != is {
                starved = if is {
                    starved.saturating_add(1)
                } else {
                    starved.saturating_sub(1)
                };
            }
            if spot.watched {
                self.touched.push(node);
            }
        }
        self.starved = starved;
        let spot = self.spot(node);
        if former != spot.rooted && spot.primary == s && spot.inner != 0 {
            self.refresh_all(node);
        }
        self.refresh(node, s);
    }

    /// As if the node had moved in this stripe.
    pub(super) fn tell_moved(&mut self, node: Ix, s: u8) {
        self.note_moved(node, s);
    }

    fn note_moved(&mut self, node: Ix, s: u8) {
        if !self.vertex(node, s).moved {
            self.edit(node, s, |v| v.moved = true);
            self.moved.push((node, s));
        }
        if self.spot(node).watched {
            self.touched.push(node);
        }
    }

    fn refresh_all(&mut self, node: Ix) {
        for s in self.rooted_stripes(node) {
            self.refresh(node, s);
        }
    }

    fn rooted_stripes(&self, node: Ix) -> impl Iterator<Item = u8> + use<> {
        lists::Bits(u64::from(self.spot(node).rooted)).filter_map(|s| u8::try_from(s).ok())
    }

    /// Puts a node into the buckets of one stripe where it belongs now.
    fn refresh(&mut self, node: Ix, s: u8) {
        self.refresh_free(node, s);
        let v = self.vertex(node, s);
        let spot = self.spot(node);
        let listed = v.depth != UNROOTED && node != ROOT;
        let place = listed.then(|| (v.depth, self.place_rank(&spot, s)));
        self.places.set(&mut self.cells, node, s, place);
    }

    fn refresh_free(&mut self, node: Ix, s: u8) {
        let v = self.vertex(node, s);
        let spot = self.spot(node);
        let elsewhere = spot.primary != s && Self::is_found_by_primary(&spot);
        let listed = v.depth != UNROOTED && spot.free() > 0 && !elsewhere;
        let free = listed.then(|| (v.depth, self.free_rank(&spot, s)));
        self.free.set(&mut self.cells, node, s, free);
    }

    fn vertex(&self, node: Ix, s: u8) -> Vertex {
        self.cells.vertex(node, s)
    }

    fn edit(&mut self, node: Ix, s: u8, change: impl FnOnce(&mut Vertex)) {
        self.cells.edit(node, s, change);
    }

    fn spot(&self, node: Ix) -> Spot {
        self.spots.get(node as usize).copied().unwrap_or(VACANT)
    }
}

fn bit(s: u8) -> u32 {
    1u32.checked_shl(u32::from(s)).unwrap_or(0)
}

fn below(depth: u16) -> u16 {
    if depth == UNROOTED {
        UNROOTED
    } else {
        depth.saturating_add(1).min(DEPTH_MAX)
    }
}
