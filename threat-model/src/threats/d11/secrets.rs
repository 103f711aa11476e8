//! Keys that were good for something else: the one of an epoch that is over,
//! and the invite's.
//!
//! The control is that each epoch's secret is random and known to its members
//! alone. It is removed by the secret that the publisher is given.

use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{random, rng};
use crate::{Control, Failure, Outcome};
use certs::seal::{EpochSecret, Openers, Publisher, SealedChunk, assemble};
use wire::invite::AudienceSecret;
use wire::{Epoch, Rendition};

const PROGRAMME: &[u8] = b"what is said after somebody was put out";

/// He kept the secret of the epoch in which he was a member, and has a friend
/// who passes the sealed chunks on to him.
pub(super) fn evicted(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let kept = stream.secret.clone();
    let next = match control {
        Control::On => EpochSecret::generate(&rng())?,
        Control::Removed => kept.clone(),
    };
    let mut publisher = stream.publisher()?;
    two_chunks(&mut publisher, b"before")?;
    publisher.rotate(Epoch(1), &next)?;
    let [_, chunk] = two_chunks(&mut publisher, PROGRAMME)?;
    open(
        &stream,
        Epoch(1),
        kept,
        &chunk,
        "the evicted member reads on",
    )
}

/// She recorded sealed chunks, and is given the invite years later.
pub(super) fn leaked(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let invite = AudienceSecret::new(random()?);
    let of_the_invite = EpochSecret::new(*invite.expose());
    let secret = match control {
        Control::On => stream.secret.clone(),
        Control::Removed => of_the_invite.clone(),
    };
    let key = stream.chunk_key.clone();
    let run = &stream.run;
    let mut publisher = Publisher::new(key, run, Epoch(0), &secret, Rendition(0))?;
    let [_, chunk] = two_chunks(&mut publisher, PROGRAMME)?;
    open(
        &stream,
        Epoch(0),
        of_the_invite,
        &chunk,
        "the invite opens a recording",
    )
}

fn open(
    stream: &Stream,
    epoch: Epoch,
    secret: EpochSecret,
    chunk: &SealedChunk,
    damage: &str,
) -> Result<Outcome, Failure> {
    let scope = &stream.run.scope;
    let mut openers = Openers::new(scope.stream, scope.run);
    openers.add(epoch, secret);
    let sealed = assemble(&chunk.header, &chunk.pieces())?;
    match openers.open(&chunk.header, sealed) {
        Ok(read) if read == PROGRAMME => Ok(Outcome::succeeded(damage)),
        Ok(_) => Err(Failure::Stage("something else was read")),
        Err(refusal) => Ok(Outcome::stopped(refusal.reason())),
    }
}
