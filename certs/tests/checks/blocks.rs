use crate::world::{World, bytes};
use bytes::Bytes;
use certs::seal::SealedChunk;
use certs::{Error, block};
use wire::limits::BLOCK_BYTES_MAX;
use wire::{Digest, Stripe};

/// Chunks of one to seventeen blocks: every shape of an odd level.
fn shapes() -> Vec<SealedChunk> {
    let world = World::new();
    (1..=17)
        .map(|count| world.media(count * BLOCK_BYTES_MAX - 16))
        .collect()
}

#[test]
fn every_block_of_every_shape_verifies() {
    for (count, chunk) in (1..).zip(shapes()) {
        assert_eq!(chunk.blocks.len(), count);
        assert_eq!(chunk.paths.len(), count);
        for (index, (data, path)) in (0u16..).zip(chunk.blocks.iter().zip(&chunk.paths)) {
            let block = block::verify(&chunk.header, index, path, data).unwrap();
            assert_eq!(block.index(), index);
            assert_eq!(block.chunk(), chunk.header.key());
            assert_eq!(block.stripe(), Stripe(0));
            assert_eq!(block.header(), chunk.header.digest());
        }
    }
}

#[test]
fn refuses_a_block_at_another_index() {
    for chunk in shapes() {
        for index in 0..chunk.blocks.len() {
            for claimed in 0..=chunk.blocks.len() as u16 {
                if usize::from(claimed) == index {
                    continue;
                }
                let (data, path) = (&chunk.blocks[index], &chunk.paths[index]);
                let error = block::verify(&chunk.header, claimed, path, data).unwrap_err();
                assert_eq!(error.reason(), "block_proof_mismatch");
            }
        }
    }
}

#[test]
fn refuses_a_path_that_is_too_short_or_too_long() {
    for chunk in shapes() {
        let path = chunk.paths[0].to_vec();
        let mut long = path.clone();
        long.push(Digest([0; 32]));
        let refused = |path: &[Digest]| block::verify(&chunk.header, 0, path, &chunk.blocks[0]);
        assert_eq!(refused(&long).unwrap_err(), Error::BlockProofMismatch);
        if let Some((_, short)) = path.split_last() {
            assert_eq!(refused(short).unwrap_err(), Error::BlockProofMismatch);
        }
    }
}

#[test]
fn refuses_an_inner_node_as_a_block() {
    let chunk = World::new().media(2 * BLOCK_BYTES_MAX - 16);
    let children = [&chunk.paths[1][0].0[..], &chunk.paths[0][0].0[..]].concat();
    let error = block::verify(&chunk.header, 0, &[], &children).unwrap_err();
    assert_eq!(error, Error::BlockProofMismatch);
}

#[test]
fn refuses_every_single_altered_byte_of_path_and_index() {
    let chunk = World::new().media(5 * BLOCK_BYTES_MAX);
    for (index, (data, path)) in (0u16..).zip(chunk.blocks.iter().zip(&chunk.paths)) {
        for entry in 0..path.len() {
            for byte in 0..32 {
                let mut changed = path.to_vec();
                changed[entry].0[byte] ^= 0x80;
                let result = block::verify(&chunk.header, index, &changed, data);
                assert_eq!(result.unwrap_err(), Error::BlockProofMismatch);
            }
        }
    }
}

#[test]
fn refuses_every_single_altered_byte_of_a_block() {
    let chunk = World::new().media(200);
    let mut data = chunk.blocks[0].to_vec();
    for at in 0..data.len() {
        data[at] ^= 1;
        let result = block::verify(&chunk.header, 0, &chunk.paths[0], &data);
        assert_eq!(result.unwrap_err(), Error::BlockProofMismatch, "byte {at}");
        data[at] ^= 1;
    }
    block::verify(&chunk.header, 0, &chunk.paths[0], &data).unwrap();
}

#[test]
fn refuses_a_block_of_another_length() {
    let chunk = World::new().media(200);
    for len in [0, 1, chunk.blocks[0].len() - 1] {
        let short = &chunk.blocks[0][..len];
        let result = block::verify(&chunk.header, 0, &chunk.paths[0], short);
        assert_eq!(result.unwrap_err(), Error::BlockProofMismatch);
    }
}

#[test]
fn a_tree_needs_one_block_and_holds_as_many_as_a_chunk() {
    let block = Bytes::from(bytes(4));
    assert_eq!(block::build_tree(&[]).unwrap_err(), Error::ChunkTooLarge);
    let most = vec![block.clone(); 1024];
    let tree = block::build_tree(&most).unwrap();
    assert_eq!(tree.path(1023).unwrap().len(), 10);
    assert!(tree.path(1024).is_none());
    let over = vec![block; 1025];
    assert_eq!(block::build_tree(&over).unwrap_err(), Error::ChunkTooLarge);
}
