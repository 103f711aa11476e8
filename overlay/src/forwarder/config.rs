//! The forwarder's limits.

/// What a node keeps and queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Media time of the chunks kept for children that resume; the newest
    /// group is kept even if it is longer, else nobody could start.
    pub kept_ms_max: u64,
    /// Bytes of the kept chunks, whatever their time: memory is bounded.
    pub kept_bytes_max: u64,
    /// Bytes that may wait for one child: about three seconds of a rich
    /// stream. What a child needs to catch up at its start comes on top.
    pub queue_bytes_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kept_ms_max: 10_000,
            kept_bytes_max: 128 * 1024 * 1024,
            queue_bytes_max: 4 * 1024 * 1024,
        }
    }
}

#[cfg(feature = "ablation")]
impl Config {
    /// Whatever a child does not take waits for it.
    #[must_use]
    pub fn dangerously_queueing_all(mut self) -> Self {
        let _ = certs::ablation::marker();
        self.queue_bytes_max = u64::MAX;
        self
    }
}

/// Init segments kept per rendition: one per change of encoder or epoch
/// within the kept window.
pub(super) const INITS_MAX: usize = 16;
/// Ranges of chunks that parents left out, remembered per rendition.
pub(super) const HOLES_MAX: usize = 64;
/// Memory of a chunk beside its payloads, in bytes: header and tables.
pub(super) const CHUNK_OVERHEAD_BYTES: u64 = 1024;
/// Memory of a block beside its payload, in bytes: its path.
pub(super) const BLOCK_OVERHEAD_BYTES: u64 = 512;
