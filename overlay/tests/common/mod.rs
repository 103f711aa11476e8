//! A station in memory: chunks that were really sealed, cut and signed.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use bytes::Bytes;
use certs::block::{self, Path, VerifiedBlock};
use certs::seal::{EpochSecret, Publisher, SealedChunk};
use certs::{SigningKey, sign};
use overlay::forwarder::{Forwarder, Outgoing, Taken};
use wire::message::edge::{Resume, Start};
use wire::statement::{ChunkFlags, ChunkKey, RunStatement, Scope};
use wire::{
    Decode, Epoch, Rendition, RunId, Sequence, SpkiHash, StreamId, Stripe, StripeSet, Stripes,
    UnixMs,
};

/// Data blocks of every chunk here, each a stripe of its own.
pub const BLOCKS: u16 = 4;
/// Media time of a chunk.
pub const CHUNK_MS: u64 = 200;
pub const RENDITION: Rendition = Rendition(0);

pub struct Station {
    publisher: Publisher,
    time_us: u64,
    /// Length of a chunk in bytes.
    pub chunk_len: usize,
}

/// All stripes of the usual station here.
pub fn all() -> StripeSet {
    set(0..u8::try_from(BLOCKS).unwrap())
}

pub fn set(stripes: impl IntoIterator<Item = u8>) -> StripeSet {
    stripes.into_iter().map(Stripe).collect()
}

impl Station {
    pub fn new() -> Self {
        Self::striped(u8::try_from(BLOCKS).unwrap(), 0)
    }

    /// Of another rendition of the same run.
    pub fn of(rendition: Rendition) -> Self {
        Self::publishing(rendition, (u8::try_from(BLOCKS).unwrap(), 0))
    }

    pub fn striped(k: u8, m: u8) -> Self {
        Self::publishing(RENDITION, (k, m))
    }

    fn publishing(rendition: Rendition, (k, m): (u8, u8)) -> Self {
        let [stream, chunk, ca, permit, beacon] =
            [1, 2, 3, 7, 8].map(|n| SigningKey::from_seed([n; 32]));
        let statement = RunStatement {
            scope: Scope {
                stream: StreamId(stream.public().0),
                run: RunId([4; 16]),
                epoch: Epoch(0),
            },
            start: UnixMs(1_000),
            end: UnixMs(3_600_000),
            ca_key: ca.public(),
            chunk_key: chunk.public(),
            permit_key: permit.public(),
            beacon_key: beacon.public(),
            coordinator: SpkiHash([5; 32]),
            stripes: Stripes::new(k, m).unwrap(),
        };
        let signed = sign(&stream, &statement);
        let run = certs::run::verify(&signed, &statement.scope.stream, UnixMs(2_000)).unwrap();
        let secret = EpochSecret::new([6; 32]);
        let publisher = Publisher::new(chunk, &run, Epoch(0), &secret, rendition).unwrap();
        Self {
            publisher,
            time_us: 0,
            chunk_len: 4_000,
        }
    }

    pub fn init(&mut self) -> SealedChunk {
        self.publish(ChunkFlags {
            init: true,
            ..ChunkFlags::default()
        })
    }

    pub fn media(&mut self, key: bool) -> SealedChunk {
        self.publish(ChunkFlags {
            key,
            ..ChunkFlags::default()
        })
    }

    /// A key chunk whose init segment nobody was given.
    pub fn media_after_init(&mut self) -> SealedChunk {
        self.init();
        self.media(true)
    }

    /// An init segment and `count` media chunks with a key every `group`.
    pub fn evening(&mut self, count: usize, group: usize) -> Vec<SealedChunk> {
        let mut chunks = vec![self.init()];
        chunks.extend((0..count).map(|i| self.media(i % group == 0)));
        chunks
    }

    pub fn publish(&mut self, flags: ChunkFlags) -> SealedChunk {
        let published = UnixMs(2_000 + self.time_us / 1_000);
        let text = vec![7; self.chunk_len];
        let chunk = self
            .publisher
            .publish(&text, self.time_us, CHUNK_MS * 1_000, published, flags)
            .unwrap();
        if !flags.init {
            self.time_us += CHUNK_MS * 1_000;
        }
        chunk
    }
}

pub fn proof(chunk: &SealedChunk, index: u16) -> (VerifiedBlock, Path, Bytes) {
    let data = chunk.blocks.get(usize::from(index)).unwrap().clone();
    let path = chunk.paths.get(usize::from(index)).unwrap().clone();
    let verified = block::verify(&chunk.header, index, &path, &data).unwrap();
    (verified, path, data)
}

pub fn give_header(to: &mut Forwarder<Bytes, u32>, chunk: &SealedChunk) -> Taken {
    to.header(0, chunk.header.clone(), chunk.signed.clone())
}

pub fn give_block(to: &mut Forwarder<Bytes, u32>, chunk: &SealedChunk, index: u16) -> Taken {
    let (verified, path, data) = proof(chunk, index);
    let len = data.len();
    to.block(0, verified, path, data, len)
}

pub fn give(to: &mut Forwarder<Bytes, u32>, chunk: &SealedChunk) {
    give_header(to, chunk);
    for index in 0..u16::try_from(chunk.blocks.len()).unwrap() {
        give_block(to, chunk, index);
    }
}

pub fn start() -> Start {
    Start {
        rendition: RENDITION,
        stripes: all(),
        resume: None,
    }
}

pub fn resume(init: Option<u64>, next: u64, have: &[u16]) -> Start {
    Start {
        rendition: RENDITION,
        stripes: all(),
        resume: Some(Resume {
            init: init.map(Sequence),
            next: Sequence(next),
            have: wire::codec::List::new(have.to_vec()).unwrap(),
        }),
    }
}

/// What went to a child, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    Group(u64),
    End,
    Init(u64),
    Header(u64),
    InitBlock(u64, u16),
    Block(u64, u16),
    Dropped(u64, u64),
}

pub fn short(outgoing: Outgoing<Bytes>) -> Sent {
    match outgoing {
        Outgoing::GroupStart(group) => Sent::Group(group.first.0),
        Outgoing::GroupEnd => Sent::End,
        Outgoing::Header(signed) => {
            let header = wire::statement::ChunkHeader::from_bytes(signed.body()).unwrap();
            match header.key() {
                ChunkKey {
                    init: true,
                    sequence,
                    ..
                } => Sent::Init(sequence.0),
                ChunkKey { sequence, .. } => Sent::Header(sequence.0),
            }
        }
        Outgoing::Block { chunk, index, .. } if chunk.init => {
            Sent::InitBlock(chunk.sequence.0, index)
        }
        Outgoing::Block { chunk, index, .. } => Sent::Block(chunk.sequence.0, index),
        Outgoing::Dropped { from, to, .. } => Sent::Dropped(from.0, to.0),
    }
}

pub fn drain(from: &mut Forwarder<Bytes, u32>, child: u32) -> Vec<Sent> {
    std::iter::from_fn(|| from.poll(child)).map(short).collect()
}

/// The media chunks of which the header was sent, in order.
pub fn headers(sent: &[Sent]) -> Vec<u64> {
    sent.iter()
        .filter_map(|s| match s {
            Sent::Header(sequence) => Some(*sequence),
            _ => None,
        })
        .collect()
}

/// A whole media chunk as it is sent.
pub fn whole(sequence: u64) -> Vec<Sent> {
    let mut sent = vec![Sent::Header(sequence)];
    sent.extend((0..BLOCKS).map(|i| Sent::Block(sequence, i)));
    sent
}

pub fn whole_init(sequence: u64) -> Vec<Sent> {
    let mut sent = vec![Sent::Init(sequence)];
    sent.extend((0..BLOCKS).map(|i| Sent::InitBlock(sequence, i)));
    sent
}
