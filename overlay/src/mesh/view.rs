//! What is known of one neighbour.

use std::collections::{BTreeMap, BTreeSet};
use wire::limits::MAP_CHUNKS_MAX;
use wire::message::mesh::Map;
use wire::statement::ChunkKey;
use wire::{BlockMap, Sequence};

/// A block of the run.
pub(super) type Place = (ChunkKey, u16);

/// Blocks that a neighbour may be late with. Who is that far behind is left
/// for it before.
const LATE_MAX: usize = 256;

#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// By its own word.
    pub(super) map: BTreeMap<Sequence, BlockMap>,
    pub(super) start: Option<Sequence>,
    /// It is asked where nobody else has the block.
    pub(super) last_resort: bool,
    /// Asked and not answered: still in time, and late ones.
    pub(super) pending: BTreeSet<Place>,
    late: BTreeSet<Place>,
    /// Asked ever: it gives nothing twice.
    tried: BTreeSet<Place>,
    /// Unanswered in a row.
    pub(super) unanswered: u32,
}

impl View {
    pub(super) fn new(last_resort: bool) -> Self {
        Self {
            last_resort,
            ..Self::default()
        }
    }

    /// Takes what the neighbour says; it speaks of no more than its newest
    /// chunks, or we forget the oldest.
    pub(super) fn take(&mut self, map: &Map) {
        self.start = map.start;
        let named = (map.first.0..).map(Sequence).zip(map.chunks.iter());
        for (sequence, blocks) in named {
            self.map.insert(sequence, blocks.clone());
        }
        while self.map.len() > MAP_CHUNKS_MAX {
            self.map.pop_first();
        }
    }

    /// Whether it may be asked for this block: it has it by its word, and was
    /// not asked before. Init segments are in no map; who has chunks has them.
    pub(super) fn offers(&self, (key, index): Place) -> bool {
        let has = key.init || self.map.get(&key.sequence).is_some_and(|m| m.has(index));
        has && !self.tried.contains(&(key, index))
    }

    /// The blocks of this chunk that it offers.
    pub(super) fn all_of(&self, key: ChunkKey) -> Vec<u16> {
        let offered = |index: &u16| self.offers((key, *index));
        if key.init {
            return Some(0).into_iter().filter(offered).collect();
        }
        let map = self.map.get(&key.sequence);
        let named = map.into_iter().flat_map(BlockMap::iter);
        named.filter(offered).collect()
    }

    pub(super) fn asked(&mut self, place: Place) {
        self.pending.insert(place);
        self.tried.insert(place);
    }

    /// It was too slow; what it sends later is still no offence.
    pub(super) fn is_late(&mut self, place: Place) {
        if self.pending.remove(&place) {
            self.unanswered = self.unanswered.saturating_add(1);
            self.late.insert(place);
        }
        while self.late.len() > LATE_MAX {
            self.late.pop_first();
        }
    }

    /// It says something about a block; whether it was asked for it.
    pub(super) fn answers(&mut self, place: Place) -> bool {
        self.unanswered = 0;
        self.pending.remove(&place) || self.late.remove(&place)
    }

    /// It gave nothing for this pull, and may later.
    pub(super) fn may_be_asked_again(&mut self, place: Place) {
        self.tried.remove(&place);
    }

    /// Chunks before `from` are of no use any more.
    pub(super) fn forget_below(&mut self, from: Sequence) {
        self.map = self.map.split_off(&from);
        let useful = |(key, _): &Place| key.init || key.sequence >= from;
        self.tried.retain(useful);
    }
}
