//! One chunk as far as it has come.

use super::config::{BLOCK_OVERHEAD_BYTES, CHUNK_OVERHEAD_BYTES};
use super::{Arrival, Kept, OpenRow};
use certs::Verified;
use certs::block::Path;
use std::collections::{BTreeMap, BTreeSet};
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
    /// Blocks that neighbours brought, and no parent.
    repaired: BTreeSet<u16>,
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
            repaired: BTreeSet::new(),
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

    /// Those of `stripes` of which parents have not sent every block.
    pub(super) fn owed(&self, stripes: StripeSet) -> StripeSet {
        let repaired: StripeSet = self.repaired.iter().map(|i| self.stripe_of(*i)).collect();
        self.lacking(stripes).union(repaired.both(stripes))
    }

    /// Whether it is complete, and parents alone have made it so.
    pub(super) fn is_delivered(&self) -> bool {
        self.is_complete() && self.repaired.is_empty()
    }

    /// A neighbour brought this block.
    pub(super) fn note_repaired(&mut self, index: u16) {
        self.repaired.insert(index);
    }

    /// No parent owes what is here.
    pub(super) fn forgive(&mut self) {
        self.repaired.clear();
    }

    /// A parent has sent this block, first or too late.
    pub(super) fn note_pushed(&mut self, index: u16) {
        self.repaired.remove(&index);
    }

    /// See [`OpenRow`].
    pub(super) fn open_rows(&self) -> Vec<OpenRow> {
        if self.is_complete() {
            return Vec::new();
        }
        let rows = u16::try_from(self.header.layout.rows()).unwrap_or(u16::MAX);
        (0..rows).filter_map(|row| self.open_row(row)).collect()
    }

    fn open_row(&self, row: u16) -> Option<OpenRow> {
        let here = self.row_blocks.get(&row).copied().unwrap_or(0);
        let need = self.header.layout.k.checked_sub(here).filter(|n| *n > 0)?;
        let first = row.checked_mul(self.width())?;
        let all = first..first.saturating_add(self.width());
        Some(OpenRow {
            need: need.into(),
            lacking: all.filter(|i| !self.blocks.contains_key(i)).collect(),
        })
    }

    /// One block, if it is here.
    pub(super) fn kept_at(&self, index: u16) -> Option<Kept<P>> {
        let block = self.blocks.get(&index)?;
        Some(Kept {
            index,
            path: block.path.clone(),
            payload: block.payload.clone(),
        })
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
