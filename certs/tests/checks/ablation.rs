use crate::world::{NOW, World, altered, key, me, other, secret};
use certs::Verified;
use certs::ablation::{MARKER, marker};
use certs::block::dangerously_verified;
use certs::chunk::{HeaderLimits, HeaderVerifier};
use certs::receipt::{Accumulator, ReceiptCheck, ReceiptKey, StripeDigests};
use certs::seal::ChunkSealer;
use certs::x509::Member;
use wire::{Epoch, Rendition, Sequence, Stripe};

#[test]
fn the_build_says_that_controls_can_be_taken_out() {
    const { assert!(certs::ABLATION) };
    assert_eq!(marker(), MARKER);
}

#[test]
fn a_verifier_without_its_control_takes_forged_headers() {
    let world = World::new();
    let chunk = world.media(100);
    let forged = certs::sign(&key(9), &chunk.header.clone().into_inner());
    let limits = HeaderLimits::default();
    assert!(
        HeaderVerifier::new(&world.run, limits)
            .verify(&forged)
            .is_err()
    );
    let mut ablated = HeaderVerifier::dangerously_accept_any(&world.run, limits);
    assert_eq!(ablated.verify(&forged).unwrap(), chunk.header);
}

#[test]
fn assumed_values_look_like_verified_ones() {
    let world = World::new();
    let permit = world.permit_value();
    let assumed = Verified::dangerously_assume(permit.clone());
    let signed = altered(&certs::sign(&world.permit, &permit), 10_000);
    assert_eq!(Verified::dangerously_unsigned(&signed).unwrap(), assumed);
    let mut batched = certs::permit::sign(&world.permit, &permit);
    batched.signature = [0; 64];
    assert_eq!(Verified::dangerously_unproven(&batched).unwrap(), assumed);
    assert!(assumed.expiry > NOW);
}

#[test]
fn a_block_without_its_control_is_any_bytes() {
    let chunk = World::new().media(100);
    let block = dangerously_verified(&chunk.header, 0);
    let honest = certs::block::verify(&chunk.header, 0, &chunk.paths[0], &chunk.blocks[0]);
    assert_eq!(block, honest.unwrap());
}

#[test]
fn a_sealer_without_its_control_repeats_its_key_stream() {
    let sealed = || {
        let mut buffer = vec![0; 32];
        ChunkSealer::dangerously_unscoped(&secret())
            .unwrap()
            .seal(Sequence(1), b"", &mut buffer)
            .unwrap();
        buffer
    };
    assert_eq!(sealed(), sealed());
}

#[test]
fn receipts_and_members_are_believed_on_their_word() {
    let world = World::new();
    let mut viewer = Accumulator::new(world.scope(), me(), other(), Stripe(0), Rendition(0));
    let key = ReceiptKey::new([6; 32]);
    let mut receipt = viewer.finish(0, Epoch(0), &key).unwrap();
    receipt.in_time = wire::message::receipt::Bitmap::new(vec![5u8]).unwrap();
    let chunk = world.media(100);
    let digests = StripeDigests::new(&chunk.header, &chunk.blocks).unwrap();
    let checked = |how: ReceiptCheck| how.check(&receipt, &world.run, &key, |_, _| Some(&digests));
    let refusal = checked(ReceiptCheck::default()).unwrap_err();
    assert_eq!(refusal.reason(), "receipt_mac_invalid");
    let counted = checked(ReceiptCheck::dangerously_believing()).unwrap();
    assert_eq!(counted.in_time(), [Sequence(0), Sequence(2)]);
    assert!(counted.bytes() > 0, "what is believed counts");
    let member = Member {
        spki: me(),
        serial: vec![1],
        not_after: NOW,
    };
    assert_eq!(Verified::dangerously_member(member).spki, me());
}
