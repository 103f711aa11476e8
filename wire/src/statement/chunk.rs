//! The header of a chunk, and the beacon that says how far the stream is.

use super::{Scope, statement};
use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::id::{Digest, Rendition, Sequence, Stripe, UnixMs};
use crate::limits::{BLOCK_BYTES_MAX, CHUNK_BLOCKS_MAX, CHUNK_BYTES_MAX, STRIPES_MAX};

/// What a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ChunkFlags {
    /// Playback can start here; a group begins here.
    pub key: bool,
    /// An init segment: its sequence counts init segments only.
    pub init: bool,
    /// The last chunk of the run.
    pub end: bool,
}

impl Encode for ChunkFlags {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.key) | u8::from(self.init) << 1 | u8::from(self.end) << 2);
    }
}
impl Decode for ChunkFlags {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let b = r.byte("chunk flags")?;
        if b > 7 {
            return Err(DecodeError::Invalid("chunk flags"));
        }
        Ok(Self {
            key: b & 1 != 0,
            init: b & 2 != 0,
            end: b & 4 != 0,
        })
    }
}

/// How a sealed chunk is cut: rows of k equal data blocks and m parity
/// blocks; block index = row x (k+m) + stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Data blocks of a row.
    pub k: u8,
    /// Parity blocks of a row.
    pub m: u8,
    /// Length of every block in bytes; the last data block is zero-padded.
    pub block_len: u32,
    /// Length of the sealed chunk in bytes.
    pub chunk_len: u32,
}

impl Layout {
    /// The layout of a sealed chunk of `chunk_len` bytes: as few rows as
    /// blocks of at most [`BLOCK_BYTES_MAX`] allow, blocks of even length.
    #[must_use]
    pub fn for_chunk(chunk_len: u32, k: u8, m: u8) -> Option<Self> {
        let k32 = u32::from(k.max(1));
        let row_max = k32.checked_mul(u32::try_from(BLOCK_BYTES_MAX).ok()?)?;
        let rows = chunk_len.div_ceil(row_max).max(1);
        let block_len = chunk_len.div_ceil(rows.checked_mul(k32)?).max(1);
        let block_len = block_len.checked_add(block_len & 1)?;
        let layout = Self {
            k,
            m,
            block_len,
            chunk_len,
        };
        layout.valid().then_some(layout)
    }

    /// Rows of the chunk.
    #[must_use]
    pub fn rows(&self) -> u32 {
        let row = u32::from(self.k).saturating_mul(self.block_len).max(1);
        self.chunk_len.div_ceil(row)
    }

    /// The stripe of the block of this index.
    #[must_use]
    pub fn stripe_of(&self, index: u16) -> Stripe {
        let width = u16::from(self.k).saturating_add(u16::from(self.m));
        let stripe = index.checked_rem(width).unwrap_or(0);
        Stripe(u8::try_from(stripe).unwrap_or(u8::MAX))
    }

    /// Blocks of the chunk, parity included.
    #[must_use]
    pub fn blocks(&self) -> u32 {
        self.rows()
            .saturating_mul(u32::from(self.k) + u32::from(self.m))
    }

    fn valid(&self) -> bool {
        let width = u32::from(self.k) + u32::from(self.m);
        self.k >= 1
            && width <= u32::from(STRIPES_MAX)
            && self.block_len >= 2
            && self.block_len.is_multiple_of(2)
            && self.block_len as usize <= BLOCK_BYTES_MAX
            && self.chunk_len >= 1
            && self.chunk_len as usize <= CHUNK_BYTES_MAX
            && self.blocks() as usize <= CHUNK_BLOCKS_MAX
    }
}

impl Encode for Layout {
    fn encode(&self, out: &mut Vec<u8>) {
        self.k.encode(out);
        self.m.encode(out);
        self.block_len.encode(out);
        self.chunk_len.encode(out);
    }
}
impl Decode for Layout {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let layout = Self {
            k: u8::decode(r)?,
            m: u8::decode(r)?,
            block_len: u32::decode(r)?,
            chunk_len: u32::decode(r)?,
        };
        if layout.valid() {
            Ok(layout)
        } else {
            Err(DecodeError::Invalid("chunk layout"))
        }
    }
}

/// Names a chunk within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkKey {
    /// The rendition.
    pub rendition: Rendition,
    /// Whether it is an init segment.
    pub init: bool,
    /// The position among chunks of that sort.
    pub sequence: Sequence,
}

impl Encode for ChunkKey {
    fn encode(&self, out: &mut Vec<u8>) {
        self.rendition.encode(out);
        self.init.encode(out);
        self.sequence.encode(out);
    }
}
impl Decode for ChunkKey {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            rendition: Rendition::decode(r)?,
            init: bool::decode(r)?,
            sequence: Sequence::decode(r)?,
        })
    }
}

crate::record! {
    /// What the sender signs of a chunk (by the run's chunk key).
    pub struct ChunkHeader {
        /// Stream, run, epoch.
        pub scope: Scope,
        /// The rendition.
        pub rendition: Rendition,
        /// Position among the media chunks, or among the init segments.
        pub sequence: Sequence,
        /// The init segment that this chunk needs (its own sequence for an
        /// init segment).
        pub init_sequence: Sequence,
        /// Start of the media in microseconds of the stream's clock.
        pub time_us: u64,
        /// Duration in microseconds.
        pub duration_us: u64,
        /// When the station published it.
        pub published: UnixMs,
        /// What the chunk is.
        pub flags: ChunkFlags,
        /// How it is cut.
        pub layout: Layout,
        /// SHA-256 of the signed body of the previous header of the same
        /// rendition and sort; zeros for the first.
        pub previous: Digest,
        /// SHA-256 of the sealed chunk, unpadded.
        pub digest: Digest,
        /// Merkle root over all blocks.
        pub root: Digest,
    }
}
statement!(ChunkHeader, "roundcast/chunk/v1", 512);

impl ChunkHeader {
    /// The chunk's name.
    #[must_use]
    pub fn key(&self) -> ChunkKey {
        ChunkKey {
            rendition: self.rendition,
            init: self.flags.init,
            sequence: self.sequence,
        }
    }

    /// The additional data of the chunk's seal: everything that is known
    /// before sealing, i.e. the header without digest and root.
    #[must_use]
    pub fn associated_data(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        out.extend_from_slice(b"roundcast/chunk-aad/v1\0");
        self.scope.encode(&mut out);
        self.rendition.encode(&mut out);
        self.sequence.encode(&mut out);
        self.init_sequence.encode(&mut out);
        self.time_us.encode(&mut out);
        self.duration_us.encode(&mut out);
        self.published.encode(&mut out);
        self.flags.encode(&mut out);
        self.layout.encode(&mut out);
        self.previous.encode(&mut out);
        out
    }
}

crate::record! {
    /// How far the stream is (by the run's beacon key); travels on more than
    /// one path, so that a cut is noticed.
    pub struct HeadBeacon {
        /// Stream, run, epoch.
        pub scope: Scope,
        /// The rendition.
        pub rendition: Rendition,
        /// The newest published chunk.
        pub head: Sequence,
        /// SHA-256 of its signed header body.
        pub header: Digest,
        /// The station's time when it signed, on its own clock: a relay's time
        /// is never before it.
        pub now: UnixMs,
    }
}
statement!(HeadBeacon, "roundcast/beacon/v1", 256);
