//! The station's side: seal, cut, prove, sign.

use super::assembly::padded_len;
use super::{ChunkSealer, EpochSecret, Head, Heads, OVERHEAD_BYTES, Piece, erasure};
use crate::block::{Path, build_tree};
use crate::hash::sha256;
use crate::{Error, SigningKey, Verified, sign};
use bytes::Bytes;
use std::sync::Arc;
use wire::codec::VARINT_MAX;
use wire::statement::{ChunkFlags, ChunkHeader, Layout, RunStatement};
use wire::{Decode, Digest, Epoch, Rendition, Scope, Sequence, Signed, Stripes, UnixMs};

/// A chunk that is ready to be sent.
#[derive(Debug, Clone)]
pub struct SealedChunk {
    /// The header as it travels.
    pub signed: Signed<ChunkHeader>,
    /// The header as it is used.
    pub header: Verified<ChunkHeader>,
    /// The blocks by index, all of the layout's block length.
    pub blocks: Vec<Bytes>,
    /// Each block's path.
    pub paths: Vec<Path>,
}

impl SealedChunk {
    /// Every block with its proof, parity included.
    #[must_use]
    pub fn pieces(&self) -> Vec<Piece> {
        let blocks = self.blocks.iter().zip(&self.paths);
        (0u16..)
            .zip(blocks)
            .map(|(index, (data, path))| Piece {
                index,
                path: Arc::new(path.clone()),
                data: data.clone(),
            })
            .collect()
    }
}

/// The media chunks, or the init segments, of one rendition.
struct Track {
    sealer: ChunkSealer,
    next: Sequence,
    previous: Digest,
}

/// Publishes the chunks of one rendition of one run. It owns the sequences,
/// so that no nonce is used twice. A restarted station goes on behind the last
/// chunk that may have left it, and in a later epoch.
pub struct Publisher {
    key: SigningKey,
    scope: Scope,
    rendition: Rendition,
    stripes: Stripes,
    media: Track,
    init: Track,
    #[cfg(feature = "ablation")]
    pub(crate) unsealed: bool,
}

impl Publisher {
    /// A publisher that begins at sequence 0 in `epoch`; `key` is the run's
    /// chunk key. Chunks are cut as the run says.
    ///
    /// # Errors
    /// `key_not_in_run`, `seal_invalid`.
    pub fn new(
        key: SigningKey,
        run: &Verified<RunStatement>,
        epoch: Epoch,
        secret: &EpochSecret,
        rendition: Rendition,
    ) -> Result<Self, Error> {
        Self::resume(key, run, epoch, secret, rendition, Heads::default())
    }

    /// As [`Publisher::new`], behind the chunks that were published before.
    /// `epoch` has to be a later one than theirs: then nothing that is sealed
    /// from now on can share a nonce with them, even if `heads` is old.
    ///
    /// # Errors
    /// `key_not_in_run`, `seal_invalid`.
    pub fn resume(
        key: SigningKey,
        run: &Verified<RunStatement>,
        epoch: Epoch,
        secret: &EpochSecret,
        rendition: Rendition,
        heads: Heads,
    ) -> Result<Self, Error> {
        if key.public() != run.chunk_key {
            return Err(Error::KeyNotInRun);
        }
        let mut scope = run.scope.clone();
        scope.epoch = epoch;
        let track = |init, head: Option<Head>| {
            Ok::<_, Error>(Track {
                sealer: ChunkSealer::new(secret, &scope, rendition, init)?,
                next: head.map_or(Sequence(0), |head| head.sequence.next()),
                previous: head.map_or(Digest([0; 32]), |head| head.header),
            })
        };
        let (media, init) = (track(false, heads.media)?, track(true, heads.init)?);
        Ok(Self {
            key,
            scope,
            rendition,
            stripes: run.stripes,
            media,
            init,
            #[cfg(feature = "ablation")]
            unsealed: false,
        })
    }

    /// Goes on in a later epoch: sequences continue, keys change. Publish the
    /// init segment again, for those who come later.
    ///
    /// # Errors
    /// `epoch_not_newer`, `seal_invalid`.
    pub fn rotate(&mut self, epoch: Epoch, secret: &EpochSecret) -> Result<(), Error> {
        if epoch <= self.scope.epoch {
            return Err(Error::EpochNotNewer);
        }
        let mut scope = self.scope.clone();
        scope.epoch = epoch;
        let media = ChunkSealer::new(secret, &scope, self.rendition, false)?;
        let init = ChunkSealer::new(secret, &scope, self.rendition, true)?;
        (self.media.sealer, self.init.sealer) = (media, init);
        self.scope = scope;
        Ok(())
    }

    /// The epoch that chunks are published in.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.scope.epoch
    }

    /// The sequence of the next media chunk.
    #[must_use]
    pub const fn next_sequence(&self) -> Sequence {
        self.media.next
    }

    /// Seals, cuts and signs one fragment. Times are microseconds of the
    /// stream's clock; an init segment (`flags.init`) comes before the first
    /// media chunk.
    ///
    /// # Errors
    /// `chunk_too_large`, `init_missing`, `sequence_exhausted`,
    /// `seal_invalid`, `stripes_unsupported`.
    pub fn publish(
        &mut self,
        plaintext: &[u8],
        time_us: u64,
        duration_us: u64,
        published: UnixMs,
        flags: ChunkFlags,
    ) -> Result<SealedChunk, Error> {
        let layout = self.layout(plaintext.len())?;
        let (sequence, init_sequence) = self.position(flags)?;
        let track = if flags.init {
            &mut self.init
        } else {
            &mut self.media
        };
        let mut header = ChunkHeader {
            scope: self.scope.clone(),
            rendition: self.rendition,
            sequence,
            init_sequence,
            time_us,
            duration_us,
            published,
            flags,
            layout,
            previous: track.previous,
            digest: Digest([0; 32]),
            root: Digest([0; 32]),
        };
        let mut sealed = Vec::with_capacity(padded_len(&layout));
        sealed.extend_from_slice(plaintext);
        // The nonce is used from here on, whatever happens next.
        track.next = sequence.next();
        track
            .sealer
            .seal(sequence, &header.associated_data(), &mut sealed)?;
        #[cfg(feature = "ablation")]
        if self.unsealed {
            sealed.clear();
            sealed.extend_from_slice(plaintext);
            sealed.resize(sealed.len().saturating_add(OVERHEAD_BYTES), 0);
        }
        header.digest = sha256(&[&sealed]);
        sealed.resize(padded_len(&layout), 0);
        let blocks = erasure::with_parity(Bytes::from(sealed), &layout)?;
        let tree = build_tree(&blocks)?;
        header.root = tree.root();
        let signed = sign(&self.key, &header);
        // Read back, so that sender and receivers use the same values.
        let header = Verified::new(
            ChunkHeader::from_bytes(signed.body())?,
            sha256(&[signed.body()]),
        );
        track.previous = header.digest();
        let paths = (0u16..)
            .take(blocks.len())
            .filter_map(|index| tree.path(index))
            .collect();
        Ok(SealedChunk {
            signed,
            header,
            blocks,
            paths,
        })
    }

    fn layout(&self, plaintext_len: usize) -> Result<Layout, Error> {
        plaintext_len
            .checked_add(OVERHEAD_BYTES)
            .and_then(|len| u32::try_from(len).ok())
            .and_then(|len| Layout::for_chunk(len, self.stripes.k(), self.stripes.m()))
            .ok_or(Error::ChunkTooLarge)
    }

    /// The chunk's sequence and that of the init segment it needs.
    fn position(&self, flags: ChunkFlags) -> Result<(Sequence, Sequence), Error> {
        let sequence = if flags.init {
            self.init.next
        } else {
            self.media.next
        };
        if sequence.0 >= VARINT_MAX {
            return Err(Error::SequenceExhausted);
        }
        if flags.init {
            return Ok((sequence, sequence));
        }
        let newest = self.init.next.0.checked_sub(1).ok_or(Error::InitMissing)?;
        Ok((sequence, Sequence(newest)))
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher")
            .field("scope", &self.scope)
            .field("rendition", &self.rendition)
            .field("next", &self.media.next)
            .finish_non_exhaustive()
    }
}
