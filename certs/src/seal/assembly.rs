//! Putting verified blocks together again.

use crate::hash::sha256;
use crate::{Error, Verified, block};
use bytes::Bytes;
use wire::statement::ChunkHeader;

/// The sealed chunk of all its blocks, in the order of their indices; each
/// must have passed [`block::verify`] against the same header.
///
/// # Errors
/// `sender_inconsistent` if the signed blocks are not the signed chunk: the
/// sender's fault, never the parent's. `block_proof_mismatch` if the blocks
/// are not the header's, i.e. were not verified. `stripes_unsupported` for
/// parity.
pub fn assemble(header: &Verified<ChunkHeader>, blocks: &[Bytes]) -> Result<Vec<u8>, Error> {
    if header.layout.m != 0 {
        return Err(Error::StripesUnsupported);
    }
    let block_len = header.layout.block_len as usize;
    let right_lengths = blocks.iter().all(|block| block.len() == block_len);
    if blocks.len() != header.layout.blocks() as usize || !right_lengths {
        return Err(Error::BlockProofMismatch);
    }
    let mut sealed = Vec::with_capacity(blocks.len().saturating_mul(block_len));
    for block in blocks {
        sealed.extend_from_slice(block);
    }
    let chunk_len = header.layout.chunk_len as usize;
    // Padding that is not zero would be a second encoding of the same chunk.
    let padding_zero = sealed.iter().skip(chunk_len).all(|byte| *byte == 0);
    sealed.truncate(chunk_len);
    if padding_zero && sha256(&[&sealed]) == header.digest {
        return Ok(sealed);
    }
    // Before the sender is blamed: are these really its blocks?
    if block::build_tree(blocks)?.root() == header.root {
        Err(Error::SenderInconsistent)
    } else {
        Err(Error::BlockProofMismatch)
    }
}
