//! A unidirectional stream per group of pictures, for all stripes of the edge:
//! [`GroupStart`], then [`Record`]s, each prefixed by its length.

use crate::codec::{Blob, List};
use crate::id::{Digest, Rendition, Sequence};
use crate::limits::{BLOCK_BYTES_MAX, BLOCK_PATH_MAX};
use crate::reason::Reason;
use crate::statement::{ChunkHeader, ChunkKey, Signed};
use crate::stripe_set::StripeSet;

/// A record, in bytes: a block, its path and framing.
pub const RECORD_BYTES_MAX: usize = BLOCK_BYTES_MAX + BLOCK_PATH_MAX * 32 + 64;

crate::record! {
    /// The first bytes of a group's stream.
    pub struct GroupStart {
        /// The rendition.
        pub rendition: Rendition,
        /// The first media chunk of this stream.
        pub first: Sequence,
    }
}

crate::messages! {
    /// What a group's stream carries.
    pub enum Record {
        /// A chunk's header, once per edge, before its first block.
        1 => Header(Signed<ChunkHeader>),
        /// One block.
        2 => Block(Block),
        /// Chunks that this parent will not send, and why.
        3 => Dropped(Dropped),
    }
}

crate::record! {
    /// One block with its proof.
    pub struct Block {
        /// The chunk.
        pub chunk: ChunkKey,
        /// Index within the chunk.
        pub index: u16,
        /// Siblings from the leaf to the root.
        pub path: List<Digest, BLOCK_PATH_MAX>,
        /// The data, always the layout's block length.
        pub data: Blob<BLOCK_BYTES_MAX>,
    }
}

crate::record! {
    /// Whole chunks left out, as far as this parent was to send them.
    pub struct Dropped {
        /// The first one left out.
        pub from: Sequence,
        /// The first one sent again.
        pub to: Sequence,
        /// The stripes that it does not send of them.
        pub stripes: StripeSet,
        /// Why.
        pub reason: Reason,
    }
}
