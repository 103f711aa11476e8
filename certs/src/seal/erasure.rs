//! Parity: m more blocks for every row of k data blocks, so that any k of the
//! k+m give the row back. The code is Reed-Solomon over GF(2^16) in the form
//! of Lin, Al-Naffouri and Han (FFT-based, "Leopard"), as the crate
//! `reed-solomon-simd` computes it; data blocks are themselves, unchanged.

use crate::Error;
use bytes::Bytes;
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};
use wire::statement::Layout;

/// All blocks by index of a padded chunk: each row's k data blocks share the
/// chunk's allocation, its m parity blocks follow.
pub(super) fn with_parity(mut padded: Bytes, layout: &Layout) -> Result<Vec<Bytes>, Error> {
    let (k, m) = (usize::from(layout.k), usize::from(layout.m));
    let block_len = layout.block_len as usize;
    let mut coder = match m {
        0 => None,
        _ => Some(ReedSolomonEncoder::new(k, m, block_len).map_err(|_| Error::StripesUnsupported)?),
    };
    let mut blocks = Vec::with_capacity(layout.blocks() as usize);
    for _ in 0..layout.rows() {
        for _ in 0..k {
            let block = padded.split_to(block_len.min(padded.len()));
            if let Some(coder) = &mut coder {
                coder
                    .add_original_shard(&block)
                    .map_err(|_| Error::StripesUnsupported)?;
            }
            blocks.push(block);
        }
        if let Some(coder) = &mut coder {
            let parity = coder.encode().map_err(|_| Error::StripesUnsupported)?;
            blocks.extend(parity.recovery_iter().map(Bytes::copy_from_slice));
        }
    }
    Ok(blocks)
}

/// The blocks of one row by stripe, as far as they are here.
pub(super) type Row<'a> = [Option<&'a [u8]>];

/// Appends the row's data to `out`; false if fewer than k blocks are here.
pub(super) fn restore(row: &Row<'_>, layout: &Layout, out: &mut Vec<u8>) -> Result<bool, Error> {
    let k = usize::from(layout.k);
    let (data, parity) = row.split_at_checked(k).unwrap_or((row, &[]));
    if data.iter().all(Option::is_some) {
        // The usual case: nothing is lost, nothing is computed.
        data.iter()
            .flatten()
            .for_each(|block| out.extend_from_slice(block));
        return Ok(true);
    }
    if row.iter().flatten().count() < k {
        return Ok(false);
    }
    let wrong = |_| Error::StripesUnsupported;
    let block_len = layout.block_len as usize;
    let mut coder = ReedSolomonDecoder::new(k, usize::from(layout.m), block_len).map_err(wrong)?;
    for (at, block) in data.iter().enumerate() {
        if let Some(block) = block {
            coder.add_original_shard(at, block).map_err(wrong)?;
        }
    }
    for (at, block) in parity.iter().enumerate() {
        if let Some(block) = block {
            coder.add_recovery_shard(at, block).map_err(wrong)?;
        }
    }
    let restored = coder.decode().map_err(wrong)?;
    for (at, block) in data.iter().enumerate() {
        let block = block.or_else(|| restored.restored_original(at));
        out.extend_from_slice(block.ok_or(Error::ChunkIncomplete)?);
    }
    Ok(true)
}
