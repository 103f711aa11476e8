//! One chunk as far as it has come.

use super::config::{BLOCK_OVERHEAD_BYTES, CHUNK_OVERHEAD_BYTES};
use super::{Arrival, Kept};
use certs::Verified;
use certs::block::Path;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::statement::{ChunkHeader, ChunkKey, Signed};
use wire::{Stripe, StripeSet};

/// A verified block with its proof, shared by all children.
#[derive(Debug, Clone)]
pub(super) struct Block<P> {
    pub(super) path: Arc<Path>,
    pub(super) payload: P,
    pub(super) bytes: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Chunk<P> {
    pub(super) header: Arc<Verified<ChunkHeader>>,
    pub(super) signed: Signed<ChunkHeader>,
    pub(super) arrival: Arrival,
    blocks: BTreeMap<u16, Block<P>>,
    /// In order of arrival.
    arrived: Vec<u16>,
    /// Blocks by row, and rows that lack some of the k they need.
    row_blocks: BTreeMap<u16, u8>,
    rows_open: u32,
    /// Blocks by stripe.
    stripe_blocks: Vec<u32>,
    pub(super) bytes: u64,
}

impl<P: Clone> Chunk<P> {
    pub(super) fn new(
        now_ms: u64,
        header: Verified<ChunkHeader>,
        signed: Signed<ChunkHeader>,
    ) -> Self {
        let rows_open = header.layout.rows();
        let width = usize::from(header.layout.k) + usize::from(header.layout.m);
        Self {
            header: Arc::new(header),
            signed,
            arrival: Arrival {
                header_ms: now_ms,
                complete_ms: None,
            },
            blocks: BTreeMap::new(),
            arrived: Vec::new(),
            row_blocks: BTreeMap::new(),
            rows_open,
            stripe_blocks: vec![0; width],
            bytes: CHUNK_OVERHEAD_BYTES,
        }
    }

    pub(super) fn key(&self) -> ChunkKey {
        self.header.key()
    }

    /// Any k blocks of each row are here.
    pub(super) fn is_complete(&self) -> bool {
        self.rows_open == 0
    }

    fn width(&self) -> u16 {
        u16::from(self.header.layout.k).saturating_add(u16::from(self.header.layout.m))
    }

    pub(super) fn stripe_of(&self, index: u16) -> Stripe {
        self.header.layout.stripe_of(index)
    }

    fn count_of(&self, stripe: Stripe) -> u32 {
        let count = self.stripe_blocks.get(usize::from(stripe.0));
        count.copied().unwrap_or(0)
    }

    /// Those of `stripes` of which a block is missing.
    pub(super) fn lacking(&self, stripes: StripeSet) -> StripeSet {
        let rows = self.header.layout.rows();
        stripes
            .iter()
            .filter(|s| self.count_of(*s) < rows)
            .collect()
    }

    /// Whether a block of one of `stripes` is here.
    pub(super) fn has_any(&self, stripes: StripeSet) -> bool {
        stripes.iter().any(|s| self.count_of(s) > 0)
    }

    /// Whether this is the run's last chunk, and as much of it is here as
    /// there will be for who gets `stripes`.
    pub(super) fn ends(&self, stripes: StripeSet) -> bool {
        self.header.flags.end && (self.is_complete() || self.lacking(stripes).is_empty())
    }

    /// Takes a block in; false if it was there.
    pub(super) fn insert(&mut self, now_ms: u64, index: u16, block: Block<P>) -> bool {
        if self.blocks.contains_key(&index) {
            return false;
        }
        self.bytes = self
            .bytes
            .saturating_add(block.bytes)
            .saturating_add(BLOCK_OVERHEAD_BYTES);
        self.blocks.insert(index, block);
        self.arrived.push(index);
        let stripe = usize::from(self.stripe_of(index).0);
        if let Some(count) = self.stripe_blocks.get_mut(stripe) {
            *count = count.saturating_add(1);
        }
        let row = index.checked_div(self.width()).unwrap_or(0);
        let count = self.row_blocks.entry(row).or_insert(0);
        *count = count.saturating_add(1);
        if *count == self.header.layout.k {
            self.rows_open = self.rows_open.saturating_sub(1);
            if self.rows_open == 0 {
                self.arrival.complete_ms = Some(now_ms);
            }
        }
        true
    }

    /// The blocks in order of arrival.
    pub(super) fn arrived(&self) -> impl Iterator<Item = (u16, &Block<P>)> {
        self.arrived
            .iter()
            .filter_map(|index| Some((*index, self.blocks.get(index)?)))
    }

    /// The blocks in order of their indices.
    pub(super) fn kept(&self) -> Vec<Kept<P>> {
        let kept = |(index, block): (&u16, &Block<P>)| Kept {
            index: *index,
            path: block.path.clone(),
            payload: block.payload.clone(),
        };
        self.blocks.iter().map(kept).collect()
    }

    pub(super) fn indices(&self) -> Vec<u16> {
        self.blocks.keys().copied().collect()
    }
}
