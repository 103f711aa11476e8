//! Near parents: among places of equal depth the one with the shorter way from
//! the station is taken, and in each tick a few members change places for it.
//! Depth, the guarantee and standing come first, so that whoever lies about
//! where he is changes nothing but the way among equals.

use super::config::{
    NEAR_GAIN_MS, NEAR_PAUSE_MS, NEAR_REST_MS, NEAR_TRIES_MAX, NEARS_TICK_MAX, TRIES_MAX,
};
use super::forest::{IDLE_RANKS, Ix, OWN_RANKS};
use super::{Member, Planner};
use crate::NodeId;
use crate::near::Coordinate;

/// A hop of which nothing is known, in milliseconds of round trip.
const UNKNOWN_MS: f32 = 50.0;
/// What a full uplink adds to a hop: a fragment of 200 ms goes to one child after
/// the other, to the middle one after half of that time.
const BUSY_MS: f32 = 160.0;
/// Free places of one level that are looked at.
const PLACES_MAX: usize = 16;
/// Members that one is compared with for an exchange, in all stripes together.
const PARTNERS_MAX: u32 = 48;
/// Members of a moved part that are counted.
const PART_MAX: usize = 32;
/// Hops of a way that are counted.
const HOPS_MAX: usize = 64;
/// Members of whom in a tick as many are moved as the configuration says.
const MOVERS: usize = 500;

/// Where the last tick left off.
#[derive(Debug, Clone, Default)]
pub(super) struct Nearing {
    next: Ix,
    partner: Ix,
    after_ms: u64,
    /// The coordinator has more urgent things to say.
    held: bool,
}

/// Where a member is, and when it may next be moved for it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Near {
    at: Option<Coordinate>,
    rests_until_ms: u64,
}

impl<N: NodeId> Planner<N> {
    /// Where a member is, as measured; see [`crate::near`]. Who is not known is
    /// ignored.
    pub fn locate(&mut self, node: N, at: Coordinate) {
        if let Some(ix) = self.ix(node) {
            self.change_member(ix, |member| member.near.at = Some(at));
        }
    }

    /// While it is `held`, nobody is moved to a nearer parent: each move is
    /// several orders, and the coordinator has more urgent ones to send.
    pub const fn hold_nearing(&mut self, held: bool) {
        self.nearing.held = held;
    }

    /// The edge loses much of what is sent, and should be left: the child moves
    /// to places one level deeper at most, if there are any, and is not sent
    /// back. Nobody's standing changes. True if it moved.
    pub fn edge_lossy(&mut self, child: N, parent: N) -> bool {
        let (Some(child), Some(parent)) = (self.ix(child), self.ix(parent)) else {
            return false;
        };
        let mut moved = false;
        for s in 0..self.config.stripes.count() {
            if self.forest.parent(child, s) != Some(parent) || self.under_own_relay(child, s) {
                continue;
            }
            let depth = self.forest.depth(parent, s).unwrap_or(0);
            let places = self.forest.free_places(s, self.ranks_for(child) & PLACES);
            let better = places
                .take(PLACES_MAX)
                .filter(|p| *p != parent)
                .filter(|p| {
                    self.forest
                        .depth(*p, s)
                        .is_some_and(|d| d <= depth.saturating_add(1))
                })
                .find(|p| self.may_hang(child, *p, s));
            moved |= better.is_some_and(|better| self.rehang(child, better, s));
        }
        if moved {
            self.note_failure(child, parent, TRIES_MAX);
            self.publish();
        }
        moved
    }

    /// Of places in order, the first one that fits; or, if it is known where the
    /// node is, of those as deep and of the kind of the first that of the
    /// shortest way. What hardly differs from it counts as equal, and stays in
    /// order: measures are noise below a certain size.
    pub(super) fn nearest(
        &self,
        node: Ix,
        s: u8,
        mut places: impl Iterator<Item = Ix>,
        fits: impl Fn(Ix) -> bool,
    ) -> Option<Ix> {
        if self.config.nears_max == 0 || self.at(node).is_none() {
            return places.find(|p| fits(*p));
        }
        let kind = |p: Ix| (self.forest.depth(p, s), self.is_peer(p));
        let places: Vec<Ix> = places.collect();
        let mut done = None;
        for first in &places {
            if done == Some(kind(*first)) {
                continue;
            }
            done = Some(kind(*first));
            let mut equals: Vec<(f32, Ix)> = places
                .iter()
                .filter(|p| kind(**p) == kind(*first))
                .map(|p| (self.new_way_ms(node, *p, s), *p))
                .collect();
            let least_ms = equals.iter().map(|e| e.0).fold(f32::INFINITY, f32::min);
            for (ms, _) in &mut equals {
                if *ms < least_ms + NEAR_GAIN_MS {
                    *ms = least_ms;
                }
            }
            equals.sort_by(|a, b| a.0.total_cmp(&b.0));
            let found = equals.into_iter().map(|(_, p)| p).find(|p| fits(*p));
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Moves a few members to nearer parents. Nothing is done while somebody
    /// waits.
    pub(super) fn draw_near(&mut self, now_ms: u64) {
        let due = now_ms >= self.nearing.after_ms && self.waiting.is_empty();
        if self.config.nears_max == 0 || self.nearing.held || !due {
            return;
        }
        self.nearing.after_ms = now_ms.saturating_add(NEAR_PAUSE_MS);
        let all = Ix::try_from(self.members.len()).unwrap_or(Ix::MAX).max(1);
        let groups = u32::try_from(self.index.len() / MOVERS).unwrap_or(u32::MAX);
        let most = groups
            .saturating_add(1)
            .saturating_mul(self.config.nears_max)
            .min(NEARS_TICK_MAX);
        let mut moved = 0u32;
        for _ in 0..NEAR_TRIES_MAX.min(all) {
            let ix = self.nearing.next % all;
            self.nearing.next = ix.saturating_add(1);
            if self.is_peer(ix) && self.rested(now_ms, ix) {
                moved = moved.saturating_add(u32::from(self.draw_one(now_ms, ix, all)));
            }
            if moved >= most {
                break;
            }
        }
        if moved > 0 {
            self.publish();
        }
    }

    fn draw_one(&mut self, now_ms: u64, ix: Ix, all: Ix) -> bool {
        let mut moved = false;
        for s in 0..self.config.stripes.count() {
            if !self.under_own_relay(ix, s) {
                moved |= self.draw_to_place(ix, s) || self.draw_by_exchange(now_ms, ix, s, all);
            }
        }
        if moved {
            self.rest(now_ms, ix);
        }
        moved
    }

    /// A free place as deep as the member's own, of the same kind, and nearer.
    fn draw_to_place(&mut self, ix: Ix, s: u8) -> bool {
        let Some(parent) = self.forest.parent(ix, s) else {
            return false;
        };
        let Some(depth) = self.forest.depth(parent, s) else {
            return false;
        };
        let least_ms = self.way_ms(ix, parent, s) - NEAR_GAIN_MS;
        let found = self
            .forest
            .free_places_at(s, depth, self.ranks_for(ix) & PLACES)
            .take(PLACES_MAX)
            .filter(|p| self.is_peer(*p) == self.is_peer(parent))
            .map(|p| (self.new_way_ms(ix, p, s), p))
            .filter(|(ms, p)| *ms < least_ms && self.may_hang(ix, *p, s))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        found.is_some_and(|(_, better)| self.rehang(ix, better, s))
    }

    /// Another member as deep whose parent is nearer, if both together gain.
    fn draw_by_exchange(&mut self, now_ms: u64, ix: Ix, s: u8, all: Ix) -> bool {
        let (Some(parent), Some(depth)) = (self.forest.parent(ix, s), self.forest.depth(ix, s))
        else {
            return false;
        };
        let mut best: Option<(f32, Ix, Ix)> = None;
        for _ in 0..PARTNERS_MAX / u32::from(self.config.stripes.count().max(1)) {
            // Every member meets every other one in time.
            self.nearing.partner = self.nearing.partner.wrapping_add(1);
            let other = self.nearing.partner % all;
            let fits = other != ix
                && self.forest.depth(other, s) == Some(depth)
                && self.is_peer(other)
                && self.rested(now_ms, other);
            let Some(to) = self.forest.parent(other, s).filter(|_| fits) else {
                continue;
            };
            let gain_ms = self.gain_ms((ix, parent), (other, to), s);
            if gain_ms > NEAR_GAIN_MS
                && best.is_none_or(|(most, ..)| gain_ms > most)
                && self.may_trade((ix, parent), (other, to), s)
            {
                best = Some((gain_ms, other, to));
            }
        }
        let Some((_, other, to)) = best else {
            return false;
        };
        let traded = self.trade((ix, to), (other, parent), s);
        self.rest(now_ms, other);
        traded
    }

    /// What two and all below them gain if they change parents; in milliseconds
    /// of one member's round trip.
    fn gain_ms(&self, one: (Ix, Ix), other: (Ix, Ix), s: u8) -> f32 {
        let saved = |node: Ix, from: Ix, to: Ix| {
            let below = self.forest.part(node, s).take(PART_MAX).count();
            (self.way_ms(node, from, s) - self.way_ms(node, to, s)) * below as f32
        };
        saved(one.0, one.1, other.1) + saved(other.0, other.1, one.1)
    }

    fn may_trade(&self, one: (Ix, Ix), other: (Ix, Ix), s: u8) -> bool {
        one.1 != other.1
            && self.is_peer(one.1) == self.is_peer(other.1)
            && !self.under_own_relay(other.0, s)
            && self.may_hang(one.0, other.1, s)
            && self.may_hang(other.0, one.1, s)
    }

    /// The way by a parent who gets one child more.
    fn new_way_ms(&self, node: Ix, parent: Ix, s: u8) -> f32 {
        let edges = self.forest.edges(parent).max(1);
        self.way_ms(node, parent, s) + BUSY_MS / edges as f32
    }

    /// The way from the station to the node by this parent, in milliseconds of
    /// round trip.
    fn way_ms(&self, node: Ix, parent: Ix, s: u8) -> f32 {
        let mut below = node;
        let mut sum_ms = 0.0;
        let up = std::iter::once(parent).chain(self.forest.ancestors(parent, s));
        for above in up.take(HOPS_MAX) {
            sum_ms += self.hop_ms(below, above) + self.busy_ms(above);
            below = above;
        }
        sum_ms
    }

    fn hop_ms(&self, one: Ix, other: Ix) -> f32 {
        match (self.at(one), self.at(other)) {
            (Some(one), Some(other)) => one.distance_ms(&other),
            _ => UNKNOWN_MS,
        }
    }

    /// Who gives all that it can sends a chunk to the last of its children that
    /// much later, and as a round trip that counts twice.
    fn busy_ms(&self, ix: Ix) -> f32 {
        let (used, edges) = (self.forest.used(ix), self.forest.edges(ix).max(1));
        BUSY_MS * (used as f32 / edges as f32).min(1.0)
    }

    fn at(&self, ix: Ix) -> Option<Coordinate> {
        self.member(ix)
            .and_then(|member: &Member<N>| member.near.at)
    }

    fn rested(&self, now_ms: u64, ix: Ix) -> bool {
        let near = self.member(ix).map(|member| member.near);
        near.is_some_and(|near| near.at.is_some() && near.rests_until_ms <= now_ms)
    }

    fn rest(&mut self, now_ms: u64, ix: Ix) {
        let until_ms = now_ms.saturating_add(NEAR_REST_MS);
        self.change_member(ix, |member| member.near.rests_until_ms = until_ms);
    }
}

/// Who may take a child that he has not asked for.
const PLACES: u64 = OWN_RANKS | IDLE_RANKS;
