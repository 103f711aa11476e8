//! What is pulled, of whom, and when.

use super::view::{Place, View};
use super::{Config, Pulled};
use crate::forwarder::OpenRow;
use crate::{Forwarder, NodeId};
use std::collections::{BTreeMap, BTreeSet};
use wire::message::mesh::{Map, Pull};
use wire::statement::ChunkKey;
use wire::{Rendition, Sequence};

/// How much the grace shrinks with each block that was worth pulling: slowly,
/// so that a slow path does not make a node waste its neighbours' upload.
const GRACE_SHRINKS_BY: u64 = 16;

/// What is lacking here, as the forwarder knows it.
pub trait Wanted {
    /// The rows of a chunk that lack blocks; none if its header is not here.
    fn open_rows(&self, key: ChunkKey) -> Option<Vec<OpenRow>>;
    /// The init segment that this chunk needs, if that is not here.
    fn init_lacking(&self, key: ChunkKey) -> Option<ChunkKey>;
}

impl<P: Clone, D: NodeId> Wanted for Forwarder<P, D> {
    fn open_rows(&self, key: ChunkKey) -> Option<Vec<OpenRow>> {
        Self::open_rows(self, key)
    }

    fn init_lacking(&self, key: ChunkKey) -> Option<ChunkKey> {
        Self::init_lacking(self, key)
    }
}

/// A neighbour spoke of a block that it was not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unasked;

/// What became of a block that a neighbour sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It was lacking.
    Repaired,
    /// It had come by itself, or by somebody else.
    Wasted,
}

#[derive(Debug, Clone, Copy)]
struct Asked<C> {
    of: C,
    at_ms: u64,
}

/// Pulls of one rendition. `C` names the neighbours.
#[derive(Debug, Clone)]
pub struct Puller<C> {
    me: C,
    config: Config,
    rendition: Rendition,
    grace_ms: u64,
    /// Chunks before are not needed any more; none: nothing is needed yet.
    from: Option<Sequence>,
    /// Chunks before are all here: nothing has to be looked up of them.
    whole_to: Sequence,
    /// When something was needed for the first time.
    began_ms: Option<u64>,
    neighbours: BTreeMap<C, View>,
    asked: BTreeMap<Place, Asked<C>>,
    /// When a neighbour was the first to name a chunk.
    named_ms: BTreeMap<Sequence, u64>,
    pulled: Pulled,
}

impl<C: NodeId> Puller<C> {
    /// The pulls of `me`, without neighbours.
    #[must_use]
    pub fn new(me: C, rendition: Rendition, config: Config) -> Self {
        Self {
            me,
            grace_ms: config.grace_ms,
            config,
            rendition,
            from: None,
            whole_to: Sequence(0),
            began_ms: None,
            neighbours: BTreeMap::new(),
            asked: BTreeMap::new(),
            named_ms: BTreeMap::new(),
            pulled: Pulled::default(),
        }
    }

    /// The limits.
    #[must_use]
    pub const fn config(&self) -> Config {
        self.config
    }

    /// Whether nothing comes by itself.
    #[must_use]
    pub const fn is_pull_only(&self) -> bool {
        self.config.grace_ms_max == 0
    }

    /// Other limits from now on.
    pub fn configure(&mut self, config: Config) {
        self.config = config;
        self.grace_ms = config.grace_ms;
    }

    /// A neighbour from whom blocks may be pulled. A `last_resort` is asked
    /// for what no other neighbour has.
    pub fn add(&mut self, neighbour: C, last_resort: bool) {
        self.neighbours.insert(neighbour, View::new(last_resort));
    }

    /// It is none any more; what it was asked for is asked of others.
    pub fn remove(&mut self, neighbour: C) {
        self.neighbours.remove(&neighbour);
        self.asked.retain(|_, asked| asked.of != neighbour);
    }

    /// The neighbours.
    pub fn neighbours(&self) -> impl Iterator<Item = C> + '_ {
        self.neighbours.keys().copied()
    }

    /// What was pulled so far.
    #[must_use]
    pub const fn pulled(&self) -> Pulled {
        self.pulled
    }

    /// Chunks before `from` are not needed any more.
    pub fn needs_from(&mut self, now_ms: u64, from: Sequence) {
        self.began_ms.get_or_insert(now_ms);
        if self.from.is_some_and(|known| known >= from) {
            // What neighbours say of older chunks is not taken in.
            return;
        }
        self.from = Some(from);
        self.whole_to = self.whole_to.max(from);
        for view in self.neighbours.values_mut() {
            view.forget_below(from);
        }
        self.asked
            .retain(|(key, _), _| key.init || key.sequence >= from);
        self.named_ms = self.named_ms.split_off(&from);
    }

    /// What is here says from where on chunks are needed: from the oldest that
    /// is kept, and not before `live`, where what is older is of no use.
    pub fn follow<P: Clone, D: NodeId>(
        &mut self,
        now_ms: u64,
        here: &Forwarder<P, D>,
        live: Option<Sequence>,
    ) {
        let from = match self.from {
            Some(_) => Some(here.floor(self.rendition)),
            None => here
                .oldest(self.rendition)
                .or_else(|| self.start().filter(|_| self.is_pull_only())),
        };
        if let Some(from) = from {
            self.needs_from(now_ms, live.map_or(from, |live| live.max(from)));
        }
    }

    /// The newest chunk that a neighbour has at which playback can start.
    #[must_use]
    pub fn start(&self) -> Option<Sequence> {
        self.neighbours.values().filter_map(|view| view.start).max()
    }

    /// A neighbour says what it has.
    pub fn map(&mut self, now_ms: u64, neighbour: C, map: &Map) {
        let Some(view) = self.neighbours.get_mut(&neighbour) else {
            return;
        };
        if map.rendition != self.rendition {
            return;
        }
        view.take(map);
        if let Some(from) = self.from {
            view.forget_below(from);
        }
        for sequence in view.map.keys() {
            self.named_ms.entry(*sequence).or_insert(now_ms);
        }
        let named = |at: &Sequence| self.neighbours.values().any(|v| v.map.contains_key(at));
        self.named_ms.retain(|at, _| named(at));
    }

    /// A neighbour sends a block. Verify it before anything else becomes of
    /// it, and then say with [`Puller::arrived`] what it was worth.
    ///
    /// # Errors
    /// [`Unasked`].
    pub fn answered(&mut self, neighbour: C, key: ChunkKey, index: u16) -> Result<(), Unasked> {
        self.hear(neighbour, (key, index))
    }

    /// What the block was worth.
    pub fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Repaired => {
                self.pulled.repaired = self.pulled.repaired.saturating_add(1);
                let shorter = self.grace_ms - self.grace_ms / GRACE_SHRINKS_BY;
                self.grace_ms = shorter.max(self.config.grace_ms);
            }
            Arrival::Wasted => {
                self.pulled.wasted = self.pulled.wasted.saturating_add(1);
                let longer = self.grace_ms.saturating_add(self.grace_ms / 2);
                self.grace_ms = longer.min(self.config.grace_ms_max);
            }
        }
    }

    /// A neighbour does not send a block that it was asked for: it is asked of
    /// others, or of the same one `again` if it had no upload left.
    ///
    /// # Errors
    /// [`Unasked`].
    pub fn refused(
        &mut self,
        neighbour: C,
        key: ChunkKey,
        index: u16,
        again: bool,
    ) -> Result<(), Unasked> {
        self.hear(neighbour, (key, index))?;
        if let Some(view) = self.neighbours.get_mut(&neighbour).filter(|_| again) {
            view.may_be_asked_again((key, index));
        }
        self.pulled.refused = self.pulled.refused.saturating_add(1);
        Ok(())
    }

    fn hear(&mut self, neighbour: C, place: Place) -> Result<(), Unasked> {
        let view = self.neighbours.get_mut(&neighbour).ok_or(Unasked)?;
        if !view.answers(place) {
            return Err(Unasked);
        }
        if self.asked.get(&place).is_some_and(|a| a.of == neighbour) {
            self.asked.remove(&place);
        }
        Ok(())
    }

    /// Neighbours that do not answer any more.
    #[must_use]
    pub fn unanswering(&self) -> Vec<C> {
        let max = self.config.unanswered_max;
        let silent = self.neighbours.iter().filter(|(_, v)| v.unanswered >= max);
        silent.map(|(neighbour, _)| *neighbour).collect()
    }

    /// What to ask of whom now, what is needed first before the rest.
    pub fn poll(&mut self, now_ms: u64, wanted: &impl Wanted) -> Vec<(C, Pull)> {
        self.give_up_late(now_ms);
        let Some(from) = self.from else {
            return Vec::new();
        };
        // Neighbours name chunks before a newcomer has a parent, who then brings
        // those: the grace begins with the first that came.
        let began_ms = self.began_ms.unwrap_or(now_ms);
        let due = |(at, named_ms): (&Sequence, &u64)| {
            let since_ms = began_ms.max(*named_ms);
            let waited = now_ms.saturating_sub(since_ms) >= self.grace_ms;
            waited.then_some(*at)
        };
        let from = from.max(self.whole_to);
        let due: Vec<Sequence> = self.named_ms.range(from..).filter_map(due).collect();
        let mut pulls = Vec::new();
        let mut inits = BTreeSet::new();
        for sequence in due {
            let key = ChunkKey {
                rendition: self.rendition,
                init: false,
                sequence,
            };
            let init = wanted.init_lacking(key);
            if let Some(init) = init
                && inits.insert(init)
            {
                self.pull_chunk(now_ms, init, wanted, &mut pulls);
            }
            let whole = self.pull_chunk(now_ms, key, wanted, &mut pulls);
            if whole && init.is_none() && sequence == self.whole_to {
                self.whole_to = sequence.next();
            }
            if self.asked.len() >= self.config.asked_max {
                break;
            }
        }
        pulls
    }

    fn give_up_late(&mut self, now_ms: u64) {
        let max = self.config.answer_ms_max;
        let late = |(place, asked): (&Place, &Asked<C>)| {
            let late = now_ms.saturating_sub(asked.at_ms) >= max;
            late.then_some((*place, asked.of))
        };
        let late: Vec<(Place, C)> = self.asked.iter().filter_map(late).collect();
        for (place, of) in late {
            self.asked.remove(&place);
            self.pulled.unanswered = self.pulled.unanswered.saturating_add(1);
            if let Some(view) = self.neighbours.get_mut(&of) {
                view.is_late(place);
            }
        }
    }

    /// True if nothing of the chunk is lacking.
    fn pull_chunk(
        &mut self,
        now_ms: u64,
        key: ChunkKey,
        wanted: &impl Wanted,
        pulls: &mut Vec<(C, Pull)>,
    ) -> bool {
        let under_way = (key, 0)..=(key, u16::MAX);
        let Some(rows) = wanted.open_rows(key) else {
            // One block brings the header, and the header says what there is.
            if self.asked.range(under_way).next().is_none() {
                let views = self.neighbours.values();
                let offered: BTreeSet<u16> = views.flat_map(|view| view.all_of(key)).collect();
                let mut offered = offered.into_iter();
                pulls.extend(offered.find_map(|index| self.pull(now_ms, (key, index), true)));
            }
            return false;
        };
        let whole = rows.is_empty();
        for row in rows {
            let len = row.lacking.len();
            let at = (self.config.seed ^ key.sequence.0) % (len.max(1) as u64);
            let at = usize::try_from(at).unwrap_or(0);
            let in_turn = row.lacking.iter().cycle().skip(at).take(len);
            let is_asked = |index: &&u16| self.asked.contains_key(&(key, **index));
            let mut open = row
                .need
                .saturating_sub(row.lacking.iter().filter(is_asked).count());
            for index in in_turn {
                if open == 0 || self.asked.len() >= self.config.asked_max {
                    break;
                }
                if let Some(pull) = self.pull(now_ms, (key, *index), false) {
                    open -= 1;
                    pulls.push(pull);
                }
            }
        }
        whole
    }

    /// Whether a last resort may be asked for the block: it is this node's part
    /// of what all of its neighbours need, or none of them got it in time. So
    /// each block is asked of it about once.
    fn may_ask_the_last(&self, now_ms: u64, (key, index): Place) -> bool {
        let named_ms = self.named_ms.get(&key.sequence);
        let waited =
            named_ms.is_none_or(|at| now_ms.saturating_sub(*at) >= self.config.last_resort_ms);
        if waited || key.init {
            return true;
        }
        let others = self.neighbours.iter().filter(|(_, view)| !view.last_resort);
        let (mut parts, mut mine) = (1u64, 0u64);
        for (other, _) in others {
            parts = parts.saturating_add(1);
            mine = mine.saturating_add(u64::from(*other < self.me));
        }
        key.sequence.0.wrapping_add(index.into()) % parts == mine
    }

    /// Asks the least busy neighbour that has the block, once at a time.
    fn pull(&mut self, now_ms: u64, place: Place, header: bool) -> Option<(C, Pull)> {
        if self.asked.contains_key(&place) {
            return None;
        }
        let max = self.config.pending_max;
        let last_resort = self.may_ask_the_last(now_ms, place);
        let able = self.neighbours.iter_mut();
        let (of, view) = able
            .filter(|(_, view)| view.pending.len() < max && view.offers(place))
            .filter(|(_, view)| last_resort || !view.last_resort)
            .min_by_key(|(_, view)| (view.last_resort, view.unanswered, view.pending.len()))?;
        view.asked(place);
        let of = *of;
        self.asked.insert(place, Asked { of, at_ms: now_ms });
        self.pulled.asked = self.pulled.asked.saturating_add(1);
        let (chunk, index) = place;
        let pull = Pull {
            chunk,
            index,
            header,
        };
        Some((of, pull))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use wire::codec::List;

    /// Lacks the first block of these chunks, and counts what is looked up.
    #[derive(Default)]
    struct Here {
        lacking: BTreeSet<u64>,
        looked_up: Cell<u32>,
    }

    impl Wanted for Here {
        fn open_rows(&self, key: ChunkKey) -> Option<Vec<OpenRow>> {
            self.looked_up.set(self.looked_up.get() + 1);
            let lacking = self.lacking.contains(&key.sequence.0);
            let row = lacking.then(|| OpenRow {
                need: 1,
                lacking: vec![0],
            });
            Some(row.into_iter().collect())
        }

        fn init_lacking(&self, _: ChunkKey) -> Option<ChunkKey> {
            None
        }
    }

    fn map(first: u64) -> Map {
        Map {
            rendition: Rendition(0),
            start: None,
            first: Sequence(first),
            chunks: List::new(vec![(0..1).collect()]).unwrap_or_default(),
        }
    }

    #[test]
    fn what_is_whole_is_looked_up_once_and_a_chunk_named_later_is_still_pulled() {
        let mut puller = Puller::new(1u32, Rendition(0), Config::default());
        puller.add(2, false);
        puller.needs_from(0, Sequence(3));
        for first in [3, 4, 6] {
            puller.map(0, 2, &map(first));
        }
        let here = Here::default();
        assert!(puller.poll(10_000, &here).is_empty());
        assert_eq!(here.looked_up.take(), 3);
        assert!(puller.poll(10_050, &here).is_empty());
        assert_eq!(here.looked_up.take(), 1, "the one behind the gap");
        puller.map(10_100, 2, &map(5));
        let here = Here {
            lacking: BTreeSet::from([5]),
            ..Here::default()
        };
        let pulls = puller.poll(20_000, &here);
        let pulled: Vec<u64> = pulls.iter().map(|(_, p)| p.chunk.sequence.0).collect();
        assert_eq!(pulled, [5]);
    }
}
