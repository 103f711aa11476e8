//! A station that goes on with its run (threat D11).

use crate::world::{World, altered, bytes, init_flags, publish, secret};
use certs::chunk::{HeaderLimits, HeaderVerifier, equivocation};
use certs::seal::{ChunkSealer, EpochSecret, Heads, Publisher, SealedChunk, assemble};
use certs::{Error, Verified};
use wire::statement::ChunkHeader;
use wire::{Epoch, Rendition};

/// The station's first life: what it published, and how far it came.
fn first_life(world: &World) -> (Vec<SealedChunk>, Heads) {
    let mut publisher = world.publisher();
    let now = crate::world::NOW;
    let init = publisher.publish(b"init", 0, 0, now, init_flags());
    let mut chunks = vec![init.unwrap()];
    chunks.extend((0..3).map(|_| publish(&mut publisher, 100)));
    let mut heads = Heads::default();
    chunks.iter().for_each(|chunk| heads.note(&chunk.header));
    (chunks, heads)
}

/// The second life, with what is published first in it.
fn second_life(world: &World, epoch: u64, secret: &EpochSecret, heads: Heads) -> Vec<SealedChunk> {
    let (key, run) = (world.chunk.clone(), &world.run);
    let publisher = Publisher::resume(key, run, Epoch(epoch), secret, Rendition(0), heads);
    let mut publisher = publisher.unwrap();
    let now = crate::world::NOW;
    let init = publisher.publish(b"init", 0, 0, now, init_flags());
    vec![init.unwrap(), publish(&mut publisher, 100)]
}

fn any_two_contradict(chunks: &[SealedChunk]) -> bool {
    let headers: Vec<&Verified<ChunkHeader>> = chunks.iter().map(|c| &c.header).collect();
    let against = |a: &&Verified<ChunkHeader>| headers.iter().any(|b| equivocation(a, b));
    headers.iter().any(against)
}

#[test]
fn a_station_that_goes_on_contradicts_nothing_that_it_said() {
    let world = World::new();
    let (mut chunks, heads) = first_life(&world);
    chunks.extend(second_life(&world, 1, &EpochSecret::new([43; 32]), heads));
    assert!(!any_two_contradict(&chunks));
    let mut verifier = HeaderVerifier::new(&world.run, HeaderLimits::default());
    for chunk in &chunks {
        verifier.verify(&chunk.signed).unwrap();
    }
    let [_, init, media] = &chunks[3..] else {
        panic!("three are left");
    };
    assert_eq!(media.header.sequence, chunks[3].header.sequence.next());
    assert_eq!(media.header.previous, chunks[3].header.digest());
    assert_eq!(media.header.init_sequence, init.header.sequence);
}

/// What the heads are good for: without them the second life tells another
/// story of the same chunks, and every node can prove it.
#[test]
fn a_station_that_begins_again_in_the_same_run_contradicts_itself() {
    let world = World::new();
    let (mut chunks, _) = first_life(&world);
    let again = second_life(&world, 1, &EpochSecret::new([43; 32]), Heads::default());
    chunks.extend(again);
    assert!(any_two_contradict(&chunks));
}

/// Even with heads that are too old no nonce meets its key twice, since the
/// epoch is another one; in the same epoch it would.
#[test]
fn a_later_epoch_shares_no_key_stream_with_the_one_before() {
    let world = World::new();
    let streams = |epoch: u64, secret: EpochSecret| {
        let mut scope = world.scope();
        scope.epoch = Epoch(epoch);
        let sealer = ChunkSealer::new(&secret, &scope, Rendition(0), false).unwrap();
        let mut zeros = vec![0; 64];
        sealer.seal(wire::Sequence(2), b"", &mut zeros).unwrap();
        zeros
    };
    let before = streams(0, secret());
    assert_ne!(before, streams(1, EpochSecret::new([43; 32])));
    assert_ne!(before, streams(1, secret()), "whatever the secret is");
    assert_eq!(
        before,
        streams(0, secret()),
        "the same epoch would repeat it"
    );
}

#[test]
fn a_chunk_is_made_again_from_its_header_and_sealed_bytes() {
    for (k, m, len) in [(1, 0, 100), (4, 1, 70_000), (2, 2, 1)] {
        let chunk = World::striped(k, m).media(len);
        let sealed = chunk.sealed();
        assert_eq!(sealed, assemble(&chunk.header, &chunk.pieces()).unwrap());
        let again = SealedChunk::restore(chunk.signed.clone(), chunk.header.clone(), sealed);
        let again = again.unwrap();
        assert_eq!(again.blocks, chunk.blocks);
        assert_eq!(again.paths, chunk.paths);
        assert_eq!(again.signed, chunk.signed);
    }
}

#[test]
fn other_bytes_are_not_made_into_the_chunk() {
    let chunk = World::new().media(500);
    let restore = |sealed| SealedChunk::restore(chunk.signed.clone(), chunk.header.clone(), sealed);
    let sealed = chunk.sealed();
    for at in [0, sealed.len() - 1] {
        let mut wrong = sealed.clone();
        wrong[at] ^= 1;
        assert_eq!(restore(wrong).unwrap_err(), Error::SenderInconsistent);
    }
    for wrong in [sealed[1..].to_vec(), bytes(3), Vec::new()] {
        assert_eq!(restore(wrong).unwrap_err(), Error::SenderInconsistent);
    }
    let forged = altered(&chunk.signed, 3);
    let mut verifier = HeaderVerifier::new(&World::new().run, HeaderLimits::default());
    assert!(
        verifier.verify(&forged).is_err(),
        "nor is an altered header"
    );
}
