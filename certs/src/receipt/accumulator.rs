//! The viewer's side: collects receipt digests per edge, writes receipts.

use super::{ReceiptKey, block_digest, mac};
use crate::block::stripe_of;
use crate::hash::Hasher;
use crate::{Error, Verified};
use std::collections::{BTreeMap, BTreeSet};
use wire::limits::RECEIPT_CHUNKS_MAX;
use wire::message::receipt::{Bitmap, Receipt};
use wire::statement::ChunkHeader;
use wire::{Digest, Epoch, Rendition, Scope, Sequence, SpkiHash, Stripe};

/// The blocks of one stripe of one chunk, as far as they came.
#[derive(Debug)]
struct Pending {
    header: Digest,
    block_len: u32,
    rows: u32,
    late: bool,
    digests: BTreeMap<u16, Digest>,
}

impl Pending {
    fn complete(&self) -> bool {
        self.digests.len() as u64 == u64::from(self.rows)
    }

    fn bytes(&self) -> u64 {
        u64::from(self.rows).saturating_mul(u64::from(self.block_len))
    }

    fn digest(&self) -> Digest {
        let mut hasher = Hasher::new();
        for digest in self.digests.values() {
            hasher.update(digest.as_bytes());
        }
        hasher.finish()
    }
}

/// What came from one parent on one stripe of one rendition. Media chunks
/// count; init segments, which are few and small, do not.
#[derive(Debug)]
pub struct Accumulator {
    scope: Scope,
    member: SpkiHash,
    parent: SpkiHash,
    stripe: Stripe,
    rendition: Rendition,
    cumulative_bytes: u64,
    pending: BTreeMap<Sequence, Pending>,
    /// Receipted already, so that a repeated block counts once.
    done: BTreeSet<Sequence>,
    /// Everything below is receipted or given up.
    floor: Sequence,
}

impl Accumulator {
    /// An accumulator for a new edge. Of `scope`, the epoch is given anew at
    /// each receipt.
    #[must_use]
    pub const fn new(
        scope: Scope,
        member: SpkiHash,
        parent: SpkiHash,
        stripe: Stripe,
        rendition: Rendition,
    ) -> Self {
        Self {
            scope,
            member,
            parent,
            stripe,
            rendition,
            cumulative_bytes: 0,
            pending: BTreeMap::new(),
            done: BTreeSet::new(),
            floor: Sequence(0),
        }
    }

    /// Takes a block that passed [`crate::block::verify`] against `header`.
    /// A chunk is late as soon as one of its blocks was.
    ///
    /// # Errors
    /// `receipt_foreign_block` for one of another stripe, rendition or run,
    /// or of a second header for the same chunk.
    pub fn add(
        &mut self,
        header: &Verified<ChunkHeader>,
        index: u16,
        data: &[u8],
        in_time: bool,
    ) -> Result<(), Error> {
        if header.flags.init {
            return Ok(());
        }
        if !self.mine(header, index, data) {
            return Err(Error::ReceiptForeignBlock);
        }
        let sequence = header.sequence;
        if sequence < self.floor || self.done.contains(&sequence) {
            return Ok(());
        }
        let pending = self.pending.entry(sequence).or_insert_with(|| Pending {
            header: header.digest(),
            block_len: header.layout.block_len,
            rows: header.layout.rows(),
            late: false,
            digests: BTreeMap::new(),
        });
        if pending.header != header.digest() {
            return Err(Error::ReceiptForeignBlock);
        }
        pending.late |= !in_time;
        pending
            .digests
            .entry(index)
            .or_insert_with(|| block_digest(&header.digest(), index, data));
        self.bound();
        Ok(())
    }

    /// Block bytes of all chunks receipted so far.
    #[must_use]
    pub const fn cumulative_bytes(&self) -> u64 {
        self.cumulative_bytes
    }

    /// Writes the receipt over the chunks that are complete; the others wait
    /// for the next one. `interval` must grow with every receipt.
    ///
    /// # Errors
    /// `statement_malformed` if the bitmaps do not fit, which their bound
    /// rules out.
    pub fn finish(
        &mut self,
        interval: u64,
        epoch: Epoch,
        key: &ReceiptKey,
    ) -> Result<Receipt, Error> {
        let first = self
            .pending
            .iter()
            .find(|(_, chunk)| chunk.complete())
            .map_or(self.floor, |(sequence, _)| *sequence);
        let mut bits = Bits::default();
        let mut chunks = Hasher::new();
        let span = RECEIPT_CHUNKS_MAX as u64;
        let last = Sequence(first.0.saturating_add(span - 1));
        let complete: Vec<Sequence> = self
            .pending
            .range(first..=last)
            .filter_map(|(sequence, chunk)| chunk.complete().then_some(*sequence))
            .collect();
        for sequence in complete {
            let Some(chunk) = self.pending.remove(&sequence) else {
                continue;
            };
            chunks.update(chunk.digest().as_bytes());
            bits.mark(sequence.0.saturating_sub(first.0), chunk.late);
            self.cumulative_bytes = self.cumulative_bytes.saturating_add(chunk.bytes());
            self.done.insert(sequence);
        }
        self.bound();
        let mut scope = self.scope.clone();
        scope.epoch = epoch;
        let mut receipt = Receipt {
            scope,
            member: self.member,
            interval,
            parent: self.parent,
            rendition: self.rendition,
            stripe: self.stripe,
            first,
            in_time: Bitmap::new(bits.in_time)?,
            late: Bitmap::new(bits.late)?,
            cumulative_bytes: self.cumulative_bytes,
            mac: Digest([0; 32]),
        };
        receipt.mac = mac(key, &receipt, &chunks.finish());
        Ok(receipt)
    }

    fn mine(&self, header: &ChunkHeader, index: u16, data: &[u8]) -> bool {
        header.scope.stream == self.scope.stream
            && header.scope.run == self.scope.run
            && header.rendition == self.rendition
            && u32::from(index) < header.layout.blocks()
            && stripe_of(header, index) == self.stripe
            && data.len() as u64 == u64::from(header.layout.block_len)
    }

    /// Gives up the oldest chunks when too many are open or remembered.
    fn bound(&mut self) {
        while self.pending.len() > RECEIPT_CHUNKS_MAX {
            if let Some((oldest, _)) = self.pending.pop_first() {
                self.floor = self.floor.max(oldest.next());
            }
        }
        while self.done.len() > RECEIPT_CHUNKS_MAX {
            if let Some(oldest) = self.done.pop_first() {
                self.floor = self.floor.max(oldest.next());
            }
        }
        let floor = self.floor;
        self.pending.retain(|sequence, _| *sequence >= floor);
    }
}

/// Both bitmaps while they are written.
#[derive(Default)]
struct Bits {
    in_time: Vec<u8>,
    late: Vec<u8>,
}

impl Bits {
    fn mark(&mut self, offset: u64, late: bool) {
        let Ok(byte) = usize::try_from(offset / 8) else {
            return;
        };
        let map = if late {
            &mut self.late
        } else {
            &mut self.in_time
        };
        if map.len() <= byte {
            map.resize(byte + 1, 0);
        }
        if let Some(bits) = map.get_mut(byte) {
            *bits |= 1 << (offset % 8);
        }
    }
}
