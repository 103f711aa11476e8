//! How much raw input makes a chunk.

use super::RAW_WAIT_MS;
use wire::limits::BLOCK_BYTES_MAX;

/// Room for the seal within the blocks, in bytes.
const SEAL_BYTES: usize = 64;
/// Full blocks of a piece at most: with more, one that is lost is a long gap.
const BLOCKS_MAX: usize = 8;

/// The bytes of a piece: what comes within the time that raw bytes may wait, in
/// full blocks. Each piece has a signed header and a stream of its own, which
/// are two hundredths of a single block. A live source, whose rate nobody has
/// said, is not kept waiting: one block.
pub(super) fn raw_piece_bytes(rate_bps: Option<u64>) -> usize {
    let waited_bytes = rate_bps.unwrap_or(0).saturating_mul(RAW_WAIT_MS) / 8_000;
    let blocks = usize::try_from(waited_bytes).unwrap_or(usize::MAX) / BLOCK_BYTES_MAX;
    blocks
        .clamp(1, BLOCKS_MAX)
        .saturating_mul(BLOCK_BYTES_MAX)
        .saturating_sub(SEAL_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_what_comes_in_a_fifth_of_a_second_and_fills_its_blocks() {
        let blocks = |rate_bps| (raw_piece_bytes(rate_bps) + SEAL_BYTES) / BLOCK_BYTES_MAX;
        assert_eq!(blocks(None), 1, "who waits for nothing");
        assert_eq!(blocks(Some(100_000)), 1);
        assert_eq!(blocks(Some(5_000_000)), 7);
        assert_eq!(blocks(Some(u64::MAX)), 8);
    }
}
