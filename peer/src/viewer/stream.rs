//! What a viewer does with a complete chunk: play it, tell it, receipt it.

use super::control::Session;
use super::playout::Played;
use crate::Error;
use serde_json::json;
use wire::SpkiHash;
use wire::message::control::Up;
use wire::statement::ChunkKey;

/// A chunk that comes later than this behind its publishing is late.
const IN_TIME_MS: u64 = 2_000;

impl Session {
    pub(super) fn chunk(&mut self, key: ChunkKey, from: Option<SpkiHash>) -> Result<(), Error> {
        self.count_receipt(key);
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

    /// Each block counts for who sent it, and for nobody else.
    fn count_receipt(&mut self, key: ChunkKey) {
        let Some((header, blocks)) = self.node.chunk_by_sender(key) else {
            return;
        };
        let in_time = self.clock.unix().since_ms(header.published) <= IN_TIME_MS;
        for (index, (from, block)) in (0u16..).zip(&blocks) {
            if let Some(from) = from {
                self.receipts.add(*from, &header, (index, block), in_time);
            }
        }
    }

    /// Reports what has come since the last time, of each parent.
    pub(super) fn send_receipts(&mut self) {
        for receipt in self.receipts.write(&self.membership.secrets) {
            let _ = self.up.send(Up::Receipt(receipt));
        }
    }

    /// The edge from this parent is over: reports the rest of it.
    pub(super) fn close_receipts(&mut self, parent: SpkiHash) {
        let last = self.receipts.close(parent, &self.membership.secrets);
        if let Some(receipt) = last {
            let _ = self.up.send(Up::Receipt(receipt));
        }
    }
}
