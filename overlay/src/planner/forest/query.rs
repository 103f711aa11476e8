//! Questions to the forest.

use super::lists::Bits;
use super::{DEPTH_MAX, EVERY, Forest, Ix, NONE, ROOT, STRENGTHS, Spot, SpotKind, UNROOTED, bit};
use wire::Stripes;

/// Ranks in the lists of free edges: those who feed this stripe by preference,
/// strong before weak, at even numbers hubs and at odd ones peers; then peers
/// that feed nobody yet; then those that feed another stripe, relays last.
const IDLE: u32 = 32;
const BUSY: u32 = 48;
/// See [`IDLE`].
const BUSY_RELAYS: u32 = 63;
/// See [`IDLE`].
pub(in super::super) const OWN_RANKS: u64 = 0xffff_ffff;
pub(in super::super) const HUB_RANKS: u64 = 0x5555_5555 | (1 << BUSY_RELAYS);
pub(in super::super) const IDLE_RANKS: u64 = 0xffff << IDLE;
pub(in super::super) const BUSY_RANKS: u64 = 0xffff << BUSY;
/// Peers among them are as a rule in the list of the stripe that they feed by
/// preference alone, and are looked for there: taking and giving an edge is what
/// happens most, and would else move them in the lists of every stripe.
const BUSY_PEERS: u64 = BUSY_RANKS & !(1 << BUSY_RELAYS);
/// Of those, so many are brought in order.
const BUSY_SORTED: usize = 64;
/// Ranks in the lists of places: peers without children, weak before strong;
/// peers with children, likewise; relays.
const INNER: u32 = 16;
const RELAYS: u32 = 32;
/// Nodes of a moved part for which the guarantee is looked at: parts are
/// small as a rule, and a large one is worth a place anyhow.
const PART_MAX: usize = 32;

impl Spot {
    fn feeds_by_preference(&self, s: u8) -> bool {
        self.primary == EVERY || self.primary == s
    }
}

impl Forest {
    pub(in super::super) fn stripes(&self) -> Stripes {
        self.stripes
    }

    pub(super) fn free_rank(&self, spot: &Spot, s: u8) -> u32 {
        let weak = STRENGTHS - 1 - self.strength_of(spot.edges);
        if spot.is_hub() && !spot.feeds_by_preference(s) {
            BUSY_RELAYS
        } else if spot.is_hub() {
            weak * 2
        } else if spot.primary == s {
            weak * 2 + 1
        } else if spot.inner == 0 {
            IDLE + weak
        } else {
            BUSY + weak
        }
    }

    /// A peer that feeds others and is found by the stripe that it feeds by
    /// preference, where it is rooted.
    pub(super) fn is_found_by_primary(spot: &Spot) -> bool {
        !spot.is_hub() && spot.inner != 0 && spot.rooted & bit(spot.primary) != 0
    }

    pub(super) fn place_rank(&self, spot: &Spot, s: u8) -> u32 {
        let strength = self.strength_in(spot, s);
        if spot.is_hub() {
            RELAYS
        } else if spot.inner & bit(s) == 0 {
            strength
        } else {
            INNER + strength
        }
    }

    /// How strong so many edges are: whole slots up to eight, then by powers
    /// of two.
    fn strength_of(&self, edges: u32) -> u32 {
        let slots = edges.div_ceil(u32::from(self.stripes.count()));
        if slots <= 8 {
            return slots;
        }
        (5 + (slots - 1).ilog2()).min(STRENGTHS - 1)
    }

    fn strength_in(&self, spot: &Spot, s: u8) -> u32 {
        if spot.unsteady || !(spot.is_hub() || spot.primary == s) {
            return 0;
        }
        self.strength_of(spot.edges)
    }

    /// What the node is worth as a parent in this stripe.
    pub(in super::super) fn strength(&self, node: Ix, s: u8) -> u32 {
        self.strength_in(&self.spot(node), s)
    }

    pub(in super::super) fn parent(&self, node: Ix, s: u8) -> Option<Ix> {
        let parent = self.vertex(node, s).parent;
        (parent != NONE).then_some(parent)
    }

    /// Edges to the station; none if the node cannot be reached from it.
    pub(in super::super) fn depth(&self, node: Ix, s: u8) -> Option<u32> {
        let depth = self.vertex(node, s).depth;
        (depth != UNROOTED).then_some(u32::from(depth))
    }

    pub(in super::super) fn is_rooted(&self, node: Ix, s: u8) -> bool {
        self.vertex(node, s).depth != UNROOTED
    }

    /// Stripes in which the node is rooted.
    pub(in super::super) fn rooted(&self, node: Ix) -> u32 {
        self.spot(node).rooted.count_ones()
    }

    /// A peer that is rooted in too few stripes to watch.
    pub(in super::super) fn is_starved(&self, node: Ix) -> bool {
        self.spot(node).kind == SpotKind::Peer && self.rooted(node) < u32::from(self.stripes.k())
    }

    /// Peers that are rooted in too few stripes to watch.
    pub(in super::super) fn starved(&self) -> u32 {
        self.starved
    }

    pub(in super::super) fn children(&self, node: Ix, s: u8) -> Vec<Ix> {
        let first = self.vertex(node, s).first_child;
        let some = |ix: Ix| (ix != NONE).then_some(ix);
        std::iter::successors(some(first), |ix| some(self.vertex(*ix, s).next)).collect()
    }

    /// Children in all stripes.
    pub(in super::super) fn all_children(&self, node: Ix) -> Vec<(Ix, u8)> {
        self.inner_stripes(node)
            .flat_map(|s| self.children(node, s).into_iter().map(move |c| (c, s)))
            .collect()
    }

    /// Stripes in which the node has children.
    pub(in super::super) fn inner_stripes(&self, node: Ix) -> impl Iterator<Item = u8> + use<> {
        Bits(u64::from(self.spot(node).inner)).filter_map(|s| u8::try_from(s).ok())
    }

    pub(in super::super) fn is_inner(&self, node: Ix, s: u8) -> bool {
        self.spot(node).inner & bit(s) != 0
    }

    pub(in super::super) fn feeds_nobody(&self, node: Ix) -> bool {
        self.spot(node).inner == 0
    }

    pub(in super::super) fn primary(&self, node: Ix) -> u8 {
        self.spot(node).primary
    }

    /// Whether the node feeds this stripe before others.
    pub(in super::super) fn feeds_by_preference(&self, node: Ix, s: u8) -> bool {
        self.spot(node).feeds_by_preference(s)
    }

    pub(in super::super) fn edges(&self, node: Ix) -> u32 {
        self.spot(node).edges
    }

    pub(in super::super) fn used(&self, node: Ix) -> u32 {
        self.spot(node).used
    }

    pub(in super::super) fn free_of(&self, node: Ix) -> u32 {
        self.spot(node).free()
    }

    /// Free edges of all nodes.
    pub(in super::super) fn free_total(&self) -> u64 {
        self.free_edges.iter().sum()
    }

    /// The stripe whose own nodes have the fewest free edges.
    pub(in super::super) fn scarcest(&self) -> u8 {
        let all = (0..self.stripes.count()).zip(&self.free_edges);
        all.min_by_key(|(s, free)| (**free, *s))
            .map_or(0, |(s, _)| s)
    }

    pub(in super::super) fn deepest(&self, s: u8) -> u32 {
        u32::try_from(self.places.deepest(s)).unwrap_or(u32::MAX)
    }

    /// Rooted nodes with a free edge: shallow, strong and old ones first.
    pub(in super::super) fn free_places(&self, s: u8, ranks: u64) -> impl Iterator<Item = Ix> + '_ {
        let busy = std::iter::once_with(move || self.busy_places(s, ranks)).flatten();
        self.free.iter(&self.cells, s, ranks).chain(busy)
    }

    /// Rooted peers with a free edge that feed another stripe: of the first few
    /// the shallow ones first, then all others.
    fn busy_places(&self, s: u8, ranks: u64) -> impl Iterator<Item = Ix> + '_ {
        let others = (0..self.stripes.count()).filter(move |t| *t != s && ranks & BUSY_PEERS != 0);
        let mut all = others.flat_map(move |t| {
            let own = self.free.iter(&self.cells, t, OWN_RANKS);
            own.filter(move |ix| {
                Self::is_found_by_primary(&self.spot(*ix)) && self.is_rooted(*ix, s)
            })
        });
        let mut first: Vec<Ix> = all.by_ref().take(BUSY_SORTED).collect();
        first.sort_by_key(|ix| (self.depth(*ix, s), self.free_rank(&self.spot(*ix), s)));
        first.into_iter().chain(all)
    }

    /// As [`Forest::free_places`], at one depth.
    pub(in super::super) fn free_places_at(
        &self,
        s: u8,
        depth: u32,
        ranks: u64,
    ) -> impl Iterator<Item = Ix> + '_ {
        let busy = std::iter::once_with(move || self.busy_places(s, ranks)).flatten();
        let busy = busy.filter(move |ix| self.depth(*ix, s) == Some(depth));
        self.free
            .at(&self.cells, s, depth as usize, ranks)
            .chain(busy)
    }

    /// Rooted nodes at this depth, peers without children first, and the weak
    /// and the last to come before others.
    pub(in super::super) fn level(&self, s: u8, depth: u32) -> impl Iterator<Item = Ix> + '_ {
        self.at_depth(s, depth, u64::MAX)
    }

    /// Rooted peers without children at this depth that are weaker than
    /// `strength`, the weakest and the last to come first.
    pub(in super::super) fn leaves_at(
        &self,
        s: u8,
        depth: u32,
        strength: u32,
    ) -> impl Iterator<Item = Ix> + '_ {
        self.at_depth(s, depth, (1u64 << strength.min(STRENGTHS)) - 1)
    }

    /// Rooted peers without children at this depth that have about so many
    /// edges for this stripe, or more.
    pub(in super::super) fn strong_leaves_at(
        &self,
        s: u8,
        depth: u32,
        edges: u32,
    ) -> impl Iterator<Item = Ix> + '_ {
        let least = self.strength_of(edges).max(1);
        self.at_depth(s, depth, ((1u64 << STRENGTHS) - 1) & !((1 << least) - 1))
    }

    /// Rooted peers with children at this depth that have about so many edges
    /// for this stripe, or more.
    pub(in super::super) fn strong_inner_at(
        &self,
        s: u8,
        depth: u32,
        edges: u32,
    ) -> impl Iterator<Item = Ix> + '_ {
        let least = self.strength_of(edges).max(1);
        let ranks = ((1u64 << STRENGTHS) - 1) & !((1 << least) - 1);
        self.at_depth(s, depth, ranks << INNER)
    }

    /// Rooted peers with children at this depth that are weaker than
    /// `strength`.
    pub(in super::super) fn inner_at(
        &self,
        s: u8,
        depth: u32,
        strength: u32,
    ) -> impl Iterator<Item = Ix> + '_ {
        let ranks = (1u64 << strength.min(STRENGTHS)) - 1;
        self.at_depth(s, depth, ranks << INNER)
    }

    /// Rooted peers with children at this depth that are so strong.
    pub(in super::super) fn inner_of(
        &self,
        s: u8,
        depth: u32,
        strength: u32,
    ) -> impl Iterator<Item = Ix> + '_ {
        self.at_depth(s, depth, 1u64 << INNER << strength.min(STRENGTHS - 1))
    }

    fn at_depth(&self, s: u8, depth: u32, ranks: u64) -> impl Iterator<Item = Ix> + '_ {
        self.places.latest_at(&self.cells, s, depth as usize, ranks)
    }

    /// The node and everything below it, lazily.
    pub(in super::super) fn part(&self, node: Ix, s: u8) -> impl Iterator<Item = Ix> + '_ {
        let mut todo = vec![node];
        std::iter::from_fn(move || {
            let next = todo.pop()?;
            let mut child = self.vertex(next, s).first_child;
            while child != NONE {
                todo.push(child);
                child = self.vertex(child, s).next;
            }
            Some(next)
        })
    }

    /// The node's parent, its parent, and so on.
    pub(in super::super) fn ancestors(&self, node: Ix, s: u8) -> impl Iterator<Item = Ix> + '_ {
        std::iter::successors(self.parent(node, s), move |at| self.parent(*at, s))
    }

    /// Whether `node` is `top` or below it.
    pub(in super::super) fn is_within(&self, node: Ix, top: Ix, s: u8) -> bool {
        let (n, t) = (self.vertex(node, s), self.vertex(top, s));
        if node == top || t.first_child == NONE {
            return node == top;
        }
        let rooted = n.depth != UNROOTED;
        if rooted != (t.depth != UNROOTED) {
            return false;
        }
        // Up to the level where `top` hangs; unrooted, and beyond the depths
        // that are told apart, to the end.
        let told = rooted && n.depth < DEPTH_MAX;
        let mut up = self.ancestors(node, s);
        if !told {
            return up.any(|a| a == top);
        }
        n.depth > t.depth && up.nth(usize::from(n.depth - t.depth - 1)) == Some(top)
    }

    /// Whether the node has all stripes, and no single ancestor but the
    /// station carries more than m of them.
    pub(in super::super) fn is_guaranteed(&self, node: Ix) -> bool {
        if self.rooted(node) < u32::from(self.stripes.count()) {
            return false;
        }
        let mut found: Vec<Ix> = (0..self.stripes.count())
            .flat_map(|s| self.ancestors(node, s))
            .filter(|a| *a != ROOT)
            .collect();
        found.sort_unstable();
        let most = usize::from(self.stripes.m());
        found.chunk_by(|a, b| a == b).all(|run| run.len() <= most)
    }

    /// Whether nobody in `node`'s part of this stripe would depend on one
    /// ancestor for more than m stripes, if `node` hung under `parent`. Without
    /// parity there is nothing to keep.
    pub(in super::super) fn keeps_guarantee(&self, node: Ix, parent: Ix, s: u8) -> bool {
        let m = u32::from(self.stripes.m());
        if m == 0 {
            return true;
        }
        // Who feeds no more than m stripes cannot carry more for anybody.
        let suspects: Vec<Ix> = std::iter::once(parent)
            .chain(self.ancestors(parent, s))
            .filter(|a| *a != ROOT && (self.spot(*a).inner | bit(s)).count_ones() > m)
            .collect();
        suspects.is_empty()
            || self
                .part(node, s)
                .take(PART_MAX)
                .all(|v| self.spares(v, s, &suspects))
    }

    fn spares(&self, node: Ix, s: u8, suspects: &[Ix]) -> bool {
        let mut carried = vec![1u32; suspects.len()];
        for other in (0..self.stripes.count()).filter(|t| *t != s) {
            for ancestor in self.ancestors(node, other) {
                let at = suspects.iter().position(|a| *a == ancestor);
                if let Some(count) = at.and_then(|at| carried.get_mut(at)) {
                    *count += 1;
                }
            }
        }
        carried.iter().all(|n| *n <= u32::from(self.stripes.m()))
    }
}
