//! Chunks with parity: any k of each row are the chunk, fewer are none.

use crate::world::{NOW, World, init_flags, publish, secret};
use bytes::Bytes;
use certs::seal::{Openers, Piece, Publisher, SealedChunk, assemble};
use certs::{Error, Verified, block, sign};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::Arc;
use wire::limits::BLOCK_BYTES_MAX;
use wire::statement::{ChunkFlags, ChunkHeader};
use wire::{Epoch, Rendition};

fn chunk(world: &World, len: usize) -> SealedChunk {
    let key = world.chunk.clone();
    let mut publisher = Publisher::new(key, &world.run, Epoch(0), &secret(), Rendition(0)).unwrap();
    publisher.publish(b"init", 0, 0, NOW, init_flags()).unwrap();
    publish(&mut publisher, len)
}

/// The pieces of a chunk, of each row those whose rank is below `count`; the
/// ranks are drawn anew for each row.
fn some_of_each_row(chunk: &SealedChunk, count: usize, luck: &[Index]) -> Vec<Piece> {
    let layout = chunk.header.layout;
    let width = usize::from(layout.k) + usize::from(layout.m);
    let mut draws = luck.iter().cycle();
    let mut kept = Vec::new();
    for row in chunk.pieces().chunks(width) {
        let mut row = row.to_vec();
        while row.len() > count {
            let gone = draws.next().unwrap().index(row.len());
            row.remove(gone);
        }
        kept.extend(row);
    }
    kept
}

fn plain(
    world: &World,
    header: &Verified<ChunkHeader>,
    pieces: &[Piece],
) -> Result<Vec<u8>, Error> {
    let mut openers = Openers::new(world.run.scope.stream, world.run.scope.run);
    openers.add(Epoch(0), secret());
    openers.open(header, assemble(header, pieces)?)
}

/// The chunk as a sender would sign it whose block `index` is another one.
fn with_block(
    world: &World,
    chunk: &SealedChunk,
    index: usize,
    data: Bytes,
) -> (Verified<ChunkHeader>, Vec<Piece>) {
    let mut blocks = chunk.blocks.clone();
    blocks[index] = data;
    let tree = block::build_tree(&blocks).unwrap();
    let mut header = chunk.header.clone().into_inner();
    header.root = tree.root();
    let signed = sign(&world.chunk, &header);
    let limits = certs::chunk::HeaderLimits::default();
    let header = certs::chunk::HeaderVerifier::new(&world.run, limits)
        .verify(&signed)
        .unwrap();
    let piece = |(index, data): (u16, &Bytes)| {
        let path = tree.path(index).unwrap();
        block::verify(&header, index, &path, data).unwrap();
        Piece {
            index,
            path: Arc::new(path),
            data: data.clone(),
        }
    };
    let pieces = (0u16..).zip(&blocks).map(piece).collect();
    (header, pieces)
}

fn k_and_m() -> impl Strategy<Value = (u8, u8)> {
    prop_oneof![
        Just((4u8, 1u8)),
        (1u8..=8, 0u8..=4),
        (1u8..=16).prop_flat_map(|k| (Just(k), 0..=16 - k)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_k_of_each_row_are_the_chunk(
        (k, m) in k_and_m(),
        len in prop_oneof![0usize..64, 0usize..200_000],
        luck in prop::collection::vec(any::<Index>(), 40),
    ) {
        let world = World::striped(k, m);
        let chunk = chunk(&world, len);
        let layout = chunk.header.layout;
        prop_assert_eq!((layout.k, layout.m), (k, m));
        prop_assert_eq!(chunk.blocks.len(), layout.blocks() as usize);
        prop_assert!(layout.block_len as usize <= BLOCK_BYTES_MAX);
        for piece in chunk.pieces() {
            let block = block::verify(&chunk.header, piece.index, &piece.path, &piece.data).unwrap();
            prop_assert_eq!(u16::from(block.stripe().0), piece.index % u16::from(k + m));
        }
        let whole = crate::world::bytes(len);
        let mut pieces = some_of_each_row(&chunk, usize::from(k), &luck);
        pieces.reverse();
        prop_assert_eq!(plain(&world, &chunk.header, &pieces).unwrap(), whole.clone());
        prop_assert_eq!(plain(&world, &chunk.header, &chunk.pieces()).unwrap(), whole);
    }

    #[test]
    fn fewer_than_k_of_a_row_are_incomplete(
        (k, m) in k_and_m(),
        len in 0usize..100_000,
        row in any::<Index>(),
        luck in prop::collection::vec(any::<Index>(), 40),
    ) {
        let world = World::striped(k, m);
        let chunk = chunk(&world, len);
        let short = row.index(chunk.header.layout.rows() as usize);
        let mut pieces = some_of_each_row(&chunk, usize::from(k), &luck);
        pieces.remove(short * usize::from(k));
        prop_assert_eq!(assemble(&chunk.header, &pieces), Err(Error::ChunkIncomplete));
        prop_assert_eq!(assemble(&chunk.header, &[]), Err(Error::ChunkIncomplete));
    }

    #[test]
    fn parity_that_the_sender_made_wrong_is_its_fault_where_it_is_used(
        (k, m) in k_and_m().prop_filter("parity", |(_, m)| *m > 0),
        len in 1usize..60_000,
        at in any::<Index>(),
        bit in 0u8..8,
        lost in any::<Index>(),
    ) {
        let world = World::striped(k, m);
        let chunk = chunk(&world, len);
        let mut parity = chunk.blocks[usize::from(k)].to_vec();
        let at = at.index(parity.len());
        parity[at] ^= 1 << bit;
        let (header, mut pieces) = with_block(&world, &chunk, usize::from(k), parity.into());
        // Who needs no parity has the chunk.
        prop_assert_eq!(plain(&world, &header, &pieces).unwrap(), crate::world::bytes(len));
        // The first row without one of its data, and with this parity alone.
        let first_row = usize::from(k) + usize::from(m);
        pieces.drain(usize::from(k) + 1..first_row);
        pieces.remove(lost.index(usize::from(k)));
        prop_assert_eq!(assemble(&header, &pieces), Err(Error::SenderInconsistent));
    }
}

#[test]
fn parity_of_somebody_else_accuses_the_sender_of_nothing() {
    let world = World::striped(4, 1);
    let chunk = chunk(&world, 50_000);
    let mut pieces = chunk.pieces();
    let mut parity = pieces[4].data.to_vec();
    parity[0] ^= 1;
    pieces[4].data = parity.into();
    pieces.remove(0);
    let error = assemble(&chunk.header, &pieces).unwrap_err();
    assert_eq!(error, Error::BlockProofMismatch);
}

#[test]
fn parity_costs_its_share_and_cutting_next_to_nothing() {
    let world = World::striped(4, 1);
    // 200 ms at 5 Mbit/s.
    let len = 125_000;
    let chunk = chunk(&world, len);
    let data: usize = chunk
        .pieces()
        .iter()
        .filter(|p| p.index % 5 != 4)
        .map(|p| p.data.len())
        .sum();
    assert!(data - len < 64, "padding and tag of {} bytes", data - len);
    let all: usize = chunk.blocks.iter().map(Bytes::len).sum();
    assert_eq!(all * 4, data * 5);
    let tiny = publish_flags(&world, b"");
    assert_eq!(tiny.blocks.len(), 5);
    assert_eq!(
        tiny.blocks[0].len(),
        4,
        "a chunk of 16 bytes in four blocks"
    );
}

fn publish_flags(world: &World, text: &[u8]) -> SealedChunk {
    let key = world.chunk.clone();
    let mut publisher = Publisher::new(key, &world.run, Epoch(0), &secret(), Rendition(0)).unwrap();
    publisher.publish(b"", 0, 0, NOW, init_flags()).unwrap();
    publisher
        .publish(text, 0, 0, NOW, ChunkFlags::default())
        .unwrap()
}
