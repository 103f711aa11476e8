//! What a member says that it has, when its coordinator was away.

use crate::world::{NOW, World, altered, key, me, other, spki};
use certs::holding::{HeldEdge, verify};
use certs::{Error, sign};
use wire::codec::List;
use wire::statement::{BatchedPermit, Held, Holding, Permit};
use wire::{Nonce, PublicKey, Signed, Stripe, StripeSet, UnixMs};

const NONCE: Nonce = Nonce([8; 32]);

fn holding(world: &World, permits: &[Permit]) -> Holding {
    let held = |permit: &Permit| Held {
        permit: certs::permit::sign(&world.permit, permit),
        stripes: StripeSet::ALL,
    };
    Holding {
        scope: world.scope(),
        member: me(),
        nonce: NONCE,
        edges: List::new(permits.iter().map(held).collect()).unwrap(),
        issued: NOW,
    }
}

fn my_key() -> PublicKey {
    key(100).public()
}

fn check(world: &World, signed: &Signed<Holding>) -> Result<Vec<HeldEdge>, Error> {
    verify(signed, &world.run, &my_key(), &NONCE, NOW)
}

fn signed(holding: &Holding) -> Signed<Holding> {
    sign(&key(100), holding)
}

#[test]
fn the_edges_that_the_coordinator_permitted_count_and_no_other_stripes() {
    let world = World::new();
    let good = world.permit_value();
    let mut over = good.clone();
    (over.parent, over.expiry) = (spki(102), UnixMs(NOW.0));
    let edges = check(&world, &signed(&holding(&world, &[good, over]))).unwrap();
    let only = HeldEdge {
        parent: other(),
        stripes: Stripe(0).into(),
    };
    assert_eq!(
        edges,
        [only],
        "neither an expired one nor more than permitted"
    );
}

#[test]
fn each_wrong_holding_is_refused_by_name() {
    let world = World::new();
    let good = holding(&world, &[world.permit_value()]);
    let refused = |change: &dyn Fn(&mut Holding)| {
        let mut wrong = good.clone();
        change(&mut wrong);
        check(&world, &signed(&wrong)).unwrap_err()
    };
    assert_eq!(
        refused(&|h| h.scope = world.other_run()),
        Error::HoldingWrongRun
    );
    assert_eq!(refused(&|h| h.member = other()), Error::HoldingWrongMember);
    assert_eq!(
        refused(&|h| h.nonce = Nonce([9; 32])),
        Error::HoldingWrongNonce
    );
    let foreign = sign(&key(101), &good);
    assert_eq!(
        check(&world, &foreign).unwrap_err(),
        Error::HoldingSignatureInvalid
    );
    let len = signed(&good).body().len() + 64;
    for at in 0..len {
        let refusal = check(&world, &altered(&signed(&good), at)).unwrap_err();
        assert_eq!(refusal, Error::HoldingSignatureInvalid, "{at}");
    }
}

/// A member cannot make itself a place: its permits are the coordinator's.
#[test]
fn a_permit_that_is_not_the_coordinators_or_not_the_members_is_refused() {
    let world = World::new();
    let with = |held: Held| {
        let mut wrong = holding(&world, &[]);
        wrong.edges = List::new(vec![held]).unwrap();
        check(&world, &signed(&wrong)).unwrap_err()
    };
    let held = |permit: BatchedPermit| Held {
        permit,
        stripes: StripeSet::ALL,
    };
    let value = world.permit_value();
    let forged = held(certs::permit::sign(&key(100), &value));
    assert_eq!(with(forged), Error::PermitSignatureInvalid);
    let mut others = value.clone();
    others.child = spki(103);
    let others = held(certs::permit::sign(&world.permit, &others));
    assert_eq!(with(others), Error::PermitWrongEdge);
    let mut as_parent = value;
    (as_parent.parent, as_parent.child) = (me(), other());
    let as_parent = held(certs::permit::sign(&world.permit, &as_parent));
    assert_eq!(with(as_parent), Error::PermitWrongEdge);
}
