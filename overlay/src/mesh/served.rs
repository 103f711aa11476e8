//! What one child was given of its pulls.

use std::collections::BTreeMap;
use wire::statement::ChunkKey;
use wire::{BlockMap, Reason};

/// Whether a child gets each block once. Who could pull the same block again
/// and again would drain its neighbour (threat A10).
#[derive(Debug, Clone, Copy, Default)]
pub struct OncePerBlock(Times);

#[derive(Debug, Clone, Copy, Default)]
enum Times {
    #[default]
    Once,
    #[cfg(feature = "ablation")]
    Any,
}

impl OncePerBlock {
    /// As often as it asks.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_any() -> Self {
        let _ = certs::ablation::marker();
        Self(Times::Any)
    }

    const fn of(self, first: bool) -> Result<(), Reason> {
        match self.0 {
            Times::Once if !first => Err(Reason::RepairRepeated),
            Times::Once => Ok(()),
            #[cfg(feature = "ablation")]
            Times::Any => Ok(()),
        }
    }
}

/// The blocks that one child has pulled of those that are kept.
#[derive(Debug, Clone, Default)]
pub struct Served(BTreeMap<ChunkKey, BlockMap>);

impl Served {
    /// The child pulls a block that is here.
    ///
    /// # Errors
    /// `repair_repeated`: it has had it, or has it under way.
    pub fn admit(&mut self, check: OncePerBlock, key: ChunkKey, index: u16) -> Result<(), Reason> {
        check.of(self.0.entry(key).or_default().insert(index))
    }

    /// It did not get the block after all, and may ask again.
    pub fn take_back(&mut self, key: ChunkKey, index: u16) {
        if let Some(given) = self.0.get_mut(&key) {
            given.remove(index);
        }
    }

    /// Forgets chunks that nobody can pull any more.
    pub fn forget(&mut self, is_past: impl Fn(ChunkKey) -> bool) {
        self.0.retain(|key, _| !is_past(*key));
    }

    /// Chunks that it remembers.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.0.len()
    }
}
