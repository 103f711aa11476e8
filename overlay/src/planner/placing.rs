//! Where a node goes. Relays near the root, sponsors directly under their
//! own relay, free riders at the leaves; subtrees move whole.

use super::standing::{Class, Standing};
use super::{Member, Planner};
use crate::NodeId;
use std::cmp::Reverse;
use wire::statement::Cause;

impl<N: NodeId> Planner<N> {
    /// Gives places to those who wait, until nobody can be helped any more.
    pub(super) fn place_waiting(&mut self, now_ms: u64) {
        loop {
            let mut placed = false;
            for node in self.waiting_in_order() {
                placed |= self.waiting.contains_key(&node) && self.place(now_ms, node);
            }
            placed |= self.move_doubted(now_ms);
            if !placed && !self.reunite_one() {
                break;
            }
        }
    }

    /// Brings one sponsor, who may have been placed before his relay was,
    /// under it; false if all of them are.
    fn reunite_one(&mut self) -> bool {
        let apart = self.sponsored.keys().copied().find_map(|sponsor| {
            let placed = self.tree.depth(sponsor).is_some() && !self.under_own_relay(sponsor);
            placed.then(|| self.own_relay(sponsor)).flatten()
        });
        if let Some(relay) = apart {
            self.reunite(relay);
        }
        apart.is_some()
    }

    /// Who lost a place before who never had one; the former by standing,
    /// the latter as they came.
    pub(super) fn waiting_in_order(&self) -> Vec<N> {
        let mut keyed: Vec<(bool, Standing, N)> = self
            .waiting
            .iter()
            .map(|(node, cause)| match cause {
                Cause::Leave => (false, self.standing(*node), *node),
                Cause::Join => {
                    let age = (Class::FreeRider, Reverse(0), self.serial_of(*node));
                    (true, age, *node)
                }
            })
            .collect();
        keyed.sort_unstable();
        keyed.into_iter().map(|(_, _, node)| node).collect()
    }

    pub(super) fn place(&mut self, now_ms: u64, node: N) -> bool {
        let Some(member) = self.members.get(&node) else {
            return false;
        };
        if member.is_relay() {
            return self.place_relay(now_ms, node);
        }
        if let Some(relay) = self.own_relay(node) {
            return self.seat_sponsor(node, relay);
        }
        let free = self
            .tree
            .free_place(member.relay_only(), |p| !member.avoids(p));
        match free {
            Some(parent) => self.seat(node, parent),
            None => self.place_by_displacing(node),
        }
    }

    fn seat(&mut self, node: N, parent: N) -> bool {
        let seated = self.tree.attach(node, parent);
        if seated {
            self.waiting.remove(&node);
        }
        seated
    }

    /// Whether the edge is allowed: a relay-only member links to the station
    /// and to relays, and nobody is sent where he failed before.
    fn may_link(&self, child: N, parent: N) -> bool {
        let (Some(c), Some(p)) = (self.members.get(&child), self.members.get(&parent)) else {
            return false;
        };
        !c.avoids(parent) && (p.is_hub() || !c.relay_only())
    }

    /// A node that brings a free slot is worth a leaf's place: the leaf moves
    /// under it, and nobody loses anything.
    fn place_by_displacing(&mut self, node: N) -> bool {
        let spare = self
            .tree
            .subtree(node)
            .into_iter()
            .find(|n| self.tree.free(*n) > 0);
        let Some(spare) = spare else { return false };
        let victim = self.tree.leaves().find_map(|leaf| {
            let parent = self.tree.parent(leaf)?;
            let fits = self.may_link(node, parent)
                && self.may_link(leaf, spare)
                && !self.under_own_relay(leaf);
            fits.then_some((leaf, parent))
        });
        let Some((leaf, parent)) = victim else {
            return false;
        };
        self.tree.detach(leaf);
        let swapped = self.seat(node, parent) && self.tree.attach(leaf, spare);
        if !swapped {
            self.waiting.insert(leaf, Cause::Leave);
        }
        swapped
    }

    /// A relay goes to the shallowest level where it can take a place. With
    /// little paid time left it goes to the root only if nothing else is left.
    fn place_relay(&mut self, now_ms: u64, node: N) -> bool {
        if self.tree.slots(node) == 0 && self.tree.children_len(node) == 0 {
            return false;
        }
        let below = self.tree.deepest().saturating_add(1);
        let first = if self.ends_soon(now_ms, node) { 2 } else { 1 };
        let placed = (first..=below)
            .chain(1..first)
            .any(|depth| self.seat_relay_at(node, depth));
        if placed {
            self.reunite(node);
        }
        placed
    }

    pub(super) fn ends_soon(&self, now_ms: u64, relay: N) -> bool {
        let least_ms = self.config.lease_left_near_root_ms_min;
        self.members
            .get(&relay)
            .and_then(Member::relay)
            .is_some_and(|r| r.lease_end_ms < now_ms.saturating_add(least_ms))
    }

    /// Its sponsor's place, else a free one, else that of the least worthy
    /// peer there, who moves under it.
    fn seat_relay_at(&mut self, relay: N, depth: u32) -> bool {
        let sponsor = self
            .members
            .get(&relay)
            .and_then(Member::relay)
            .map(|r| r.sponsor);
        if let Some(sponsor) = sponsor
            && self.tree.depth(sponsor) == Some(depth)
            && !self.under_own_relay(sponsor)
            && self.take_place_of(relay, sponsor)
        {
            return true;
        }
        let fits = |parent: N| {
            self.may_link(relay, parent) && sponsor.is_none_or(|s| !self.tree.is_within(parent, s))
        };
        let free = self.tree.free_place_at(depth.saturating_sub(1), fits);
        if let Some(parent) = free {
            return self.seat(relay, parent);
        }
        let has_room = self.tree.free(relay) > 0;
        let victim = self
            .tree
            .level(depth)
            .filter(|peer| {
                let class = self.class(*peer);
                let movable = if has_room {
                    class != Class::Relay && self.may_link(*peer, relay)
                } else {
                    class == Class::FreeRider
                };
                movable && !self.under_own_relay(*peer) && self.tree.parent(*peer).is_some_and(fits)
            })
            .max_by_key(|peer| (self.tree.children_len(*peer) == 0, self.standing(*peer)));
        victim.is_some_and(|peer| self.take_place_of(relay, peer))
    }

    /// `node`, which waits, takes the place of `peer`, who moves under it or,
    /// if it is full, waits.
    fn take_place_of(&mut self, node: N, peer: N) -> bool {
        let Some(parent) = self.tree.parent(peer) else {
            return false;
        };
        if !self.may_link(node, parent) {
            return false;
        }
        self.tree.detach(peer);
        let seated = self.seat(node, parent);
        if !(self.may_link(peer, node) && self.tree.attach(peer, node)) {
            self.waiting.insert(peer, Cause::Leave);
        }
        seated
    }

    /// A relay of the node's own that can feed it.
    fn own_relay(&self, node: N) -> Option<N> {
        self.sponsored
            .get(&node)
            .into_iter()
            .flatten()
            .copied()
            .filter(|relay| {
                self.tree.depth(*relay).is_some()
                    && self.tree.slots(*relay) > 0
                    && self.may_link(node, *relay)
            })
            .min_by_key(|relay| (self.tree.free(*relay) == 0, self.tree.depth(*relay)))
    }

    /// Hangs a sponsor, who has no parent, under his relay; the least worthy
    /// child makes room.
    fn seat_sponsor(&mut self, sponsor: N, relay: N) -> bool {
        if self.tree.free(relay) == 0 {
            self.evict(relay, |_| true);
        }
        self.seat(sponsor, relay)
    }

    /// Brings a relay's sponsor directly under it.
    pub(super) fn reunite(&mut self, relay: N) {
        let Some(sponsor) = self
            .members
            .get(&relay)
            .and_then(Member::relay)
            .map(|r| r.sponsor)
        else {
            return;
        };
        let apart = self.members.contains_key(&sponsor)
            && self.tree.depth(relay).is_some()
            && self.tree.slots(relay) > 0
            && !self.under_own_relay(sponsor)
            && self.may_link(sponsor, relay);
        if !apart {
            return;
        }
        if self.tree.is_within(relay, sponsor) {
            // The relay hangs on its own sponsor: they change places.
            self.tree.detach(relay);
            if self.take_place_of(relay, sponsor) && self.under_own_relay(sponsor) {
                return;
            }
        }
        self.tree.detach(sponsor);
        self.waiting.insert(sponsor, Cause::Leave);
        if self.tree.depth(relay).is_some() {
            self.seat_sponsor(sponsor, relay);
        } else {
            self.waiting.insert(relay, Cause::Leave);
        }
    }

    /// The worst child that `may` go loses its place; false if there is none.
    pub(super) fn evict(&mut self, parent: N, may: impl Fn(N) -> bool) -> bool {
        let Some(child) = self.worst_child(parent, may) else {
            return false;
        };
        self.tree.detach(child);
        self.waiting.insert(child, Cause::Leave);
        true
    }

    /// The relay that takes the place of an inner node: the strongest of the
    /// lower ones, by preference one that hangs below it anyway.
    pub(super) fn successor(&self, now_ms: u64, leaving: N) -> Option<N> {
        let depth = self.tree.depth(leaving)?;
        let parent = self.tree.parent(leaving)?;
        if self.tree.children_len(leaving) == 0 {
            return None;
        }
        self.members
            .iter()
            .filter(|(node, member)| {
                member.is_relay()
                    && self.tree.depth(**node).is_some_and(|d| d > depth)
                    && self.tree.slots(**node) > 0
                    && self.may_link(**node, parent)
                    && !self.ends_soon(now_ms, **node)
            })
            .map(|(node, _)| *node)
            .min_by_key(|node| {
                (
                    Reverse(self.tree.slots(*node)),
                    !self.tree.is_within(*node, leaving),
                    self.tree.depth(*node),
                    self.serial_of(*node),
                )
            })
    }

    /// Moves the successor up with its subtree. Orphans that are no free
    /// riders may take the places of free riders there, the last to come
    /// first.
    pub(super) fn succeed(&mut self, now_ms: u64, successor: N, parent: N, orphans: Vec<N>) {
        self.tree.detach(successor);
        if !self.seat(successor, parent) {
            self.waiting.insert(successor, Cause::Leave);
            return;
        }
        self.reunite(successor);
        let mut orphans: Vec<N> = orphans
            .into_iter()
            .filter(|node| self.class(*node) != Class::FreeRider)
            .collect();
        orphans.sort_by_key(|node| self.standing(*node));
        for node in orphans {
            if !self.waiting.contains_key(&node) || self.place(now_ms, node) {
                continue;
            }
            let leaf = |n: N| self.class(n) == Class::FreeRider;
            if self.may_link(node, successor)
                && let Some(victim) = self.worst_child(successor, leaf)
            {
                self.tree.detach(victim);
                self.waiting.insert(victim, Cause::Leave);
                self.seat(node, successor);
            }
        }
    }
}
