//! How a chunk is cut: every layout that decodes is one that can be used.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use wire::limits::{BLOCK_BYTES_MAX, CHUNK_BLOCKS_MAX, CHUNK_BYTES_MAX, STRIPES_MAX};
use wire::statement::Layout;
use wire::{Decode, DecodeError, Encode};

proptest! {
    #[test]
    fn blocks_of_a_layout_hold_the_chunk(len in 1u32..=8 * 1024 * 1024, k in 1u8..=16, m in 0u8..=8) {
        if let Some(layout) = Layout::for_chunk(len, k, m) {
            let data = u64::from(layout.rows()) * u64::from(k) * u64::from(layout.block_len);
            prop_assert!(data >= u64::from(len), "the blocks are too few");
            prop_assert!(
                data - u64::from(len) <= u64::from(k) * u64::from(layout.block_len),
                "a whole row is padding"
            );
            prop_assert!(layout.block_len as usize <= BLOCK_BYTES_MAX);
            prop_assert!(layout.blocks() as usize <= CHUNK_BLOCKS_MAX);
            prop_assert!(k + m <= STRIPES_MAX);
            prop_assert_eq!(Layout::from_bytes(&layout.to_bytes()), Ok(layout));
        }
    }

    #[test]
    fn refuses_layouts_that_cannot_be_used(
        k in any::<u8>(), m in any::<u8>(), block_len in any::<u32>(), chunk_len in any::<u32>(),
    ) {
        let layout = Layout { k, m, block_len, chunk_len };
        let usable = k >= 1
            && u32::from(k) + u32::from(m) <= u32::from(STRIPES_MAX)
            && (2..=16 * 1024).contains(&block_len)
            && block_len % 2 == 0
            && (1..=8 * 1024 * 1024).contains(&chunk_len)
            && layout.blocks() <= 1024;
        let got = Layout::from_bytes(&layout.to_bytes());
        prop_assert_eq!(got, if usable { Ok(layout) } else { Err(DecodeError::Invalid("chunk layout")) });
    }
}

#[test]
fn the_largest_chunk_fits_in_one_stripe() {
    let len = u32::try_from(CHUNK_BYTES_MAX).unwrap();
    let layout = Layout::for_chunk(len, 1, 0).unwrap();
    assert_eq!(layout.blocks(), 512);
    assert_eq!(Layout::for_chunk(len + 1, 1, 0), None);
}

#[test]
fn an_empty_chunk_has_no_layout() {
    assert_eq!(Layout::for_chunk(0, 1, 0), None);
}
