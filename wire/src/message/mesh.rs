//! The stream of one neighbour link, under a permit of the kind `repair`. The
//! child dials and opens it with [`Mesh::Hello`]; the parent says what it has
//! and answers pulls; nothing is pushed.

use crate::block_map::BlockMap;
use crate::codec::List;
use crate::id::{Rendition, Sequence};
use crate::limits::MAP_CHUNKS_MAX;
use crate::message::group::Block;
use crate::reason::Reason;
use crate::statement::{BatchedPermit, ChunkHeader, ChunkKey, Signed};

crate::messages! {
    /// Messages of a neighbour link, in both directions.
    pub enum Mesh {
        /// The permit for this link (child, first).
        1 => Hello(BatchedPermit),
        /// The parent holds the same link for permitted.
        2 => Welcome(super::control::Empty),
        /// Parent to child: what is here, as far as that has changed.
        3 => Map(Map),
        /// Child to parent: send this one block.
        4 => Pull(Pull),
        /// Parent to child: the block.
        5 => Answer(Box<Answer>),
        /// Parent to child: not this block, and why.
        6 => Refused(PullRefusal),
        /// This link ends.
        7 => Bye(Reason),
    }
}

crate::record! {
    /// Which blocks of some chunks in a row the parent has. What was said of
    /// other chunks stays.
    pub struct Map {
        /// The rendition.
        pub rendition: Rendition,
        /// The newest chunk here at which playback can start.
        pub start: Option<Sequence>,
        /// The first chunk of `chunks`.
        pub first: Sequence,
        /// What is here of it and of those after it.
        pub chunks: List<BlockMap, MAP_CHUNKS_MAX>,
    }
}

crate::record! {
    /// One block, please: each is sent once to a child.
    pub struct Pull {
        /// The chunk.
        pub chunk: ChunkKey,
        /// Index within the chunk.
        pub index: u16,
        /// The chunk's header, too.
        pub header: bool,
    }
}

crate::record! {
    /// The answer to a pull.
    pub struct Answer {
        /// The chunk's header, if it was asked for.
        pub header: Option<Signed<ChunkHeader>>,
        /// The block.
        pub block: Block,
    }
}

crate::record! {
    /// No answer to a pull.
    pub struct PullRefusal {
        /// The chunk.
        pub chunk: ChunkKey,
        /// Index within the chunk.
        pub index: u16,
        /// Why.
        pub reason: Reason,
    }
}
