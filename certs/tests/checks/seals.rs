use crate::world::{NOW, World, bytes, init_flags, publish, secret};
use bytes::Bytes;
use certs::chunk::{HeaderLimits, HeaderVerifier};
use certs::seal::{ChunkOpener, ChunkSealer, EpochSecret, Openers, Piece, Publisher, assemble};
use certs::{Error, SigningKey, Verified, block, sign};
use std::sync::Arc;
use wire::limits::{BLOCK_BYTES_MAX, CHUNK_BYTES_MAX};
use wire::statement::{ChunkFlags, ChunkHeader};
use wire::{Epoch, Rendition, RunId, Scope, Sequence, StreamId};

fn openers(world: &World) -> Openers {
    let mut openers = Openers::new(world.run.scope.stream, world.run.scope.run);
    openers.add(Epoch(0), secret());
    openers
}

fn verified(world: &World, header: &ChunkHeader) -> Verified<ChunkHeader> {
    HeaderVerifier::new(&world.run, HeaderLimits::default())
        .verify(&sign(&world.chunk, header))
        .unwrap()
}

#[test]
fn what_is_published_is_what_is_opened() {
    let world = World::new();
    for len in [
        0,
        1,
        100,
        BLOCK_BYTES_MAX - 16,
        BLOCK_BYTES_MAX - 15,
        70_001,
    ] {
        let chunk = world.media(len);
        let sealed = assemble(&chunk.header, &chunk.pieces()).unwrap();
        let plain = openers(&world).open(&chunk.header, sealed).unwrap();
        assert_eq!(plain, bytes(len));
    }
}

#[test]
fn relays_carry_ciphertext() {
    let world = World::new();
    let plain = vec![b'x'; 64];
    let mut publisher = world.started();
    let chunk = publisher
        .publish(&plain, 0, 1, NOW, ChunkFlags::default())
        .unwrap();
    let carried = chunk.blocks.concat();
    assert!(!carried.windows(8).any(|part| part == &plain[..8]));
}

#[test]
fn blocks_share_the_chunks_allocation_and_have_one_length() {
    let chunk = World::new().media(100_000);
    let len = chunk.header.layout.block_len as usize;
    assert!(len <= BLOCK_BYTES_MAX);
    assert!(chunk.blocks.iter().all(|block| block.len() == len));
    let starts: Vec<_> = chunk
        .blocks
        .iter()
        .map(|block| block.as_ptr() as usize)
        .collect();
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] == len));
}

#[test]
fn refuses_every_single_altered_byte_of_a_sealed_chunk() {
    let world = World::new();
    let chunk = world.media(150);
    let sealed = assemble(&chunk.header, &chunk.pieces()).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        let result = openers(&world).open(&chunk.header, changed);
        assert_eq!(result.unwrap_err(), Error::SealInvalid, "byte {at}");
    }
}

#[test]
fn the_seal_covers_every_field_known_before_sealing() {
    let world = World::new();
    let chunk = world.media(150);
    let sealed = assemble(&chunk.header, &chunk.pieces()).unwrap();
    let changes: [fn(&mut ChunkHeader); 8] = [
        |header| header.sequence = header.sequence.next(),
        |header| header.init_sequence = header.init_sequence.next(),
        |header| header.time_us += 1,
        |header| header.duration_us += 1,
        |header| header.published.0 += 1,
        |header| header.flags.key ^= true,
        |header| header.previous.0[0] ^= 1,
        |header| header.layout.chunk_len -= 1,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut header = chunk.header.clone().into_inner();
        change(&mut header);
        let header = verified(&world, &header);
        let result = openers(&world).open(&header, sealed.clone());
        assert_eq!(result.unwrap_err(), Error::SealInvalid, "change {number}");
    }
}

/// Blocks of a sender's own, each with its proof.
fn proven(blocks: &[Bytes]) -> Vec<Piece> {
    let tree = block::build_tree(blocks).unwrap();
    let piece = |(index, data): (u16, &Bytes)| Piece {
        index,
        path: Arc::new(tree.path(index).unwrap()),
        data: data.clone(),
    };
    (0u16..).zip(blocks).map(piece).collect()
}

#[test]
fn a_sender_whose_blocks_are_not_its_chunk_is_inconsistent() {
    let world = World::new();
    let chunk = world.media(50_000);
    let mut header = chunk.header.clone().into_inner();
    header.digest.0[0] ^= 1;
    let header = verified(&world, &header);
    let error = assemble(&header, &chunk.pieces()).unwrap_err();
    assert_eq!(error.reason(), "sender_inconsistent");
}

#[test]
fn padding_that_is_not_zero_is_the_senders_fault() {
    let world = World::new();
    let chunk = world.media(BLOCK_BYTES_MAX + 1);
    let mut blocks = chunk.blocks.clone();
    let mut last = blocks.pop().unwrap().to_vec();
    assert_eq!(last.last(), Some(&0), "this length leaves padding");
    *last.last_mut().unwrap() = 1;
    blocks.push(Bytes::from(last));
    let mut header = chunk.header.clone().into_inner();
    header.root = block::build_tree(&blocks).unwrap().root();
    let error = assemble(&verified(&world, &header), &proven(&blocks)).unwrap_err();
    assert_eq!(error, Error::SenderInconsistent);
}

#[test]
fn blocks_that_were_never_verified_do_not_accuse_the_sender() {
    let chunk = World::new().media(50_000);
    let mut pieces = chunk.pieces();
    pieces[0].data = chunk.blocks[1].clone();
    let error = assemble(&chunk.header, &pieces).unwrap_err();
    assert_eq!(error, Error::BlockProofMismatch);
    pieces[0].data.truncate(100);
    let error = assemble(&chunk.header, &pieces).unwrap_err();
    assert_eq!(error, Error::BlockProofMismatch);
    pieces[0].index = 400;
    let error = assemble(&chunk.header, &pieces).unwrap_err();
    assert_eq!(error, Error::BlockProofMismatch);
}

/// Threat D11: the key belongs to its run, epoch, rendition and sort.
#[test]
fn one_sequence_never_meets_one_key_twice() {
    let world = World::new();
    let scope = world.scope();
    let sealed = |scope: &Scope, rendition: u8, init: bool, secret: &EpochSecret| {
        let mut buffer = vec![0; 64];
        ChunkSealer::new(secret, scope, Rendition(rendition), init)
            .unwrap()
            .seal(Sequence(9), b"", &mut buffer)
            .unwrap();
        buffer
    };
    let with = |change: fn(&mut Scope)| {
        let mut scope = scope.clone();
        change(&mut scope);
        sealed(&scope, 0, false, &secret())
    };
    // Zeros sealed are the key stream itself: all of them must differ.
    let mut streams = vec![
        sealed(&scope, 0, false, &secret()),
        with(|scope| scope.run = RunId([8; 16])),
        with(|scope| scope.epoch = Epoch(1)),
        with(|scope| scope.stream = StreamId([8; 32])),
        sealed(&scope, 1, false, &secret()),
        sealed(&scope, 0, true, &secret()),
        sealed(&scope, 0, false, &EpochSecret::new([1; 32])),
    ];
    let count = streams.len();
    streams.sort();
    streams.dedup();
    assert_eq!(streams.len(), count);
}

#[test]
fn a_nonce_is_the_sequence() {
    let scope = World::new().scope();
    let key = || ChunkSealer::new(&secret(), &scope, Rendition(0), false).unwrap();
    let mut buffer = vec![0; 16];
    key().seal(Sequence(1), b"", &mut buffer).unwrap();
    let opener = ChunkOpener::new(&secret(), &scope, Rendition(0), false).unwrap();
    assert!(opener.open(Sequence(2), b"", &mut buffer.clone()).is_err());
    opener.open(Sequence(1), b"", &mut buffer).unwrap();
    assert_eq!(buffer, vec![0; 16]);
}

#[test]
fn an_evicted_member_reads_no_later_epoch() {
    let world = World::new();
    let mut publisher = world.started();
    let before = publish(&mut publisher, 30);
    publisher
        .rotate(Epoch(1), &EpochSecret::new([43; 32]))
        .unwrap();
    let after = publish(&mut publisher, 30);
    assert_eq!(after.header.sequence, before.header.sequence.next());
    let mut evicted = openers(&world);
    let sealed = assemble(&before.header, &before.pieces()).unwrap();
    evicted.open(&before.header, sealed).unwrap();
    let sealed = assemble(&after.header, &after.pieces()).unwrap();
    let error = evicted.open(&after.header, sealed.clone()).unwrap_err();
    assert_eq!(error, Error::EpochSecretMissing);
    evicted.add(Epoch(1), secret());
    let error = evicted.open(&after.header, sealed.clone()).unwrap_err();
    assert_eq!(error, Error::SealInvalid);
    evicted.add(Epoch(1), EpochSecret::new([43; 32]));
    assert_eq!(evicted.open(&after.header, sealed).unwrap(), bytes(30));
}

#[test]
fn epochs_only_go_on() {
    let mut publisher = World::new().started();
    let error = publisher.rotate(Epoch(0), &secret()).unwrap_err();
    assert_eq!(error, Error::EpochNotNewer);
    assert_eq!(publisher.epoch(), Epoch(0));
}

#[test]
fn openers_forget_old_epochs_and_hold_a_bounded_number() {
    let world = World::new();
    let mut openers = openers(&world);
    for epoch in 1..200 {
        openers.add(Epoch(epoch), secret());
    }
    let chunk = world.media(10);
    let sealed = assemble(&chunk.header, &chunk.pieces()).unwrap();
    let error = openers.open(&chunk.header, sealed).unwrap_err();
    assert_eq!(error, Error::EpochSecretMissing);
    assert_eq!(openers.newest(), Some(Epoch(199)));
}

#[test]
fn openers_refuse_chunks_of_another_run() {
    let chunk = World::of_run(8).media(10);
    let sealed = assemble(&chunk.header, &chunk.pieces()).unwrap();
    let error = openers(&World::new())
        .open(&chunk.header, sealed)
        .unwrap_err();
    assert_eq!(error, Error::HeaderWrongRun);
}

#[test]
fn a_publisher_needs_the_runs_chunk_key() {
    let world = World::new();
    let new = |key: SigningKey| {
        Publisher::new(key, &world.run, Epoch(0), &secret(), Rendition(0)).map(|_| ())
    };
    assert_eq!(new(world.permit.clone()), Err(Error::KeyNotInRun));
    assert_eq!(new(world.chunk.clone()), Ok(()));
}

#[test]
fn media_needs_an_init_segment_first() {
    let world = World::new();
    let mut publisher = world.publisher();
    let early = publisher.publish(b"x", 0, 1, NOW, ChunkFlags::default());
    assert_eq!(early.unwrap_err(), Error::InitMissing);
    for sequence in 0..2 {
        let init = publisher.publish(b"", 0, 0, NOW, init_flags()).unwrap();
        assert_eq!(init.header.sequence, Sequence(sequence));
        assert_eq!(init.header.init_sequence, Sequence(sequence));
    }
    assert_eq!(publisher.next_sequence(), Sequence(0));
    let media = publish(&mut publisher, 1);
    assert_eq!(media.header.sequence, Sequence(0));
    assert_eq!(media.header.init_sequence, Sequence(1));
}

#[test]
fn a_chunk_over_the_limit_uses_no_sequence() {
    let world = World::new();
    let mut publisher = world.started();
    let large = vec![0; CHUNK_BYTES_MAX - 15];
    let result = publisher.publish(&large, 0, 1, NOW, ChunkFlags::default());
    assert_eq!(result.unwrap_err(), Error::ChunkTooLarge);
    assert_eq!(publisher.next_sequence(), Sequence(0));
}

#[test]
fn secrets_are_never_printed() {
    let world = World::new();
    assert_eq!(format!("{:?}", secret()), "[redacted]");
    assert_eq!(format!("{:?}", openers(&world)), "Openers([redacted])");
    assert!(!format!("{:?}", world.publisher()).contains("42"));
}
