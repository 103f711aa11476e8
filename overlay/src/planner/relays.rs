//! Relays near the root, sponsors directly under their own relay; relays with
//! little paid time left away from the root.

use super::forest::Ix;
use super::standing::Class;
use super::{Member, Planner};
use crate::NodeId;
use wire::statement::Cause;

/// Peers of one level that are compared for the least worthy; they come weak
/// ones first.
const LEVEL_MAX: usize = 256;

impl<N: NodeId> Planner<N> {
    /// With parity a relay feeds one stripe by preference, so that its end
    /// takes no more from anybody but its sponsor, who hangs under it in all:
    /// the one that the sponsor feeds, else the scarcest.
    pub(super) fn choose_primary(&mut self, relay: Ix) {
        if self.config.stripes.m() == 0 {
            return;
        }
        let sponsor = self.sponsor_of(relay);
        let fed = sponsor.filter(|sponsor| !self.forest.feeds_nobody(*sponsor));
        let primary = fed.map_or_else(|| self.forest.scarcest(), |s| self.forest.primary(s));
        self.forest.set_primary(relay, primary);
    }

    /// A relay goes to the shallowest level where it can take a place. With
    /// little paid time left it goes to the root only if nothing else is left.
    /// In stripes that it feeds for its sponsor alone it takes nobody's place.
    pub(super) fn place_relay(&mut self, now_ms: u64, node: Ix, s: u8) -> bool {
        if self.forest.edges(node) == 0 && !self.forest.is_inner(node, s) {
            return false;
        }
        if !self.forest.feeds_by_preference(node, s) && self.seat_relay_aside(node, s) {
            self.reunite(node);
            return true;
        }
        let below = self.forest.deepest(s).saturating_add(1);
        let first = if self.ends_soon(now_ms, node) { 2 } else { 1 };
        let placed = (first..=below)
            .chain(1..first)
            .any(|depth| self.seat_relay_at(node, depth, s));
        if placed {
            self.reunite(node);
        }
        placed
    }

    pub(super) fn ends_soon(&self, now_ms: u64, relay: Ix) -> bool {
        let least_ms = self.config.lease_left_near_root_ms_min;
        self.relays
            .get(&relay)
            .is_some_and(|r| r.lease_end_ms < now_ms.saturating_add(least_ms))
    }

    fn sponsor_of(&self, relay: Ix) -> Option<Ix> {
        self.ix(self.relays.get(&relay)?.sponsor)
    }

    /// The place of its sponsor, who feeds nobody there, else a free one.
    fn seat_relay_aside(&mut self, relay: Ix, s: u8) -> bool {
        let sponsor = self.sponsor_of(relay);
        if let Some(sponsor) = sponsor
            && self.forest.is_rooted(sponsor, s)
            && !self.forest.is_inner(sponsor, s)
            && !self.under_own_relay(sponsor, s)
            && self.can_carry(relay, sponsor)
            && self.take_place_of(relay, sponsor, s)
        {
            return true;
        }
        let fits = |parent: &Ix| {
            self.may_link(relay, *parent)
                && sponsor.is_none_or(|sponsor| !self.forest.is_within(*parent, sponsor, s))
        };
        let free = self.forest.free_places(s, u64::MAX).find(fits);
        free.is_some_and(|parent| self.seat(relay, parent, s))
    }

    /// Its sponsor's place, else a free one, else that of the least worthy
    /// peer there, who moves under it.
    fn seat_relay_at(&mut self, relay: Ix, depth: u32, s: u8) -> bool {
        let sponsor = self.sponsor_of(relay);
        if let Some(sponsor) = sponsor
            && self.forest.depth(sponsor, s) == Some(depth)
            && !self.under_own_relay(sponsor, s)
            && self.can_carry(relay, sponsor)
            && self.take_place_of(relay, sponsor, s)
        {
            return true;
        }
        let fits = |parent: Ix| {
            self.may_link(relay, parent)
                && sponsor.is_none_or(|sponsor| !self.forest.is_within(parent, sponsor, s))
        };
        let above = depth.saturating_sub(1);
        let free = self
            .forest
            .free_places_at(s, above, u64::MAX)
            .find(|p| fits(*p));
        let victim = if free.is_none() {
            self.least_worthy(relay, depth, s, fits)
        } else {
            None
        };
        if let Some(parent) = free {
            return self.seat(relay, parent, s);
        }
        victim.is_some_and(|peer| self.take_place_of(relay, peer, s))
    }

    /// Of those at one level who may go: a leaf, the least in standing; by
    /// preference one who does not come to depend on the relay for too much.
    fn least_worthy(&self, relay: Ix, depth: u32, s: u8, fits: impl Fn(Ix) -> bool) -> Option<Ix> {
        let has_room = self.forest.free_of(relay) > 0;
        let movable = |peer: &Ix| {
            let class = self.class(*peer);
            let may_go = if has_room {
                class != Class::Relay && self.may_link(*peer, relay)
            } else {
                class == Class::FreeRider
            };
            may_go
                && !self.under_own_relay(*peer, s)
                && self.forest.parent(*peer, s).is_some_and(&fits)
        };
        self.forest
            .level(s, depth)
            .take(LEVEL_MAX)
            .filter(movable)
            .max_by_key(|peer| {
                let safe = self.forest.keeps_guarantee(*peer, relay, s);
                let leaf = !self.forest.is_inner(*peer, s);
                (safe, leaf, self.standing(*peer, s))
            })
    }

    /// `node`, which waits, takes the place of `peer`, who moves under it or,
    /// if it is full, waits.
    fn take_place_of(&mut self, node: Ix, peer: Ix, s: u8) -> bool {
        let Some(parent) = self.forest.parent(peer, s) else {
            return false;
        };
        if !self.may_link(node, parent) {
            return false;
        }
        self.forest.detach(peer, s);
        let seated = self.seat(node, parent, s);
        if !(self.may_link(peer, node) && self.hang(peer, node, s)) {
            self.wait(peer, s, Cause::Leave);
        }
        seated
    }

    /// Whether the relay can feed its sponsor one stripe more, if others make
    /// room.
    fn can_carry(&self, relay: Ix, sponsor: Ix) -> bool {
        let stripes = 0..self.config.stripes.count();
        let fed = stripes.filter(|s| self.forest.parent(sponsor, *s) == Some(relay));
        self.forest.edges(relay) as usize > fed.count()
    }

    /// A relay of the node's own that can feed it.
    pub(super) fn own_relay(&self, node: Ix, s: u8) -> Option<Ix> {
        if self.sponsored.is_empty() {
            return None;
        }
        self.sponsored
            .get(&self.name_of(node)?)
            .into_iter()
            .flatten()
            .copied()
            .filter(|relay| {
                self.forest.is_rooted(*relay, s)
                    && self.can_carry(*relay, node)
                    && self.may_link(node, *relay)
            })
            .min_by_key(|relay| {
                let full = self.forest.free_of(*relay) == 0;
                (full, self.forest.depth(*relay, s), *relay)
            })
    }

    /// Hangs a sponsor, who has no parent in this stripe, under his relay; the
    /// least worthy edge makes room.
    pub(super) fn seat_sponsor(&mut self, sponsor: Ix, relay: Ix, s: u8) -> bool {
        if self.forest.free_of(relay) == 0 {
            let worst = self.worst_child(relay, |child, _| child != sponsor);
            self.evict(worst);
        }
        self.seat(sponsor, relay, s)
    }

    /// Brings a relay's sponsor directly under it, in every stripe that it has.
    pub(super) fn reunite(&mut self, relay: Ix) {
        if let Some(sponsor) = self.sponsor_of(relay) {
            for s in 0..self.config.stripes.count() {
                self.reunite_in(relay, sponsor, s);
            }
        }
    }

    fn reunite_in(&mut self, relay: Ix, sponsor: Ix, s: u8) {
        let apart = self.forest.is_rooted(relay, s)
            && self.can_carry(relay, sponsor)
            && !self.under_own_relay(sponsor, s)
            && self.may_link(sponsor, relay);
        if !apart {
            return;
        }
        if self.forest.is_within(relay, sponsor, s) {
            // The relay hangs on its own sponsor: they change places.
            self.forest.detach(relay, s);
            if self.take_place_of(relay, sponsor, s) && self.under_own_relay(sponsor, s) {
                return;
            }
        }
        self.forest.detach(sponsor, s);
        if self.waiting.get(sponsor, self.nowhere()).is_none() {
            self.wait(sponsor, s, Cause::Leave);
        }
        if self.forest.is_rooted(relay, s) {
            self.seat_sponsor(sponsor, relay, s);
        } else {
            self.wait(relay, s, Cause::Leave);
        }
    }

    /// Brings one sponsor, who may have been placed before his relay was,
    /// under it in one stripe; false if all of them are.
    pub(super) fn reunite_one(&mut self) -> bool {
        while let Some(ix) = self.forest.take_touched() {
            self.unwatch(ix);
            let sponsor = if self.relays.contains_key(&ix) {
                self.sponsor_of(ix)
            } else {
                Some(ix)
            };
            let Some(sponsor) = sponsor else { continue };
            for s in 0..self.config.stripes.count() {
                // Also one whose parent waits itself; who has none is placed.
                let hangs = self.forest.parent(sponsor, s).is_some();
                let apart = hangs && !self.under_own_relay(sponsor, s);
                if apart && let Some(relay) = self.own_relay(sponsor, s) {
                    self.forest.touch(ix);
                    self.reunite_in(relay, sponsor, s);
                    return true;
                }
            }
        }
        false
    }

    /// Nodes of interest that have moved may now wait for less, or for more.
    pub(super) fn requeue_touched(&mut self) {
        for ix in self.forest.touched() {
            self.requeue(ix);
        }
    }

    /// Whoever neither waits nor has to do with a relay is of no interest.
    fn unwatch(&mut self, ix: Ix) {
        let Some(member) = self.member(ix) else {
            return;
        };
        let sponsor = !self.sponsored.is_empty() && self.sponsored.contains_key(&member.name);
        let watched = Member::is_relay(member) || sponsor || self.waiting.waits(ix);
        self.forest.set_watched(ix, watched);
    }
}
