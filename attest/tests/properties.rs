//! No byte of evidence can be changed, and no bytes make the verifier panic.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use attest::live::{Challenge, Connection, TlsSide};
use attest::offline::{verify_certificate, verify_release};
use attest::release::TrustRoot;
use attest::{Evidence, Status};
use common::{NOW, World};
use proptest::prelude::*;
use wire::codec::{Blob, List};
use wire::message::live::Response;
use wire::{Digest, Nonce, SpkiHash};

#[test]
fn every_single_byte_change_of_the_evidence_is_refused() {
    let world = World::default();
    let genuine = world.evidence().to_extension();
    assert!(
        world
            .verdict_on(&world.certificate(genuine.clone()))
            .is_ok()
    );
    for position in 0..genuine.len() {
        // Low bit, high bit, all bits: varint forms, signs and letters' case.
        for mask in [0x01, 0x20, 0x80, 0xff] {
            let mut changed = genuine.clone();
            changed[position] ^= mask;
            let verdict = world.verdict_on(&world.certificate(changed));
            assert!(verdict.is_err(), "byte {position} ^ {mask:#x} was accepted");
        }
    }
}

#[test]
fn every_truncation_and_extension_of_the_evidence_is_refused() {
    let world = World::default();
    let genuine = world.evidence().to_extension();
    for len in 0..genuine.len() {
        assert!(Evidence::from_extension(&genuine[..len]).is_err());
    }
    let mut longer = genuine;
    longer.push(0);
    assert!(Evidence::from_extension(&longer).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_are_never_evidence(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Evidence::from_extension(&bytes).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_never_a_certificate_release_or_root(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
    ) {
        let world = World::default();
        let roots = world.roots();
        let verdict = verify_certificate(&bytes, &roots, &world.policy, NOW);
        prop_assert_ne!(verdict.status, Status::Verified);
        let verdict = verify_release(&bytes, None, &roots, &world.policy, NOW);
        prop_assert_ne!(verdict.status, Status::Verified);
        prop_assert!(TrustRoot::parse(&bytes).is_err());
    }

    #[test]
    fn a_changed_release_file_is_never_the_certified_one(
        position in any::<prop::sample::Index>(), mask in 1u8..,
    ) {
        let world = World::default();
        let evidence = world.changed(|evidence| {
            let mut json = evidence.release.to_vec();
            let position = position.index(json.len());
            json[position] ^= mask;
            evidence.release = Blob::new(json).unwrap();
        });
        prop_assert!(world.verdict(&evidence).is_err());
    }

    #[test]
    fn arbitrary_answers_never_hold(
        index in any::<u16>(), count in any::<u16>(),
        path in proptest::collection::vec(any::<[u8; 32]>(), 0..=10),
        quote in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let world = World::default();
        let connection = Connection {
            exporter: [1; 32],
            own: SpkiHash([2; 32]),
            peer: world.spki(),
            peer_side: TlsSide::Server,
        };
        let response = Response {
            index,
            count,
            path: List::new(path.into_iter().map(Digest).collect()).unwrap(),
            quote: Blob::new(quote).unwrap(),
        };
        let challenge = Challenge::new(Nonce([3; 32]), 0);
        let verdict = challenge.verify(&response, &connection, &world.appraised(), &world.policy, 1);
        prop_assert!(verdict.is_err());
    }
}
