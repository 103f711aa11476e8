//! Chunks that an insider made up: sealed with the epoch's key, which every
//! viewer knows, and signed with a key of the insider's own.

use crate::Failure;
use crate::scene::rng;
use crate::scene::stream::two_chunks;
use certs::seal::{EpochSecret, Publisher, SealedChunk};
use certs::{SigningKey, Verified};
use wire::statement::RunStatement;
use wire::{Epoch, Rendition};

/// An init segment and a key frame of the insider's own media, for the run
/// that the victim is in.
///
/// # Errors
/// Those of the publisher.
pub fn forged_chunks(
    run: &Verified<RunStatement>,
    (epoch, secret): (Epoch, &EpochSecret),
    media: &[u8],
) -> Result<[SealedChunk; 2], Failure> {
    let key = SigningKey::generate(&rng())?;
    // To his own publisher, the insider says that the chunk key is his.
    let mut believed = RunStatement::clone(run);
    believed.chunk_key = key.public();
    let mut publisher = Publisher::new(
        key,
        &Verified::dangerously_assume(believed),
        epoch,
        secret,
        Rendition(0),
    )?;
    two_chunks(&mut publisher, media)
}
