//! A unidirectional stream per group of pictures: [`GroupStart`], then
//! [`Record`]s, each prefixed by its length.

use crate::codec::{Blob, List};
use crate::id::{Digest, Rendition, Sequence, Stripe};
use crate::limits::{BLOCK_BYTES_MAX, BLOCK_PATH_MAX};
use crate::reason::Reason;
use crate::statement::{ChunkHeader, ChunkKey, Signed};

/// A record, in bytes: a block, its path and framing.
pub const RECORD_BYTES_MAX: usize = BLOCK_BYTES_MAX + BLOCK_PATH_MAX * 32 + 64;

crate::record! {
    /// The first bytes of a group's stream.
    pub struct GroupStart {
        /// The rendition.
        pub rendition: Rendition,
        /// The stripe.
        pub stripe: Stripe,
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
    /// Whole chunks left out.
    pub struct Dropped {
        /// The first one left out.
        pub from: Sequence,
        /// The first one sent again.
        pub to: Sequence,
        /// Why.
        pub reason: Reason,
    }
}
