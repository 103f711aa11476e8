//! What a node has and lacks, for its neighbours and for its own pulls.

use super::chunk::Chunk;
use super::{Forwarder, Kept};
use crate::NodeId;
use wire::codec::List;
use wire::limits::MAP_CHUNKS_MAX;
use wire::message::mesh::Map;
use wire::statement::{ChunkHeader, ChunkKey, Signed};
use wire::{BlockMap, Rendition, Sequence};

/// A row of a chunk that lacks some of the k blocks that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRow {
    /// How many more it needs.
    pub need: usize,
    /// Those that are not here, by index within the chunk.
    pub lacking: Vec<u16>,
}

impl<P: Clone, C: NodeId> Forwarder<P, C> {
    /// Which blocks of the newest kept media chunks are here, for neighbours;
    /// none before the first chunk.
    #[must_use]
    pub fn held(&self, rendition: Rendition) -> Option<Map> {
        let track = self.tracks.get(&rendition)?;
        let newest = track.media.keys().next_back()?.0;
        let window = Sequence(newest.saturating_sub(MAP_CHUNKS_MAX as u64 - 1));
        let first = *track.media.range(window..).next()?.0;
        let held = |sequence| {
            let chunk = track.media.get(&Sequence(sequence));
            chunk.map_or_else(BlockMap::default, |c| c.indices().into_iter().collect())
        };
        Some(Map {
            rendition,
            start: track.newest_key(),
            first,
            chunks: List::new((first.0..=newest).map(held).collect()).ok()?,
        })
    }

    /// The oldest media chunk that is kept.
    #[must_use]
    pub fn oldest(&self, rendition: Rendition) -> Option<Sequence> {
        let track = self.tracks.get(&rendition)?;
        track.media.keys().next().copied()
    }

    /// Media chunks before this one are gone for good.
    #[must_use]
    pub fn floor(&self, rendition: Rendition) -> Sequence {
        let track = self.tracks.get(&rendition);
        track.map_or(Sequence(0), |track| track.floor)
    }

    /// The rows of a chunk that cannot be decoded yet: none are left of a
    /// chunk that is complete. None if its header is not here.
    #[must_use]
    pub fn open_rows(&self, key: ChunkKey) -> Option<Vec<OpenRow>> {
        let chunk = self.tracks.get(&key.rendition)?.chunk(key)?;
        Some(chunk.open_rows())
    }

    /// The init segment that this chunk needs, if it is not all here.
    #[must_use]
    pub fn init_lacking(&self, key: ChunkKey) -> Option<ChunkKey> {
        let track = self.tracks.get(&key.rendition)?;
        let sequence = track.chunk(key)?.header.init_sequence;
        let whole = track.init(sequence).is_some_and(Chunk::is_complete);
        (!whole).then_some(ChunkKey {
            init: true,
            sequence,
            ..key
        })
    }

    /// A kept block and its chunk's header.
    #[must_use]
    pub fn block_at(&self, key: ChunkKey, index: u16) -> Option<(Signed<ChunkHeader>, Kept<P>)> {
        let chunk = self.tracks.get(&key.rendition)?.chunk(key)?;
        Some((chunk.signed.clone(), chunk.kept_at(index)?))
    }

    /// Whether the media chunk has left the kept window.
    #[must_use]
    pub fn is_past(&self, key: ChunkKey) -> bool {
        let track = self.tracks.get(&key.rendition);
        !key.init && track.is_some_and(|t| key.sequence < t.floor)
    }

    /// A parent was told what is here of this chunk, and need not send that:
    /// nothing of it is owed any more.
    pub fn forgive(&mut self, rendition: Rendition, sequence: Sequence) {
        let key = ChunkKey {
            rendition,
            init: false,
            sequence,
        };
        if let Some(track) = self.tracks.get_mut(&rendition) {
            track.update(key, Chunk::forgive);
        }
    }

    /// A neighbour brought this block, not the parent who owes it: what is
    /// judged of that parent goes on as if it were not here.
    pub fn note_repaired(&mut self, key: ChunkKey, index: u16) {
        if let Some(track) = self.tracks.get_mut(&key.rendition) {
            track.update(key, |chunk| chunk.note_repaired(index));
        }
    }
}
