//! What a viewer does with a complete chunk: play it, tell it, receipt it.

use super::control::Session;
use super::playout::Played;
use crate::Error;
use serde_json::json;
use wire::message::control::Up;
use wire::statement::ChunkKey;
use wire::{Rendition, SpkiHash, StripeSet};

/// A block that comes later than this behind its publishing is late.
const IN_TIME_MS: u64 = 2_000;
/// Chunks that wait to be receipted; what is more is not receipted.
const TO_RECEIPT_MAX: usize = 512;

/// A chunk that was complete at this time; more of its blocks may come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    key: ChunkKey,
    mono_ms: u64,
}

impl Session {
    pub(super) fn chunk(&mut self, key: ChunkKey, from: Option<SpkiHash>) -> Result<(), Error> {
        self.note_done(key);
        let now = (self.clock.unix(), self.clock.mono_ms());
        let first = self.playout.report.first_ms().is_none();
        let played = match self
            .playout
            .advance(&self.node, key, &mut self.openers, now)
        {
            Ok(played) => played,
            Err(Error::Certs(e)) => {
                // Signed by the sender and yet wrong: never the parent's fault.
                self.emit
                    .tell("chunk_unusable", json!({"reason": e.reason()}));
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        for chunk in &played {
            self.trace(chunk, from);
        }
        self.went_over();
        // Neighbours have the best rendition alone.
        let best = self.playout.rendition() == Some(Rendition(0));
        if let Some(next) = self.playout.next().filter(|_| best) {
            self.node.needs_from(next);
        }
        if first && let Some(ms) = self.playout.report.first_ms() {
            let from = from.map(|f| f.to_hex());
            self.emit
                .tell("first_chunk", json!({"from": from, "ms": ms}));
        }
        Ok(())
    }

    fn trace(&self, chunk: &Played, from: Option<SpkiHash>) {
        if !self.options.shared.trace_chunks {
            return;
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, &chunk.bytes);
        self.emit.tell(
            "chunk_received",
            json!({
                "rendition": chunk.key.rendition.0,
                "init": chunk.key.init,
                "sequence": chunk.key.sequence.0,
                "key": chunk.keyframe,
                "sha256": data_encoding::HEXLOWER.encode(digest.as_ref()),
                "bytes": chunk.bytes.len(),
                "from": from.map(|f| f.to_hex()),
                "delay_ms": chunk.delay_ms,
            }),
        );
    }

    /// A chunk is complete. Without parity these are all of its blocks; else
    /// others may come as long as they are in time.
    fn note_done(&mut self, key: ChunkKey) {
        let mono_ms = self.clock.mono_ms();
        self.to_receipt.push_back(Done { key, mono_ms });
        if self.to_receipt.len() > TO_RECEIPT_MAX {
            self.to_receipt.pop_front();
        }
        if self.membership.run.stripes.m() == 0 {
            self.count_done(0);
        }
    }

    /// Counts the blocks of chunks that were complete so long ago.
    fn count_done(&mut self, age_ms: u64) {
        let now_ms = self.clock.mono_ms();
        while let Some(done) = self.to_receipt.front().copied()
            && now_ms.saturating_sub(done.mono_ms) >= age_ms
        {
            self.to_receipt.pop_front();
            self.count_receipt(done.key);
        }
    }

    /// Each block counts for who sent it, and for nobody else.
    fn count_receipt(&mut self, key: ChunkKey) {
        let Some((header, blocks)) = self.node.chunk_by_sender(key) else {
            return;
        };
        let (now, now_ms) = (self.clock.unix(), self.clock.mono_ms());
        let asked = self.receipts.asked(&header, &self.membership.secrets);
        let asked = |index| asked.has(header.layout.stripe_of(index));
        for block in blocks.iter().filter(|block| asked(block.index)) {
            let Some(from) = block.from else { continue };
            let ago_ms = now_ms.saturating_sub(block.at_ms);
            let delay_ms = now.since_ms(header.published).saturating_sub(ago_ms);
            let in_time = delay_ms <= IN_TIME_MS;
            self.receipts
                .add(from, &header, (block.index, &block.data), in_time);
        }
    }

    /// Reports what has come since the last time, of each parent.
    pub(super) fn send_receipts(&mut self) {
        self.count_done(IN_TIME_MS);
        for receipt in self.receipts.write(&self.membership.secrets) {
            let _ = self.up.send(Up::Receipt(receipt));
        }
    }

    /// Of this parent only these stripes go on: reports the rest of the others.
    pub(super) fn keep_receipts(&mut self, parent: SpkiHash, stripes: StripeSet) {
        if !self.receipts.closes(parent, stripes) {
            return;
        }
        // What is still to come of these chunks counts for nobody; but a block
        // must not count again, for the next account of the same edge.
        self.count_done(0);
        let secrets = &self.membership.secrets;
        for receipt in self.receipts.keep(parent, stripes, secrets) {
            let _ = self.up.send(Up::Receipt(receipt));
        }
    }
}
