//! What holds for all inputs: nothing panics, nothing false verifies.

use crate::world::{NOW, World, key, me, order, other, secret};
use bytes::Bytes;
use certs::block::Path;
use certs::bundle::{self, SealingKeyPair};
use certs::chunk::{HeaderLimits, HeaderVerifier};
use certs::permit::{Expect, Role};
use certs::receipt::{Accumulator, ReceiptKey, StripeDigests, check};
use certs::seal::{Openers, Piece, assemble};
use certs::{block, introduction, permit, run, x509};
use proptest::collection::vec;
use proptest::prelude::*;
use wire::message::receipt::Receipt;
use wire::statement::{
    BatchedPermit, ChunkFlags, ChunkHeader, Introduction, PermitKind, RunStatement,
};
use wire::{Decode, Digest, Epoch, Rendition, Sequence, Signed, Stripe};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn arbitrary_bytes_are_no_statement(bytes in vec(any::<u8>(), 0..600)) {
        let world = World::new();
        if let Ok(signed) = Signed::<RunStatement>::from_bytes(&bytes) {
            prop_assert!(run::verify(&signed, &world.run.scope.stream, NOW).is_err());
        }
        if let Ok(signed) = Signed::<ChunkHeader>::from_bytes(&bytes) {
            let mut headers = HeaderVerifier::new(&world.run, HeaderLimits::default());
            prop_assert!(headers.verify(&signed).is_err());
        }
        if let Ok(signed) = BatchedPermit::from_bytes(&bytes) {
            let expect = Expect {
                me: me(),
                other: other(),
                role: Role::Child,
                kind: PermitKind::Push,
                epoch_min: Epoch(0),
            };
            prop_assert!(permit::verify(&signed, &world.run, &expect, NOW).is_err());
        }
        if let Ok(signed) = Signed::<Introduction>::from_bytes(&bytes) {
            prop_assert!(introduction::verify(&signed, &world.run, &order(), None).is_err());
        }
    }

    #[test]
    fn arbitrary_bodies_and_signatures_are_no_header(
        body in vec(any::<u8>(), 0..512),
        signature in vec(any::<u8>(), 64),
    ) {
        let world = World::new();
        let signature: [u8; 64] = signature.try_into().unwrap();
        let signed = Signed::<ChunkHeader>::from_parts(body, signature).unwrap();
        let mut headers = HeaderVerifier::new(&world.run, HeaderLimits::default());
        prop_assert!(headers.verify(&signed).is_err());
    }

    #[test]
    fn signed_rubbish_is_refused_without_panic(body in vec(any::<u8>(), 0..512)) {
        let world = World::new();
        let message = wire::statement::signed_string("roundcast/chunk/v1", &body);
        let signature = world.chunk.sign_raw(&message);
        let signed = Signed::<ChunkHeader>::from_parts(body, signature).unwrap();
        let mut headers = HeaderVerifier::new(&world.run, HeaderLimits::default());
        prop_assert!(headers.verify(&signed).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_no_certificate(bytes in vec(any::<u8>(), 0..800)) {
        prop_assert!(x509::spki_hash(&bytes).is_err());
        prop_assert!(x509::extension(&bytes, x509::EVIDENCE_OID).is_err());
        prop_assert!(x509::verify_member(&bytes, &key(2).public(), NOW).is_err());
        prop_assert!(x509::verify_ca(&bytes, &key(2).public(), NOW).is_err());
    }

    #[test]
    fn a_damaged_certificate_does_not_panic(
        at in 0usize..400,
        with in vec(any::<u8>(), 0..8),
    ) {
        let mut der = x509::self_signed(&key(8), Vec::new()).unwrap();
        let at = at % der.len();
        let end = (at + with.len()).min(der.len());
        der.splice(at..end, with);
        let _ = x509::spki_hash(&der);
        let _ = x509::extension(&der, x509::EVIDENCE_OID);
        prop_assert!(x509::verify_member(&der, &key(2).public(), NOW).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_no_bundle(bytes in vec(any::<u8>(), 0..512)) {
        let world = World::new();
        let pair = SealingKeyPair::from_seed(&[1; 32]);
        prop_assert!(bundle::open(&bytes, &pair, &world.scope(), &me()).is_err());
    }

    #[test]
    fn arbitrary_receipts_count_nothing(bytes in vec(any::<u8>(), 0..400)) {
        let world = World::new();
        if let Ok(receipt) = Receipt::from_bytes(&bytes) {
            let key = ReceiptKey::new([6; 32]);
            prop_assert!(check(&receipt, &world.run, &key, |_, _| None).is_err());
        }
    }

    #[test]
    fn any_fragment_goes_through_cut_proof_and_seal(
        plain in vec(any::<u8>(), 0..60_000),
        key_frame: bool,
    ) {
        let world = World::new();
        let flags = ChunkFlags { key: key_frame, ..ChunkFlags::default() };
        let chunk = world.started().publish(&plain, 5, 6, NOW, flags).unwrap();
        for (index, (data, path)) in (0u16..).zip(chunk.blocks.iter().zip(&chunk.paths)) {
            block::verify(&chunk.header, index, path, data).unwrap();
        }
        let mut openers = Openers::new(world.run.scope.stream, world.run.scope.run);
        openers.add(Epoch(0), secret());
        let sealed = assemble(&chunk.header, &chunk.pieces()).unwrap();
        prop_assert_eq!(openers.open(&chunk.header, sealed).unwrap(), plain);
    }

    #[test]
    fn no_changed_block_path_or_index_verifies(
        blocks in 1usize..40,
        index: prop::sample::Index,
        at: prop::sample::Index,
        bit in 0u8..8,
        claimed: u16,
    ) {
        let chunk = World::new().media(blocks * 16_384 - 16);
        let index = index.index(chunk.blocks.len());
        let (path, data) = (&chunk.paths[index], &chunk.blocks[index]);
        let mut changed = data.to_vec();
        changed[at.index(data.len())] ^= 1 << bit;
        let number = u16::try_from(index).unwrap();
        prop_assert!(block::verify(&chunk.header, number, path, &changed).is_err());
        if claimed != number {
            prop_assert!(block::verify(&chunk.header, claimed, path, data).is_err());
        }
        if !path.is_empty() {
            let mut wrong: Vec<Digest> = path.to_vec();
            let entry = at.index(wrong.len());
            wrong[entry].0[index % 32] ^= 1 << bit;
            prop_assert!(block::verify(&chunk.header, number, &wrong, data).is_err());
        }
    }

    #[test]
    fn arbitrary_paths_and_blocks_do_not_panic(
        path in vec(vec(any::<u8>(), 32), 0..12),
        data in vec(any::<u8>(), 0..300),
        index: u16,
    ) {
        let chunk = World::new().media(200);
        let path: Vec<Digest> =
            path.into_iter().map(|entry| Digest(entry.try_into().unwrap())).collect();
        let right = data == chunk.blocks[0] && index == 0 && path.is_empty();
        prop_assert_eq!(block::verify(&chunk.header, index, &path, &data).is_ok(), right);
        let path = std::sync::Arc::new(Path::new(path).unwrap_or_default());
        let _ = assemble(&chunk.header, &[Piece { index, path, data: Bytes::from(data) }]);
    }

    #[test]
    fn receipts_hold_in_whatever_order_blocks_come(
        order in Just((0usize..18).collect::<Vec<_>>()).prop_shuffle(),
        cut in 0usize..18,
    ) {
        let world = World::new();
        let mut publisher = world.started();
        let chunks: Vec<_> =
            (0..6).map(|_| crate::world::publish(&mut publisher, 40_000)).collect();
        let digests: Vec<_> = chunks
            .iter()
            .map(|chunk| StripeDigests::new(&chunk.header, &chunk.blocks).unwrap())
            .collect();
        let mut viewer =
            Accumulator::new(world.scope(), me(), other(), Stripe(0), Rendition(0));
        let key = ReceiptKey::new([6; 32]);
        let mut seen: Vec<Sequence> = Vec::new();
        for (interval, part) in [&order[..cut], &order[cut..]].into_iter().enumerate() {
            for at in part {
                let (chunk, index) = (&chunks[at / 3], at % 3);
                let data = &chunk.blocks[index];
                viewer.add(&chunk.header, index as u16, data, true).unwrap();
            }
            let receipt = viewer.finish(interval as u64, Epoch(0), &key).unwrap();
            let counted = check(&receipt, &world.run, &key, |_, sequence| {
                digests.get(usize::try_from(sequence.0).ok()?)
            })
            .unwrap();
            seen.extend(counted.in_time());
        }
        seen.sort();
        prop_assert_eq!(seen, (0..6).map(Sequence).collect::<Vec<_>>());
    }
}
