//! What a parent has delivered to one member on one stripe, receipt by
//! receipt.

use super::Counted;
use crate::Error;
use std::collections::BTreeSet;
use wire::Sequence;
use wire::limits::RECEIPT_CHUNKS_MAX;

/// The receipts of one edge. The coordinator keeps one per (member, parent,
/// stripe) and drops it with the edge.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    last_interval: Option<u64>,
    cumulative_bytes: u64,
    in_time_chunks: u64,
    late_chunks: u64,
    seen: BTreeSet<Sequence>,
    floor: Sequence,
}

impl Ledger {
    /// An edge without receipts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a receipt: intervals grow, no chunk counts twice, and the sum of
    /// bytes grows by what is counted at least (more where a receipt was
    /// lost). A refused receipt changes nothing.
    ///
    /// # Errors
    /// `receipt_out_of_order`, `receipt_repeats_chunk`, `receipt_bytes_wrong`.
    pub fn accept(&mut self, counted: &Counted) -> Result<(), Error> {
        if self
            .last_interval
            .is_some_and(|last| counted.interval() <= last)
        {
            return Err(Error::ReceiptOutOfOrder);
        }
        let chunks = || counted.in_time().iter().chain(counted.late());
        if chunks().any(|sequence| *sequence < self.floor || self.seen.contains(sequence)) {
            return Err(Error::ReceiptRepeatsChunk);
        }
        let least = self.cumulative_bytes.saturating_add(counted.bytes());
        if counted.cumulative_bytes() < least {
            return Err(Error::ReceiptBytesWrong);
        }
        self.last_interval = Some(counted.interval());
        self.cumulative_bytes = counted.cumulative_bytes();
        self.in_time_chunks = grown(self.in_time_chunks, counted.in_time());
        self.late_chunks = grown(self.late_chunks, counted.late());
        self.seen.extend(chunks().copied());
        // Twice a receipt's span: a viewer holds back an unfinished chunk for
        // one span at most.
        while self.seen.len() > 2 * RECEIPT_CHUNKS_MAX {
            if let Some(oldest) = self.seen.pop_first() {
                self.floor = self.floor.max(oldest.next());
            }
        }
        Ok(())
    }

    /// Block bytes since the edge began.
    #[must_use]
    pub const fn cumulative_bytes(&self) -> u64 {
        self.cumulative_bytes
    }

    /// Chunks receipted in time.
    #[must_use]
    pub const fn in_time_chunks(&self) -> u64 {
        self.in_time_chunks
    }

    /// Chunks receipted late.
    #[must_use]
    pub const fn late_chunks(&self) -> u64 {
        self.late_chunks
    }
}

fn grown(sum: u64, chunks: &[Sequence]) -> u64 {
    sum.saturating_add(chunks.len() as u64)
}
