#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::controls::Controls;
use super::super::coordinator::Event;
use super::super::scene::coordinator;
use super::*;
use crate::test_relay::{Cloud, TestRelay};
use std::time::Duration;
use wire::PublicKey;
use wire::message::control::{Addresses, Admission, Certificate, Name, Ready, Up};
use wire::statement::{CapacityClaim, Introduction};

const SPONSOR: SpkiHash = SpkiHash([4; 32]);
const CHILD: SpkiHash = SpkiHash([5; 32]);

/// A run with a relay that hung under the station, and a viewer under that.
fn saved(coordinator: &Coordinator, relay: &TestRelay) -> Saved {
    let introduction = Introduction {
        scope: coordinator.keys.scope(),
        order: certs::order::id(&relay.order),
        relay: relay.spki,
        sponsor: SPONSOR,
        address: Text::new(relay.address.to_string()).unwrap(),
        issued: coordinator.clock.unix(),
    };
    let admission = Admission {
        order: relay.order.clone(),
        introduction: certs::sign(&relay.holder, &introduction),
    };
    let member = |spki, kind, admission: Option<Admission>| SavedMember {
        spki,
        key: PublicKey([0; 32]),
        name: Name::new("one of before").unwrap(),
        kind,
        addresses: Addresses::default(),
        relay_only: false,
        never_ask: true,
        claim_bps: 10_000_000,
        sponsor: admission.is_some().then_some(SPONSOR),
        admission,
        lease_end: coordinator.clock.unix().plus_ms(3_600_000),
    };
    let edge = |child, parent| SavedEdge {
        child,
        parent,
        stripes: Stripe(0).into(),
    };
    Saved {
        run: coordinator.keys.signed_run.clone(),
        keyring: coordinator.keys.keyring.clone(),
        certificate: Certificate::new(Vec::new()).unwrap(),
        lives: 1,
        epoch: coordinator.keys.epoch,
        bound: Text::default(),
        members: List::new(vec![
            member(relay.spki, NodeKind::Relay, Some(admission)),
            member(CHILD, NodeKind::Peer, None),
        ])
        .unwrap(),
        edges: List::new(vec![edge(1, 0), edge(2, 1)]).unwrap(),
        evicted: List::default(),
        shown_sponsors: List::default(),
        grants: List::default(),
        rounds: List::default(),
    }
}

fn parents(coordinator: &Coordinator, node: SpkiHash) -> Vec<Option<SpkiHash>> {
    coordinator.planner.node(node).unwrap().parents
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_of_before_is_called_verified_and_gets_its_place_and_edges() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::new();
    let relay = TestRelay::start(&cloud);
    let (mut coordinator, _publisher) = coordinator(folder.path(), Controls::default());
    let (events, mut inbox) = mpsc::unbounded_channel();
    (coordinator.events, coordinator.trust) = (events, cloud.trust());
    relay.greet(|key, node| {
        let claim = CapacityClaim {
            scope: coordinator.keys.scope(),
            node,
            upload_bps: 10_000_000,
            issued: coordinator.clock.unix(),
        };
        let claim = certs::sign(key, &claim);
        Up::Ready(Ready { claim })
    });
    let before = saved(&coordinator, &relay);
    coordinator.take_up(Some(before.clone()));
    coordinator.act();
    let me = coordinator.me;
    assert!(coordinator.away.has(relay.spki) && coordinator.away.has(CHILD));
    assert_eq!(parents(&coordinator, relay.spki), [Some(me)]);
    assert_eq!(parents(&coordinator, CHILD), [Some(relay.spki)]);
    assert!(
        !coordinator.node.has_edge(relay.spki, false),
        "nothing is ordered of who is away"
    );
    let ready = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            match inbox.recv().await {
                Some(event @ Event::RelayReady(_)) => return event,
                Some(_) => {}
                None => panic!("nobody calls the relay"),
            }
        }
    });
    coordinator.take(ready.await.unwrap());
    coordinator.act();
    assert!(!coordinator.away.has(relay.spki) && coordinator.away.has(CHILD));
    assert!(
        coordinator.node.has_edge(relay.spki, false),
        "its edge is made again"
    );
    assert_eq!(
        parents(&coordinator, CHILD),
        [Some(relay.spki)],
        "as it was"
    );
    let again = coordinator.snapshot().unwrap();
    // In the order of the nodes' keys, which are made anew each time.
    let edges = |saved: &Saved| {
        let mut edges = saved.edges.iter().cloned().collect::<Vec<_>>();
        edges.sort_by_key(|edge| edge.child);
        edges
    };
    assert_eq!(edges(&again), edges(&before));
    let names = |saved: &Saved| saved.members.iter().map(|m| m.spki).collect::<Vec<_>>();
    assert_eq!(names(&again), names(&before));
}

#[tokio::test]
async fn who_does_not_come_back_is_lost_after_his_time_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&Cloud::new());
    let (mut coordinator, _publisher) = coordinator(folder.path(), Controls::default());
    let mut before = saved(&coordinator, &relay);
    before.members = List::new(before.members.to_vec().split_off(1)).unwrap();
    before.edges = List::default();
    coordinator.take_up(Some(before));
    coordinator.end_away();
    assert!(coordinator.members.contains_key(&CHILD));
    coordinator.away.note(CHILD, 0);
    coordinator.end_away();
    assert!(!coordinator.members.contains_key(&CHILD));
    assert!(coordinator.planner.node(CHILD).is_none());
}
