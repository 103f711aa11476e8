//! One chunk as far as it has come.

use super::Arrival;
use super::config::{BLOCK_OVERHEAD_BYTES, CHUNK_OVERHEAD_BYTES};
use certs::Verified;
use certs::block::Path;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::statement::{ChunkHeader, ChunkKey, Signed};

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
    pub(super) bytes: u64,
}

impl<P: Clone> Chunk<P> {
    pub(super) fn new(
        now_ms: u64,
        header: Verified<ChunkHeader>,
        signed: Signed<ChunkHeader>,
    ) -> Self {
        let rows_open = header.layout.rows();
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
            bytes: CHUNK_OVERHEAD_BYTES,
        }
    }

    pub(super) fn key(&self) -> ChunkKey {
        self.header.key()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.rows_open == 0
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
        let layout = &self.header.layout;
        let width = u16::from(layout.k).saturating_add(u16::from(layout.m));
        let row = index.checked_div(width).unwrap_or(0);
        let count = self.row_blocks.entry(row).or_insert(0);
        *count = count.saturating_add(1);
        if *count == layout.k {
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

    /// The payloads in order of their indices.
    pub(super) fn payloads(&self) -> Vec<P> {
        self.blocks.values().map(|b| b.payload.clone()).collect()
    }

    pub(super) fn indices(&self) -> Vec<u16> {
        self.blocks.keys().copied().collect()
    }
}
