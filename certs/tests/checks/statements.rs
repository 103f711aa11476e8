use crate::world::{NOW, World, key, me, order, other, spki};
use certs::permit::{Expect, Role};
use certs::{Error, asking, beacon, claim, introduction, join_reply, permit, revocation, sign};
use wire::codec::Text;
use wire::statement::{
    Ask, CapacityClaim, Cause, Grant, HeadBeacon, Introduction, JoinReply, Permit, PermitKind,
    Revocation, Signed, Step,
};
use wire::{AskId, Digest, Encode, Epoch, Nonce, Rendition, Sequence, Statement, UnixMs};

fn expect() -> Expect {
    Expect {
        me: me(),
        other: other(),
        role: Role::Child,
        kind: PermitKind::Push,
        epoch_min: Epoch(0),
    }
}

fn check_permit(change: impl Fn(&World, &mut Permit)) -> Result<(), Error> {
    let world = World::new();
    let mut value = world.permit_value();
    change(&world, &mut value);
    let batch = permit::sign_batch(&world.permit, &[world.permit_value(), value]);
    permit::verify(&batch[1], &world.run, &expect(), NOW).map(|_| ())
}

#[test]
fn accepts_a_permit_at_both_of_its_ends() {
    let world = World::new();
    let signed = permit::sign(&world.permit, &world.permit_value());
    permit::verify(&signed, &world.run, &expect(), NOW).unwrap();
    let parent = Expect {
        me: other(),
        other: me(),
        role: Role::Parent,
        kind: PermitKind::Push,
        epoch_min: Epoch(0),
    };
    permit::verify(&signed, &world.run, &parent, NOW).unwrap();
}

#[test]
fn refuses_a_permit_by_any_other_of_the_runs_keys() {
    let world = World::new();
    for signer in [&world.stream, &world.ca, &world.chunk, &world.beacon] {
        let signed = permit::sign(signer, &world.permit_value());
        let result = permit::verify(&signed, &world.run, &expect(), NOW);
        assert_eq!(result.unwrap_err().reason(), "permit_signature_invalid");
    }
}

#[test]
fn refuses_a_permit_of_another_run_or_stream() {
    let run = check_permit(|world, permit| permit.scope = world.other_run());
    assert_eq!(run, Err(Error::PermitWrongRun));
    let stream = check_permit(|world, permit| permit.scope = world.other_stream());
    assert_eq!(stream, Err(Error::PermitWrongRun));
}

#[test]
fn refuses_a_permit_for_another_edge() {
    let wrong = Err(Error::PermitWrongEdge);
    assert_eq!(check_permit(|_, permit| permit.parent = spki(77)), wrong);
    assert_eq!(check_permit(|_, permit| permit.child = spki(77)), wrong);
    let turned = check_permit(|_, permit| {
        (permit.parent, permit.child) = (permit.child, permit.parent);
    });
    assert_eq!(turned, wrong);
}

#[test]
fn refuses_an_edge_from_a_node_to_itself() {
    let world = World::new();
    let mut value = world.permit_value();
    value.parent = me();
    let expect = Expect {
        other: me(),
        ..expect()
    };
    let result = permit::verify(
        &permit::sign(&world.permit, &value),
        &world.run,
        &expect,
        NOW,
    );
    assert_eq!(result.unwrap_err(), Error::PermitWrongEdge);
}

#[test]
fn leave_to_pull_is_none_to_push() {
    let wrong = Err(Error::PermitWrongKind);
    let pulls = check_permit(|_, permit| permit.kind = PermitKind::Repair);
    assert_eq!(pulls, wrong);
}

#[test]
fn refuses_a_permit_of_an_earlier_epoch() {
    let world = World::new();
    let expect = Expect {
        epoch_min: Epoch(1),
        ..expect()
    };
    let signed = permit::sign(&world.permit, &world.permit_value());
    let result = permit::verify(&signed, &world.run, &expect, NOW);
    assert_eq!(result.unwrap_err().reason(), "permit_epoch_old");
}

#[test]
fn refuses_a_permit_for_stripes_that_the_run_does_not_have() {
    let beyond = check_permit(|_, permit| permit.stripes = wire::Stripe(1).into());
    assert_eq!(beyond.unwrap_err().reason(), "permit_stripes_unknown");
    let world = World::striped(4, 1);
    let mut value = world.permit_value();
    for (stripes, good) in [
        ((0..5), true),
        ((2..3), true),
        ((0..6), false),
        ((5..6), false),
    ] {
        value.stripes = stripes.map(wire::Stripe).collect();
        let result = permit::verify(
            &permit::sign(&world.permit, &value),
            &world.run,
            &expect(),
            NOW,
        );
        assert_eq!(result.is_ok(), good, "{:?}", value.stripes);
    }
}

#[test]
fn refuses_a_permit_outside_its_time() {
    let expired = check_permit(|_, permit| permit.expiry = NOW);
    assert_eq!(expired.unwrap_err().reason(), "permit_expired");
    let long = check_permit(|_, permit| permit.expiry = permit.issued.plus_ms(300_001));
    assert_eq!(long, Err(Error::PermitLifeTooLong));
    let early = check_permit(|_, permit| {
        permit.issued = NOW.plus_ms(60_001);
        permit.expiry = NOW.plus_ms(100_000);
    });
    assert_eq!(early, Err(Error::PermitNotYetValid));
    assert_eq!(
        check_permit(|_, permit| permit.expiry = permit.issued.plus_ms(300_000)),
        Ok(())
    );
}

#[test]
fn refuses_a_permit_after_the_runs_end() {
    let world = World::new();
    let mut value = world.permit_value();
    value.issued = world.run.end;
    value.expiry = world.run.end.plus_ms(1000);
    let signed = permit::sign(&world.permit, &value);
    let result = permit::verify(&signed, &world.run, &expect(), world.run.end);
    assert_eq!(result.unwrap_err(), Error::RunExpired);
}

#[test]
fn every_permit_error_tells_the_other_end_the_same() {
    for error in Error::NAMED {
        if error.reason().starts_with("permit_") {
            assert_eq!(error.wire_reason(), wire::Reason::PermitInvalid);
        }
    }
}

#[test]
fn checks_revocations() {
    let world = World::new();
    let value = Revocation {
        scope: world.scope(),
        member: other(),
        issued: NOW,
    };
    let good = revocation::verify(&sign(&world.permit, &value), &world.run).unwrap();
    assert_eq!(good.member, other());
    let forged = revocation::verify(&sign(&key(9), &value), &world.run);
    assert_eq!(forged.unwrap_err(), Error::RevocationSignatureInvalid);
    let elsewhere = Revocation {
        scope: world.other_run(),
        ..value
    };
    let replayed = revocation::verify(&sign(&world.permit, &elsewhere), &world.run);
    assert_eq!(replayed.unwrap_err(), Error::RevocationWrongRun);
}

fn ask(world: &World) -> Ask {
    Ask {
        scope: world.scope(),
        ask: AskId(5),
        member: me(),
        cause: Cause::Join,
        step: Step::Leaves,
        deficit_bps: 14_000_000,
        viewers_short: 2,
        rounds_wanted: 1,
        deadline_ms: 20_000,
        issued: NOW,
        regions: wire::codec::List::default(),
    }
}

#[test]
fn checks_asks() {
    let world = World::new();
    let check = |value: &Ask, now| {
        asking::verify_ask(&sign(&world.permit, value), &world.run, &me(), now).map(|_| ())
    };
    let value = ask(&world);
    assert_eq!(check(&value, NOW), Ok(()));
    let mut changed = value.clone();
    changed.member = other();
    assert_eq!(check(&changed, NOW), Err(Error::AskWrongMember));
    changed = value.clone();
    changed.scope = world.other_run();
    assert_eq!(check(&changed, NOW), Err(Error::AskWrongRun));
    assert_eq!(check(&value, NOW.plus_ms(80_000)), Ok(()));
    let late = check(&value, NOW.plus_ms(80_001));
    assert_eq!(late, Err(Error::AskExpired));
    let early = check(&value, UnixMs(NOW.0 - 60_001));
    assert_eq!(early, Err(Error::ClockOff));
    let forged = asking::verify_ask(&sign(&key(9), &value), &world.run, &me(), NOW);
    assert_eq!(forged.unwrap_err(), Error::AskSignatureInvalid);
}

#[test]
fn checks_grants() {
    let world = World::new();
    let value = Grant {
        scope: world.scope(),
        ask: AskId(5),
        member: me(),
        expiry: NOW.plus_ms(10_000),
    };
    let check = |value: &Grant, ask, now| {
        let signed = sign(&world.permit, value);
        asking::verify_grant(&signed, &world.run, &me(), AskId(ask), now).map(|_| ())
    };
    assert_eq!(check(&value, 5, NOW), Ok(()));
    assert_eq!(check(&value, 6, NOW), Err(Error::GrantWrongAsk));
    let over = check(&value, 5, NOW.plus_ms(10_000));
    assert_eq!(over, Err(Error::GrantExpired));
    let mut changed = value.clone();
    changed.member = other();
    assert_eq!(check(&changed, 5, NOW), Err(Error::GrantWrongMember));
    changed = value.clone();
    changed.scope = world.other_stream();
    assert_eq!(check(&changed, 5, NOW), Err(Error::GrantWrongRun));
    let forged = asking::verify_grant(&sign(&key(9), &value), &world.run, &me(), AskId(5), NOW);
    assert_eq!(forged.unwrap_err(), Error::GrantSignatureInvalid);
}

#[test]
fn an_ask_is_no_grant_though_one_key_signs_both() {
    let world = World::new();
    let signed = sign(&world.permit, &ask(&world));
    let relabelled: Signed<Grant> =
        Signed::from_parts(signed.body().clone(), *signed.signature()).unwrap();
    let result = asking::verify_grant(&relabelled, &world.run, &me(), AskId(5), NOW);
    assert_eq!(result.unwrap_err(), Error::GrantSignatureInvalid);
}

#[test]
fn checks_join_replies() {
    let world = World::new();
    let value = JoinReply {
        scope: world.scope(),
        nonce: Nonce([8; 32]),
        member: me(),
        head: None,
        header: Digest([0; 32]),
        issued: NOW,
    };
    let check = |value: &JoinReply, now| {
        let signed = sign(&world.permit, value);
        join_reply::verify(&signed, &world.run, &Nonce([8; 32]), &me(), now).map(|_| ())
    };
    assert_eq!(check(&value, NOW), Ok(()));
    let mut changed = value.clone();
    changed.nonce = Nonce([9; 32]);
    assert_eq!(check(&changed, NOW), Err(Error::JoinReplyWrongNonce));
    changed = value.clone();
    changed.member = other();
    assert_eq!(check(&changed, NOW), Err(Error::JoinReplyWrongMember));
    changed = value.clone();
    changed.scope = world.other_run();
    assert_eq!(check(&changed, NOW), Err(Error::JoinReplyWrongRun));
    let ahead = check(&value, NOW.plus_ms(60_001));
    assert_eq!(ahead.unwrap_err().reason(), "clock_off");
    let behind = check(&value, UnixMs(NOW.0 - 60_001));
    assert_eq!(behind, Err(Error::ClockOff));
    let signed = sign(&key(9), &value);
    let forged = join_reply::verify(&signed, &world.run, &Nonce([8; 32]), &me(), NOW);
    assert_eq!(forged.unwrap_err(), Error::JoinReplySignatureInvalid);
}

#[test]
fn checks_beacons() {
    let world = World::new();
    let value = HeadBeacon {
        scope: world.scope(),
        rendition: Rendition(0),
        head: Sequence(3),
        header: Digest([1; 32]),
        now: NOW,
    };
    let check =
        |value: &HeadBeacon| beacon::verify(&sign(&world.beacon, value), &world.run).map(|_| ());
    assert_eq!(check(&value), Ok(()));
    let mut changed = value.clone();
    changed.scope = world.other_run();
    assert_eq!(check(&changed), Err(Error::BeaconWrongRun));
    changed = value.clone();
    changed.now = world.run.end.plus_ms(1);
    assert_eq!(check(&changed), Err(Error::BeaconTimeInvalid));
    changed.now = UnixMs(world.run.start.0 - 1);
    assert_eq!(check(&changed), Err(Error::BeaconTimeInvalid));
    let forged = beacon::verify(&sign(&world.permit, &value), &world.run);
    assert_eq!(forged.unwrap_err(), Error::BeaconSignatureInvalid);
}

#[test]
fn checks_capacity_claims() {
    let world = World::new();
    let node = key(100);
    let value = CapacityClaim {
        scope: world.scope(),
        node: me(),
        upload_bps: 20_000_000,
        issued: NOW,
    };
    let check = |value: &CapacityClaim| {
        claim::verify(&sign(&node, value), &world.run, &node.public(), NOW).map(|_| ())
    };
    assert_eq!(check(&value), Ok(()));
    let mut changed = value.clone();
    changed.node = other();
    assert_eq!(check(&changed), Err(Error::ClaimWrongNode));
    changed = value.clone();
    changed.scope = world.other_run();
    assert_eq!(check(&changed), Err(Error::ClaimWrongRun));
    changed = value.clone();
    changed.issued = NOW.plus_ms(60_001);
    assert_eq!(check(&changed), Err(Error::ClockOff));
    let forged = claim::verify(&sign(&key(101), &value), &world.run, &node.public(), NOW);
    assert_eq!(forged.unwrap_err(), Error::ClaimSignatureInvalid);
}

fn introduced(world: &World) -> Introduction {
    Introduction {
        scope: world.scope(),
        order: certs::order::id(&order()),
        relay: spki(60),
        sponsor: me(),
        address: Text::new("127.0.0.9:4433").unwrap(),
        issued: NOW,
    }
}

#[test]
fn checks_introductions_against_order_and_sponsor() {
    let world = World::new();
    let holder = key(50);
    let check = |value: &Introduction| {
        introduction::verify(&sign(&holder, value), &world.run, &order(), Some(&me()))
    };
    let value = introduced(&world);
    let good = check(&value).unwrap();
    introduction::admits(&good, &spki(60)).unwrap();
    let stranger = introduction::admits(&good, &spki(61)).unwrap_err();
    assert_eq!(stranger.reason(), "spki_not_admitted");
    assert_eq!(stranger.wire_reason(), wire::Reason::SpkiNotAdmitted);
    let mut changed = value.clone();
    changed.order.0[0] ^= 1;
    assert_eq!(check(&changed).unwrap_err(), Error::IntroductionWrongOrder);
    changed = value.clone();
    changed.sponsor = other();
    assert_eq!(
        check(&changed).unwrap_err(),
        Error::IntroductionWrongSponsor
    );
    changed = value.clone();
    changed.scope = world.other_run();
    assert_eq!(check(&changed).unwrap_err(), Error::IntroductionWrongRun);
}

#[test]
fn refuses_an_introduction_by_anybody_but_the_holder() {
    let world = World::new();
    for seed in [1, 4, 51, 60] {
        let signed = sign(&key(seed), &introduced(&world));
        let result = introduction::verify(&signed, &world.run, &order(), None);
        assert_eq!(result.unwrap_err(), Error::IntroductionSignatureInvalid);
    }
}

#[test]
fn refuses_signed_bytes_that_do_not_decode() {
    let world = World::new();
    let revocation = Revocation {
        scope: world.scope(),
        member: other(),
        issued: NOW,
    };
    let mut body = revocation.to_bytes();
    body.push(0);
    let message = wire::statement::signed_string(Revocation::LABEL, &body);
    let signed = Signed::<Revocation>::from_parts(body, world.permit.sign_raw(&message)).unwrap();
    let result = revocation::verify(&signed, &world.run);
    assert_eq!(result.unwrap_err().reason(), "statement_malformed");
}

#[test]
fn largest_statements_fit_their_bounds() {
    let world = World::new();
    let mut scope = world.scope();
    scope.epoch = Epoch(u64::MAX);
    let mut permit = world.permit_value();
    permit.scope = scope.clone();
    permit.serial = u64::MAX;
    permit.stripes = (0..16).map(wire::Stripe).collect();
    permit.rendition = Rendition(u8::MAX);
    permit.parent_order = Some(certs::order::id(&order()));
    permit.child_order = Some(certs::order::id(&order()));
    permit.byte_budget = u64::MAX;
    fits(&permit);
    let mut batched = certs::permit::sign(&world.permit, &permit);
    batched.body = wire::codec::Blob::new(vec![0; Permit::BODY_BYTES_MAX]).unwrap();
    let longest = vec![Digest([0; 32]); wire::limits::PERMIT_PATH_MAX];
    batched.path = wire::codec::List::new(longest).unwrap();
    (batched.count, batched.index) = (u16::MAX, u16::MAX);
    let held = wire::statement::Held {
        permit: batched,
        stripes: permit.stripes,
    };
    fits(&wire::statement::Holding {
        scope: scope.clone(),
        member: me(),
        nonce: Nonce([8; 32]),
        edges: wire::codec::List::new(vec![held; wire::limits::HELD_EDGES_MAX]).unwrap(),
        issued: UnixMs(u64::MAX),
    });
    let mut asked = ask(&world);
    asked.scope = scope.clone();
    asked.ask = AskId(u64::MAX);
    asked.deficit_bps = u64::MAX;
    asked.viewers_short = u32::MAX;
    asked.rounds_wanted = u32::MAX;
    asked.deadline_ms = u64::MAX;
    fits(&asked);
    let mut introduction = introduced(&world);
    introduction.scope = scope.clone();
    introduction.address = Text::new("x".repeat(64)).unwrap();
    fits(&introduction);
    let reply = JoinReply {
        scope: scope.clone(),
        nonce: Nonce([8; 32]),
        member: me(),
        head: Some(Sequence(u64::MAX)),
        header: Digest([0; 32]),
        issued: UnixMs(u64::MAX),
    };
    fits(&reply);
    let mut header = world.media(10).header.into_inner();
    header.scope = scope;
    header.rendition = Rendition(u8::MAX);
    (header.sequence, header.init_sequence) = (Sequence(u64::MAX), Sequence(u64::MAX));
    (header.time_us, header.duration_us) = (u64::MAX, u64::MAX);
    header.layout.block_len = u32::MAX;
    header.layout.chunk_len = u32::MAX;
    (header.layout.k, header.layout.m) = (u8::MAX, u8::MAX);
    fits(&header);
}

fn fits<T: Statement>(value: &T) {
    let signed = sign(&key(1), value);
    assert!(signed.body().len() <= T::BODY_BYTES_MAX);
}
