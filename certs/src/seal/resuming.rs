//! A station that goes on with a run: where its sequences stand, and the
//! chunks that it published, from their headers and sealed bytes.

use super::assembly::padded_len;
use super::erasure;
use super::publisher::SealedChunk;
use crate::block::build_tree;
use crate::hash::sha256;
use crate::{Error, Verified};
use bytes::Bytes;
use wire::statement::ChunkHeader;
use wire::{Digest, Sequence, Signed};

/// The last chunk of one sort, media or init segments, that may have left the
/// station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its sequence.
    pub sequence: Sequence,
    /// The digest of its header's signed body.
    pub header: Digest,
}

/// How far a rendition was published; none where nothing was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heads {
    /// The last media chunk.
    pub media: Option<Head>,
    /// The last init segment.
    pub init: Option<Head>,
}

impl Heads {
    /// Takes note of a chunk that may leave the station.
    pub fn note(&mut self, header: &Verified<ChunkHeader>) {
        let head = Head {
            sequence: header.sequence,
            header: header.digest(),
        };
        if header.flags.init {
            self.init = Some(head);
        } else {
            self.media = Some(head);
        }
    }
}

impl SealedChunk {
    /// The sealed chunk as one piece, without padding and parity.
    #[must_use]
    pub fn sealed(&self) -> Vec<u8> {
        let layout = &self.header.layout;
        let (k, m) = (usize::from(layout.k), usize::from(layout.m));
        let mut sealed = Vec::with_capacity(padded_len(layout));
        for row in self.blocks.chunks(k.saturating_add(m).max(1)) {
            row.iter()
                .take(k)
                .for_each(|block| sealed.extend_from_slice(block));
        }
        sealed.truncate(layout.chunk_len as usize);
        sealed
    }

    /// The chunk of this header, which was verified, made again from its
    /// sealed bytes.
    ///
    /// # Errors
    /// `sender_inconsistent` if these are not the header's bytes;
    /// `stripes_unsupported`.
    pub fn restore(
        signed: Signed<ChunkHeader>,
        header: Verified<ChunkHeader>,
        mut sealed: Vec<u8>,
    ) -> Result<Self, Error> {
        let layout = header.layout;
        if sealed.len() != layout.chunk_len as usize || sha256(&[&sealed]) != header.digest {
            return Err(Error::SenderInconsistent);
        }
        sealed.resize(padded_len(&layout), 0);
        let blocks = erasure::with_parity(Bytes::from(sealed), &layout)?;
        let tree = build_tree(&blocks)?;
        if tree.root() != header.root {
            return Err(Error::SenderInconsistent);
        }
        let paths = (0u16..)
            .take(blocks.len())
            .filter_map(|index| tree.path(index))
            .collect();
        Ok(Self {
            signed,
            header,
            blocks,
            paths,
        })
    }
}
