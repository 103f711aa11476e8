//! Permits in signed batches.

use crate::world::{NOW, World, me, other, spki};
use certs::Error;
use certs::permit::{Batches, Expect, Role, sign, sign_batch, verify};
use wire::codec::List;
use wire::limits::{PERMIT_BATCH_MAX, PERMIT_PATH_MAX};
use wire::statement::{BatchedPermit, Permit, PermitBytes, PermitKind};
use wire::{Digest, Encode, Epoch};

fn expect(child: u8) -> Expect {
    Expect {
        me: spki(child),
        other: other(),
        role: Role::Child,
        kind: PermitKind::Push,
        epoch_min: Epoch(0),
    }
}

/// Permits of the same parent for children 110, 111, ...
fn permits(world: &World, count: usize) -> Vec<Permit> {
    let permit = |n: usize| Permit {
        child: spki(110 + u8::try_from(n % 100).unwrap()),
        serial: n as u64,
        ..world.permit_value()
    };
    (0..count).map(permit).collect()
}

fn checked(world: &World, permit: &BatchedPermit, child: u8) -> Result<(), Error> {
    verify(permit, &world.run, &expect(child), NOW).map(|_| ())
}

#[test]
fn batches_of_any_size_are_proven() {
    let world = World::new();
    for count in (0..=20).chain([63, 64]) {
        let values = permits(&world, count);
        let batch = sign_batch(&world.permit, &values);
        assert_eq!(batch.len(), count);
        for (permit, value) in batch.iter().zip(&values) {
            assert_eq!(permit.body(), &value.to_bytes());
            let child = 110 + u8::try_from(value.serial).unwrap();
            assert_eq!(checked(&world, permit, child), Ok(()), "of {count}");
            assert!(permit.path.len() <= PERMIT_PATH_MAX);
        }
    }
}

#[test]
fn a_permit_alone_is_a_batch_of_one() {
    let world = World::new();
    let value = world.permit_value();
    let batch = sign_batch(&world.permit, std::slice::from_ref(&value));
    assert_eq!(batch, [sign(&world.permit, &value)]);
}

#[test]
fn one_signature_is_made_and_checked_for_many_permits() {
    let world = World::new();
    let count = 10 * PERMIT_BATCH_MAX;
    let batch = sign_batch(&world.permit, &permits(&world, count));
    let signatures: std::collections::BTreeSet<_> = batch.iter().map(|p| p.signature).collect();
    assert_eq!(signatures.len(), 10);
    let mut batches = Batches::new();
    for (n, permit) in batch.iter().enumerate() {
        let child = 110 + u8::try_from(n % 100).unwrap();
        let good = batches.verify(permit, &world.run, &expect(child), NOW);
        assert_eq!(good.map(|p| p.serial), Ok(n as u64));
    }
    assert_eq!(batches.checked(), 10);
}

#[test]
fn a_batch_that_is_known_says_nothing_for_other_bytes() {
    let world = World::new();
    let batch = sign_batch(&world.permit, &permits(&world, 5));
    let mut batches = Batches::new();
    batches
        .verify(&batch[2], &world.run, &expect(112), NOW)
        .unwrap();
    let wider = Permit {
        byte_budget: u64::MAX,
        ..permits(&world, 5)[2].clone()
    };
    let forged = BatchedPermit {
        body: PermitBytes::new(wider.to_bytes()).unwrap(),
        ..batch[2].clone()
    };
    let result = batches.verify(&forged, &world.run, &expect(112), NOW);
    assert_eq!(result.unwrap_err().reason(), "permit_signature_invalid");
    let mut signature = batch[2].signature;
    signature[3] ^= 1;
    let unsigned = BatchedPermit {
        signature,
        ..batch[2].clone()
    };
    let result = batches.verify(&unsigned, &world.run, &expect(112), NOW);
    assert_eq!(result.unwrap_err(), Error::PermitSignatureInvalid);
}

#[test]
fn known_batches_are_bounded() {
    let world = World::new();
    let mut batches = Batches::new();
    let most = certs::limits::PERMIT_BATCHES_MAX as u64;
    let permit = |serial| {
        let value = Permit {
            serial,
            ..world.permit_value()
        };
        sign(&world.permit, &value)
    };
    let expect = Expect {
        me: me(),
        ..expect(0)
    };
    for serial in (0..=most).chain([most, 0]) {
        batches
            .verify(&permit(serial), &world.run, &expect, NOW)
            .unwrap();
    }
    // The newest was known, the oldest had to be checked again.
    assert_eq!(batches.checked(), most + 2);
}

#[test]
fn refuses_every_single_altered_byte_of_a_batched_permit() {
    let world = World::new();
    let good = sign_batch(&world.permit, &permits(&world, 6))[4].clone();
    assert_eq!(checked(&world, &good, 114), Ok(()));
    for at in 0..good.body().len() {
        let mut body = good.body().to_vec();
        body[at] ^= 1;
        let body = PermitBytes::new(body).unwrap();
        let bent = BatchedPermit {
            body,
            ..good.clone()
        };
        let result = checked(&world, &bent, 114);
        assert_eq!(result, Err(Error::PermitSignatureInvalid), "byte {at}");
    }
    for at in 0..64 {
        let mut bent = good.clone();
        bent.signature[at] ^= 1;
        let result = checked(&world, &bent, 114);
        assert_eq!(result, Err(Error::PermitSignatureInvalid), "byte {at}");
    }
    for at in 0..good.path.len() {
        let mut path = good.path.to_vec();
        path[at].0[7] ^= 1;
        let path = List::new(path).unwrap();
        let bent = BatchedPermit {
            path,
            ..good.clone()
        };
        let result = checked(&world, &bent, 114);
        assert_eq!(result, Err(Error::PermitSignatureInvalid), "sibling {at}");
    }
}

#[test]
fn refuses_a_place_that_cannot_be() {
    let world = World::new();
    let good = sign_batch(&world.permit, &permits(&world, 6))[4].clone();
    for (index, count) in [(6, 6), (4, 0), (4, 4), (4, u16::MAX), (4, 65)] {
        let bent = BatchedPermit {
            index,
            count,
            ..good.clone()
        };
        let result = checked(&world, &bent, 114).unwrap_err();
        assert_eq!(result.reason(), "permit_proof_mismatch", "{index}/{count}");
    }
    for len in [0, 1, 3, 4, PERMIT_PATH_MAX] {
        let mut path = good.path.to_vec();
        path.resize(len, Digest([9; 32]));
        let bent = BatchedPermit {
            path: List::new(path).unwrap(),
            ..good.clone()
        };
        let result = checked(&world, &bent, 114);
        let mismatch = len != good.path.len();
        assert_eq!(result == Err(Error::PermitProofMismatch), mismatch, "{len}");
    }
    // Another place of the same tree is another leaf.
    for (index, count) in [(5, 6), (4, 5)] {
        let bent = BatchedPermit {
            index,
            count,
            ..good.clone()
        };
        assert!(checked(&world, &bent, 114).is_err(), "{index}/{count}");
    }
}

#[test]
fn a_signed_batch_is_no_other_statement_and_no_other_run_s() {
    let world = World::new();
    let value = world.permit_value();
    let statement = certs::sign(&world.permit, &value);
    let as_batch = BatchedPermit {
        signature: *statement.signature(),
        ..sign(&world.permit, &value)
    };
    let expect = Expect {
        me: me(),
        ..expect(0)
    };
    let result = verify(&as_batch, &world.run, &expect, NOW);
    assert_eq!(result.unwrap_err(), Error::PermitSignatureInvalid);
    let mut elsewhere = value;
    elsewhere.scope = world.other_run();
    // Signed as a batch of that run: this run's root does not come out.
    let result = verify(&sign(&world.permit, &elsewhere), &world.run, &expect, NOW);
    assert_eq!(result.unwrap_err(), Error::PermitSignatureInvalid);
    // In a batch of this run.
    let mixed = sign_batch(&world.permit, &[world.permit_value(), elsewhere]);
    let result = verify(&mixed[1], &world.run, &expect, NOW);
    assert_eq!(result.unwrap_err(), Error::PermitWrongRun);
}

#[test]
fn refuses_batched_bytes_that_do_not_decode() {
    let world = World::new();
    let mut body = world.permit_value().to_bytes();
    body.push(0);
    let signed = world.batch_of_one(body);
    let expect = Expect {
        me: me(),
        ..expect(0)
    };
    let result = verify(&signed, &world.run, &expect, NOW);
    assert_eq!(result.unwrap_err().reason(), "statement_malformed");
}
