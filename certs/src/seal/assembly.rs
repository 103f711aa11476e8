//! Putting verified blocks together again.

use super::erasure;
use crate::block::{self, Path};
use crate::hash::sha256;
use crate::{Error, Verified};
use bytes::Bytes;
use std::sync::Arc;
use wire::statement::{ChunkHeader, Layout};

/// One block of a chunk with its proof, as it was verified.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Index within the chunk.
    pub index: u16,
    /// Siblings from the leaf to the root.
    pub path: Arc<Path>,
    /// The data.
    pub data: Bytes,
}

/// The sealed chunk of any k blocks of each of its rows, in whatever order;
/// each must have passed [`block::verify`] against the same header.
///
/// # Errors
/// `chunk_incomplete` if a row has fewer than k blocks. `sender_inconsistent`
/// if the signed blocks do not make the signed chunk, parity included: the
/// sender's fault, never the parent's. `block_proof_mismatch` if the blocks
/// are not the header's, i.e. were not verified.
pub fn assemble(header: &Verified<ChunkHeader>, pieces: &[Piece]) -> Result<Vec<u8>, Error> {
    let layout = &header.layout;
    let mut sealed = decode(layout, pieces)?;
    let chunk_len = layout.chunk_len as usize;
    // Padding that is not zero would be a second encoding of the same chunk.
    let padding_zero = sealed.iter().skip(chunk_len).all(|byte| *byte == 0);
    sealed.truncate(chunk_len);
    if padding_zero && sha256(&[&sealed]) == header.digest {
        return Ok(sealed);
    }
    // Before the sender is blamed: are these really its blocks?
    for piece in pieces {
        block::verify(header, piece.index, &piece.path, &piece.data)?;
    }
    Err(Error::SenderInconsistent)
}

/// The padded data of all rows.
fn decode(layout: &Layout, pieces: &[Piece]) -> Result<Vec<u8>, Error> {
    let block_len = layout.block_len as usize;
    let width = (usize::from(layout.k) + usize::from(layout.m)).max(1);
    let mut table: Vec<Option<&[u8]>> = vec![None; layout.blocks() as usize];
    for piece in pieces {
        let place = table.get_mut(usize::from(piece.index));
        match place {
            Some(place) if piece.data.len() == block_len => *place = Some(&piece.data),
            _ => return Err(Error::BlockProofMismatch),
        }
    }
    let mut sealed = Vec::with_capacity(padded_len(layout));
    for row in table.chunks(width) {
        if !erasure::restore(row, layout, &mut sealed)? {
            return Err(Error::ChunkIncomplete);
        }
    }
    Ok(sealed)
}

/// Bytes of all data blocks.
pub(super) fn padded_len(layout: &Layout) -> usize {
    (layout.rows() as usize)
        .saturating_mul(usize::from(layout.k))
        .saturating_mul(layout.block_len as usize)
}
