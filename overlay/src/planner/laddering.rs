//! What the bitrate ladder asks of the trees, see [`crate::ladder`].

use super::forest::{BUSY_RANKS, HUB_RANKS, IDLE_RANKS, Ix, OWN_RANKS, ROOT};
use super::{Member, Planner};
use crate::{Error, NodeId};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Places that are looked at in each stripe for a whole one.
const PLACES_MAX: usize = 16;

impl<N: NodeId> Planner<N> {
    /// Edges that the station feeds, and may feed.
    #[must_use]
    pub fn station_edges(&self) -> (u32, u32) {
        (self.forest.used(ROOT), self.forest.edges(ROOT))
    }

    /// Whether the viewer has places in enough stripes to watch.
    #[must_use]
    pub fn is_seated(&self, node: N) -> bool {
        self.ix(node).is_some_and(|ix| !self.forest.is_starved(ix))
    }

    /// Whether the node is in the trees, or waits for a place there.
    #[must_use]
    pub fn has(&self, node: N) -> bool {
        self.ix(node).is_some()
    }

    /// Whether this viewer's money runs.
    #[must_use]
    pub fn has_paid(&self, node: N) -> bool {
        self.paid.has_paid(node)
    }

    /// Whether nobody waits, and there is a place in all stripes for one more.
    #[must_use]
    pub fn has_room(&self, relay_only: bool) -> bool {
        let ranks = if relay_only {
            HUB_RANKS
        } else {
            OWN_RANKS | IDLE_RANKS | BUSY_RANKS
        };
        let mut places = BTreeSet::new();
        for stripe in self.config.stripes.all() {
            let before = places.len();
            let free = self.forest.free_places(stripe.0, ranks).take(PLACES_MAX);
            let mut any = false;
            places.extend(free.inspect(|_| any = true));
            if !any && places.len() == before {
                return false;
            }
        }
        let free = places
            .iter()
            .fold(0u32, |sum, p| sum.saturating_add(self.forest.free_of(*p)));
        self.waiting.is_empty() && free >= u32::from(self.config.stripes.count())
    }

    /// Free riders who have a place and feed nobody, the newest first. Walks
    /// through all members.
    #[must_use]
    pub fn free_riders(&self) -> Vec<N> {
        let mut riders: Vec<(Reverse<u64>, N)> = self
            .index
            .all()
            .filter(|(_, ix)| self.rides_free(*ix))
            .map(|(node, ix)| (Reverse(self.serial_of(ix)), node))
            .collect();
        riders.sort_unstable();
        riders.into_iter().map(|(_, node)| node).collect()
    }

    fn rides_free(&self, ix: Ix) -> bool {
        let free = self.member(ix).is_some_and(|member: &Member<N>| {
            member.is_peer() && member.edges_usable() == 0 && !self.paid.has_paid(member.name)
        });
        free && self.forest.feeds_nobody(ix) && !self.forest.is_starved(ix)
    }

    /// Whether the station itself feeds the viewer enough to watch.
    #[must_use]
    pub fn is_under_station(&self, node: N) -> bool {
        self.ix(node)
            .is_some_and(|ix| self.fed_by_station(ix) >= u32::from(self.config.stripes.k()))
    }

    fn fed_by_station(&self, ix: Ix) -> u32 {
        self.fed_by(ix, ROOT)
    }

    fn fed_by(&self, ix: Ix, parent: Ix) -> u32 {
        let stripes = 0..self.config.stripes.count();
        let fed = stripes.filter(|s| self.forest.parent(ix, *s) == Some(parent));
        u32::try_from(fed.count()).unwrap_or(u32::MAX)
    }

    /// Edges of this viewer's that this parent feeds.
    #[must_use]
    pub fn edges_between(&self, node: N, parent: N) -> u32 {
        let ends = self.ix(node).zip(self.ix(parent));
        ends.map_or(0, |(ix, parent)| self.fed_by(ix, parent))
    }

    /// Stripes that are enough to watch.
    #[must_use]
    pub fn enough(&self) -> u32 {
        self.config.stripes.k().into()
    }

    /// Relays that may be given more to feed, and edges of theirs that the
    /// trees do not use.
    #[must_use]
    pub fn relays_free(&self) -> Vec<(N, u32)> {
        let relays = self.relays.keys().filter_map(|ix| {
            let member = self.member(*ix)?;
            let stays = !member.leaving && !member.away;
            stays.then(|| (member.name, self.forest.free_of(*ix)))
        });
        relays.collect()
    }

    /// Takes a viewer who feeds nobody out of the trees, and the edges that he
    /// had at this parent away from it, their number: they serve another
    /// rendition, and nobody who waits gets them.
    ///
    /// # Errors
    /// [`Error::UnknownNode`], [`Error::Station`].
    pub fn yield_place(&mut self, now_ms: u64, node: N, parent: N) -> Result<u32, Error> {
        let ix = self.ix(node).ok_or(Error::UnknownNode)?;
        let parent = self.ix(parent).ok_or(Error::UnknownNode)?;
        if ix == ROOT {
            return Err(Error::Station);
        }
        let yielded = self.fed_by(ix, parent);
        self.forget(ix);
        self.change_member(parent, |member| {
            member.edges = member.edges.saturating_sub(yielded);
        });
        self.bring_in_line(parent);
        self.settle(now_ms);
        Ok(yielded)
    }
}
