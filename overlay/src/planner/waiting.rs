//! Who waits for a place, in the order in which places are given.

use super::forest::Ix;
use super::standing::{Class, Standing};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};
use wire::statement::Cause;

/// In which order: who has too little to watch before who lacks protection;
/// who lost a place before who never had one; by standing.
pub(super) type Key = (bool, bool, Standing);
/// No standing is better.
const FIRST: Standing = (Class::Relay, Reverse(u64::MAX), 0);

/// One who waits: for a place in one stripe, or, with none at all, for as many
/// as are needed to watch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// What made it wait.
    pub(super) cause: Cause,
    /// Its place in the queue.
    pub(super) key: Key,
    /// Nothing tells it from others of the kind: a leaf without edges that may
    /// hang anywhere. If one of these finds no place, none of them does.
    pub(super) plain: bool,
    /// It carries no viewer of its own: a relay.
    pub(super) relay: bool,
}

/// A queue: one for each stripe, and one for those who have none.
#[derive(Debug, Clone, Default)]
struct Lane {
    special: BTreeSet<(Key, Ix)>,
    plain: BTreeSet<(Key, Ix)>,
}

#[derive(Debug, Clone)]
pub(super) struct Waiting {
    lanes: Vec<Lane>,
    entries: BTreeMap<(Ix, u8), Entry>,
    /// Entries that are no relays', and those of them that lost a place.
    peers: u32,
    peers_left: u32,
    /// Those of them that have no stripe.
    whole: u32,
    relays: BTreeSet<(Ix, u8)>,
    /// Who came since [`Waiting::take_news`].
    news: Vec<Ix>,
}

impl Waiting {
    pub(super) fn new(stripes: u8) -> Self {
        Self {
            lanes: vec![Lane::default(); usize::from(stripes) + 1],
            entries: BTreeMap::new(),
            peers: 0,
            peers_left: 0,
            whole: 0,
            relays: BTreeSet::new(),
            news: Vec::new(),
        }
    }

    /// Puts one into a queue, or changes its place there.
    pub(super) fn insert(&mut self, ix: Ix, lane: u8, entry: Entry) {
        if self.remove(ix, lane).is_none() {
            self.news.push(ix);
        }
        let whole = self.is_whole(lane);
        if entry.relay {
            self.relays.insert((ix, lane));
        } else {
            self.peers += 1;
            self.peers_left += u32::from(entry.cause == Cause::Leave);
            self.whole += u32::from(whole);
        }
        if let Some(queue) = self.queue(lane, entry.plain) {
            queue.insert((entry.key, ix));
        }
        self.entries.insert((ix, lane), entry);
    }

    pub(super) fn remove(&mut self, ix: Ix, lane: u8) -> Option<Entry> {
        let entry = self.entries.remove(&(ix, lane))?;
        if entry.relay {
            self.relays.remove(&(ix, lane));
        } else {
            self.peers = self.peers.saturating_sub(1);
            let left = u32::from(entry.cause == Cause::Leave);
            self.peers_left = self.peers_left.saturating_sub(left);
            self.whole = self.whole.saturating_sub(u32::from(self.is_whole(lane)));
        }
        if let Some(queue) = self.queue(lane, entry.plain) {
            queue.remove(&(entry.key, ix));
        }
        Some(entry)
    }

    fn is_whole(&self, lane: u8) -> bool {
        usize::from(lane) + 1 == self.lanes.len()
    }

    fn queue(&mut self, lane: u8, plain: bool) -> Option<&mut BTreeSet<(Key, Ix)>> {
        let lane = self.lanes.get_mut(usize::from(lane))?;
        Some(if plain {
            &mut lane.plain
        } else {
            &mut lane.special
        })
    }

    pub(super) fn get(&self, ix: Ix, lane: u8) -> Option<&Entry> {
        self.entries.get(&(ix, lane))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The queues that one is in.
    pub(super) fn lanes_of(&self, ix: Ix) -> Vec<(u8, Entry)> {
        self.entries
            .range((ix, 0)..=(ix, u8::MAX))
            .map(|((_, lane), entry)| (*lane, *entry))
            .collect()
    }

    pub(super) fn waits(&self, ix: Ix) -> bool {
        self.entries.range((ix, 0)..=(ix, u8::MAX)).next().is_some()
    }

    /// The special ones of a queue, in order.
    pub(super) fn special(&self, lane: u8, unprotected: bool) -> Vec<(Key, Ix)> {
        let lane = self.lanes.get(usize::from(lane));
        let all = lane.into_iter().flat_map(|l| &l.special);
        all.filter(|(key, _)| key.0 == unprotected)
            .copied()
            .collect()
    }

    /// The next plain one of a queue after `last`, or the first.
    pub(super) fn plain_after(
        &self,
        lane: u8,
        unprotected: bool,
        last: Option<(Key, Ix)>,
    ) -> Option<(Key, Ix)> {
        let first = ((unprotected, false, FIRST), 0);
        let from = last.map_or(Included(first), Excluded);
        let lane = self.lanes.get(usize::from(lane))?;
        let next = lane.plain.range((from, Unbounded)).next().copied()?;
        (next.0.0 == unprotected).then_some(next)
    }

    /// Everybody, with the queue.
    pub(super) fn in_order(&self) -> Vec<(Ix, u8)> {
        let mut all: Vec<(Key, Ix, u8)> = self
            .entries
            .iter()
            .map(|((ix, lane), entry)| (entry.key, *ix, *lane))
            .collect();
        all.sort_unstable();
        all.into_iter().map(|(_, ix, lane)| (ix, lane)).collect()
    }

    /// Who came since the last call and still waits, in order.
    pub(super) fn take_news(&mut self) -> Vec<(Ix, u8)> {
        let mut found: Vec<(Key, Ix, u8)> = Vec::new();
        for ix in std::mem::take(&mut self.news) {
            let lanes = self.lanes_of(ix).into_iter();
            found.extend(lanes.map(|(lane, entry)| (entry.key, ix, lane)));
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|(_, ix, lane)| (ix, lane)).collect()
    }

    pub(super) fn forget_news(&mut self) {
        self.news.clear();
    }

    /// Peers that have no stripe.
    pub(super) fn whole(&self) -> u32 {
        self.whole
    }

    /// Entries that are no relays'.
    pub(super) fn peers(&self) -> u32 {
        self.peers
    }

    /// Those of them that lost a place.
    pub(super) fn peers_left(&self) -> u32 {
        self.peers_left
    }

    /// Relays, with their queue.
    pub(super) fn relays(&self) -> impl Iterator<Item = (Ix, u8)> + '_ {
        self.relays.iter().copied()
    }
}
