//! The stream: chunks that were really sealed, cut, signed and verified, once
//! each; every node is then given the same verified values. Checking them is
//! not what is simulated.

use super::{Error, Scenario};
use bytes::Bytes;
use certs::block::VerifiedBlock;
use certs::chunk::{HeaderLimits, HeaderVerifier};
use certs::seal::{EpochSecret, Publisher, SealedChunk};
use certs::{SigningKey, Verified};
use wire::message::group::{Block, Record};
use wire::statement::{ChunkFlags, ChunkHeader, ChunkKey, RunStatement, Scope, Signed};
use wire::{Encode, Epoch, Rendition, RunId, SpkiHash, StreamId, Stripes, UnixMs};

/// The station's clock when virtual time begins.
pub(super) const EPOCH_MS: UnixMs = UnixMs(1_800_000_000_000);
/// The one rendition.
pub(super) const RENDITION: Rendition = Rendition(0);
/// A key frame against another picture: what encoders make of a talking head.
const KEY_WEIGHT: u64 = 3;
/// Bytes of an init segment.
const INIT_BYTES: usize = 900;
/// The length before each record on its stream: a varint.
const LENGTH_BYTES: u64 = 4;

/// The keys of the run, made of the seed, so that a replay signs the same.
pub(super) struct Keys {
    pub(super) stream: SigningKey,
    pub(super) ca: SigningKey,
    pub(super) chunk: SigningKey,
    pub(super) permit: SigningKey,
    pub(super) beacon: SigningKey,
    pub(super) member: SigningKey,
    pub(super) statement: RunStatement,
    pub(super) signed: Signed<RunStatement>,
    pub(super) run: Verified<RunStatement>,
}

impl Keys {
    pub(super) fn new(seed: u64, stripes: Stripes) -> Result<Self, Error> {
        let key = |role: u8| {
            let mut bytes = [role; 32];
            bytes[..8].copy_from_slice(&seed.to_be_bytes());
            SigningKey::from_seed(bytes)
        };
        let (stream, ca, chunk) = (key(1), key(2), key(3));
        let (permit, beacon, member) = (key(4), key(5), key(6));
        let statement = RunStatement {
            scope: Scope {
                stream: StreamId(stream.public().0),
                run: RunId([7; 16]),
                epoch: Epoch(0),
            },
            start: EPOCH_MS,
            end: EPOCH_MS.plus_ms(24 * 3_600_000),
            ca_key: ca.public(),
            chunk_key: chunk.public(),
            permit_key: permit.public(),
            beacon_key: beacon.public(),
            coordinator: SpkiHash([9; 32]),
            stripes,
        };
        let signed = certs::sign(&stream, &statement);
        let run = certs::run::verify(&signed, &statement.scope.stream, EPOCH_MS)?;
        Ok(Self {
            stream,
            ca,
            chunk,
            permit,
            beacon,
            member,
            statement,
            signed,
            run,
        })
    }
}

/// A chunk, and what it costs on the wire.
pub(super) struct Minted {
    pub(super) header: Verified<ChunkHeader>,
    pub(super) signed: Signed<ChunkHeader>,
    pub(super) blocks: Vec<VerifiedBlock>,
    /// A block's data.
    pub(super) block_bytes: usize,
    /// A block's record with its proof.
    pub(super) record_bytes: u64,
    /// The header's record.
    pub(super) header_bytes: u64,
    pub(super) published_us: u64,
}

/// The stream as far as it is published.
pub(super) struct Stream {
    publisher: Publisher,
    verifier: HeaderVerifier,
    init: Minted,
    media: Vec<Minted>,
    chunk_us: u64,
    group: u64,
    /// Bytes of a chunk that is no key frame.
    plain_bytes: usize,
}

impl Stream {
    pub(super) fn new(scenario: &Scenario, keys: &Keys) -> Result<Self, Error> {
        let stream = &scenario.stream;
        let secret = EpochSecret::new([11; 32]);
        let chunk_key = keys.chunk.clone();
        let mut publisher = Publisher::new(chunk_key, &keys.run, Epoch(0), &secret, RENDITION)?;
        let mut verifier = HeaderVerifier::new(&keys.run, HeaderLimits::default());
        let flags = ChunkFlags {
            init: true,
            ..ChunkFlags::default()
        };
        let init = publisher.publish(&[1; INIT_BYTES], 0, 0, EPOCH_MS, flags)?;
        let init = mint(&mut verifier, &init, 0)?;
        let group = stream.group_ms / stream.chunk_ms;
        let group_bytes = stream.rate_bps / 8 * stream.group_ms / 1_000;
        let plain_bytes = group_bytes / (group + KEY_WEIGHT - 1);
        Ok(Self {
            publisher,
            verifier,
            init,
            media: Vec::new(),
            chunk_us: stream.chunk_ms * 1_000,
            group,
            plain_bytes: usize::try_from(plain_bytes).unwrap_or(usize::MAX),
        })
    }

    /// Publishes the next chunk.
    pub(super) fn publish(&mut self, now_us: u64) -> Result<ChunkKey, Error> {
        let sequence = self.head();
        let key = sequence.is_multiple_of(self.group);
        let weight = if key { KEY_WEIGHT as usize } else { 1 };
        let text = vec![7; self.plain_bytes * weight];
        let flags = ChunkFlags {
            key,
            ..ChunkFlags::default()
        };
        let published = EPOCH_MS.plus_ms(now_us / 1_000);
        let (time_us, duration_us) = (sequence * self.chunk_us, self.chunk_us);
        let sealed = self
            .publisher
            .publish(&text, time_us, duration_us, published, flags)?;
        let minted = mint(&mut self.verifier, &sealed, now_us)?;
        let key = minted.header.key();
        self.media.push(minted);
        Ok(key)
    }

    /// The number of chunks published.
    pub(super) fn head(&self) -> u64 {
        self.media.len() as u64
    }

    pub(super) fn chunk(&self, key: ChunkKey) -> Option<&Minted> {
        if key.init {
            return Some(&self.init);
        }
        self.media.get(usize::try_from(key.sequence.0).ok()?)
    }

    pub(super) const fn init(&self) -> &Minted {
        &self.init
    }

    pub(super) fn is_key(&self, sequence: u64) -> bool {
        sequence.is_multiple_of(self.group)
    }
}

/// Verifies a chunk as a receiver does, and measures it.
fn mint(
    verifier: &mut HeaderVerifier,
    sealed: &SealedChunk,
    published_us: u64,
) -> Result<Minted, Error> {
    let header = verifier.verify(&sealed.signed)?;
    let pairs = sealed.blocks.iter().zip(&sealed.paths);
    let blocks = pairs
        .zip(0u16..)
        .map(|((data, path), index)| certs::block::verify(&header, index, path, data))
        .collect::<Result<Vec<VerifiedBlock>, certs::Error>>()?;
    let data = sealed.blocks.first().cloned().unwrap_or_else(Bytes::new);
    let block_bytes = data.len();
    let record = Record::Block(Block {
        chunk: header.key(),
        index: 0,
        path: sealed.paths.first().cloned().unwrap_or_default(),
        data: wire::codec::Blob::new(data)?,
    });
    let header_record = Record::Header(sealed.signed.clone());
    Ok(Minted {
        header,
        signed: sealed.signed.clone(),
        blocks,
        block_bytes,
        record_bytes: record.to_bytes().len() as u64 + LENGTH_BYTES,
        header_bytes: header_record.to_bytes().len() as u64 + LENGTH_BYTES,
        published_us,
    })
}
