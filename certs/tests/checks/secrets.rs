use crate::world::{World, me, other, secret};
use certs::bundle::{MemberSecrets, SealingKeyPair, open, seal};
use certs::receipt::ReceiptKey;
use certs::seal::EpochSecret;
use certs::{Error, SigningKey, invite_proof};
use ring::rand::SystemRandom;
use wire::invite::AudienceSecret;
use wire::{Epoch, Nonce, Scope, SpkiHash};

fn member_secrets() -> MemberSecrets {
    MemberSecrets {
        epoch: Epoch(3),
        epoch_secret: secret(),
        receipt_key: ReceiptKey::new([6; 32]),
    }
}

#[test]
fn a_bundle_opens_for_its_member_alone() {
    let world = World::new();
    let rng = SystemRandom::new();
    let pair = SealingKeyPair::generate(&rng).unwrap();
    let sealed = seal(
        &member_secrets(),
        &pair.public(),
        &world.scope(),
        &me(),
        &rng,
    )
    .unwrap();
    let opened = open(&sealed, &pair, &world.scope(), &me()).unwrap();
    assert_eq!(opened.epoch, Epoch(3));
    assert_eq!(opened.epoch_secret.expose(), secret().expose());
    assert_eq!(opened.receipt_key.expose(), &[6; 32]);
    let stranger = SealingKeyPair::generate(&rng).unwrap();
    let refused = |scope: Scope, member: SpkiHash, pair: &SealingKeyPair| {
        open(&sealed, pair, &scope, &member).unwrap_err()
    };
    let invalid = Error::BundleInvalid;
    assert_eq!(refused(world.scope(), me(), &stranger), invalid);
    assert_eq!(refused(world.scope(), other(), &pair), invalid);
    assert_eq!(refused(world.other_run(), me(), &pair), invalid);
    assert_eq!(refused(world.other_stream(), me(), &pair), invalid);
}

#[test]
fn refuses_every_single_altered_or_missing_byte_of_a_bundle() {
    let world = World::new();
    let rng = SystemRandom::new();
    let pair = SealingKeyPair::generate(&rng).unwrap();
    let sealed = seal(
        &member_secrets(),
        &pair.public(),
        &world.scope(),
        &me(),
        &rng,
    )
    .unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.to_vec();
        changed[at] ^= 1;
        assert!(
            open(&changed, &pair, &world.scope(), &me()).is_err(),
            "byte {at}"
        );
        assert!(open(&sealed[..at], &pair, &world.scope(), &me()).is_err());
    }
}

#[test]
fn two_bundles_never_look_alike() {
    let world = World::new();
    let rng = SystemRandom::new();
    let pair = SealingKeyPair::generate(&rng).unwrap();
    let make = || {
        seal(
            &member_secrets(),
            &pair.public(),
            &world.scope(),
            &me(),
            &rng,
        )
        .unwrap()
    };
    assert_ne!(make(), make());
}

#[test]
fn refuses_a_sealing_key_of_low_order() {
    let world = World::new();
    let rng = SystemRandom::new();
    let result = seal(&member_secrets(), &[0; 32], &world.scope(), &me(), &rng);
    assert_eq!(result.unwrap_err(), Error::SealingKeyInvalid);
}

#[test]
fn fresh_keys_differ() {
    let rng = SystemRandom::new();
    let signing = || SigningKey::generate(&rng).unwrap().public();
    assert_ne!(signing(), signing());
    let epoch = || *EpochSecret::generate(&rng).unwrap().expose();
    assert_ne!(epoch(), epoch());
    let receipt = || *ReceiptKey::generate(&rng).unwrap().expose();
    assert_ne!(receipt(), receipt());
}

#[test]
fn member_secrets_are_never_printed() {
    let text = format!("{:?}", member_secrets());
    assert!(text.contains("epoch_secret: [redacted]"), "{text}");
    assert!(text.contains("receipt_key: [redacted]"), "{text}");
    let pair = SealingKeyPair::from_seed(&[1; 32]);
    assert_eq!(format!("{pair:?}"), "[redacted]");
}

#[test]
fn an_invites_proof_holds_on_one_connection_for_one_member() {
    let invite = AudienceSecret::new([7; 32]);
    let (exporter, nonce) = ([8; 32], Nonce([9; 32]));
    let proof = invite_proof::prove(&invite, &exporter, &nonce, &me());
    let check = |secret: u8, exporter: u8, nonce: u8, member: SpkiHash| {
        let secret = AudienceSecret::new([secret; 32]);
        invite_proof::verify(
            &secret,
            &[exporter; 32],
            &Nonce([nonce; 32]),
            &member,
            &proof,
        )
    };
    assert_eq!(check(7, 8, 9, me()), Ok(()));
    let refused = Err(Error::InviteInvalid);
    assert_eq!(check(1, 8, 9, me()), refused);
    assert_eq!(check(7, 1, 9, me()), refused);
    assert_eq!(check(7, 8, 1, me()), refused);
    assert_eq!(check(7, 8, 9, other()), refused);
}

#[test]
fn refuses_every_single_altered_byte_of_an_invites_proof() {
    let invite = AudienceSecret::new([7; 32]);
    let nonce = Nonce([9; 32]);
    let proof = invite_proof::prove(&invite, &[8; 32], &nonce, &me());
    for at in 0..32 {
        let mut changed = proof;
        changed.0[at] ^= 1;
        let result = invite_proof::verify(&invite, &[8; 32], &nonce, &me(), &changed);
        assert_eq!(result, Err(Error::InviteInvalid));
    }
}

#[test]
fn refuses_an_exporter_of_zeros() {
    let invite = AudienceSecret::new([7; 32]);
    let nonce = Nonce([9; 32]);
    let proof = invite_proof::prove(&invite, &[0; 32], &nonce, &me());
    let result = invite_proof::verify(&invite, &[0; 32], &nonce, &me(), &proof);
    assert_eq!(result, Err(Error::InviteInvalid));
}
