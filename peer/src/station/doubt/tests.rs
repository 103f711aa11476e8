#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::controls::Controls;
use super::super::coordinator::Event;
use super::super::scene::{coordinator, enlist};
use super::*;
use link::NodeEvent;
use overlay::planner::{Peer, Relay};
use tokio::sync::mpsc;
use wire::codec::List;
use wire::message::control::{Down, EdgeReport, Empty, Name, NodeKind, NodeRef, Up};
use wire::statement::Permit;
use wire::{Decode, OrderId, Rendition, Stripe};

const RELAY: SpkiHash = SpkiHash([1; 32]);
const CHILD: SpkiHash = SpkiHash([2; 32]);

/// What somebody is told about edges, in short.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// An edge to make: parent, child.
    Edge(SpkiHash, SpkiHash),
    /// An edge to end, with this one.
    End(SpkiHash),
}

fn told(inbox: &mut mpsc::UnboundedReceiver<Down>) -> Vec<Told> {
    let mut all = Vec::new();
    while let Ok(message) = inbox.try_recv() {
        match message {
            Down::Edge(order) => {
                let permit = Permit::from_bytes(order.permit.body()).unwrap();
                all.push(Told::Edge(permit.parent, permit.child));
            }
            Down::EdgeEnd(end) => all.push(Told::End(end.other)),
            _ => {}
        }
    }
    all
}

/// A coordinator with one relay and a child under it, and their inboxes.
struct Scene {
    coordinator: Coordinator,
    child: mpsc::UnboundedReceiver<Down>,
    relay: mpsc::UnboundedReceiver<Down>,
    _data: tempfile::TempDir,
}

impl Scene {
    /// The station has a free slot once all edges are up.
    fn set() -> Self {
        let data = tempfile::tempdir().unwrap();
        let (mut coordinator, _publisher) = coordinator(data.path(), Controls::default());
        let station = coordinator.me;
        let child = enlist(&mut coordinator, CHILD, NodeKind::Peer);
        let relay = enlist(&mut coordinator, RELAY, NodeKind::Relay);
        let admitted = Relay {
            sponsor: SpkiHash([9; 32]),
            order: OrderId([1; 32]),
            edges: 4,
            lease_end_ms: 3_600_000,
        };
        let planner = &mut coordinator.planner;
        planner.relay_admitted(0, RELAY, admitted).unwrap();
        planner.join(0, CHILD, Peer::default()).unwrap();
        planner.edge_up(RELAY, station, Stripe(0));
        planner.edge_up(CHILD, RELAY, Stripe(0));
        planner.claim(0, station, 2).unwrap();
        coordinator.act();
        let mut scene = Self {
            coordinator,
            child,
            relay,
            _data: data,
        };
        assert_eq!(told(&mut scene.child), [Told::Edge(RELAY, CHILD)]);
        told(&mut scene.relay);
        scene
    }

    fn take(&mut self, event: Event) -> Vec<Told> {
        self.coordinator.take(event);
        self.coordinator.act();
        told(&mut self.child)
    }

    fn up(&mut self, message: Up) -> Vec<Told> {
        let from = CHILD;
        self.take(Event::Up { from, message })
    }
}

fn doubt(other: SpkiHash) -> Up {
    Up::EdgeDoubt(EdgeFailure {
        other,
        child: true,
        rendition: Rendition(0),
        reason: Reason::ChallengeUnanswered,
    })
}

#[tokio::test]
async fn a_child_in_doubt_gets_its_next_edge_first_and_the_old_ones_end_after() {
    let mut scene = Scene::set();
    let station = scene.coordinator.me;
    assert_eq!(scene.up(doubt(RELAY)), [Told::Edge(station, CHILD)]);
    let (other, child) = (station, true);
    let next = scene.up(Up::EdgeUp(EdgeReport {
        other,
        child,
        rendition: Rendition(0),
        stripes: Stripe(0).into(),
    }));
    assert_eq!(next, [Told::End(RELAY)]);
    assert_eq!(told(&mut scene.relay), [Told::End(CHILD)]);
    assert!(scene.coordinator.is_relay(RELAY), "one child's word is one");
}

#[tokio::test]
async fn the_children_of_a_member_that_goes_get_their_next_parent_first() {
    let mut scene = Scene::set();
    let station = scene.coordinator.me;
    let (from, message) = (RELAY, Up::Leaving(Empty {}));
    let moved = scene.take(Event::Up { from, message });
    assert_eq!(moved, [Told::Edge(station, CHILD)]);
    assert_eq!(told(&mut scene.relay), [], "it serves on");
    let (other, child) = (station, true);
    let next = scene.up(Up::EdgeUp(EdgeReport {
        other,
        child,
        rendition: Rendition(0),
        stripes: Stripe(0).into(),
    }));
    assert_eq!(next, [Told::End(RELAY)]);
    assert_eq!(told(&mut scene.relay), [Told::End(CHILD)]);
}

#[tokio::test]
async fn a_doubt_about_anybody_but_a_relay_moves_nobody() {
    let mut scene = Scene::set();
    let station = scene.coordinator.me;
    assert_eq!(scene.up(doubt(station)), []);
    assert_eq!(scene.up(doubt(CHILD)), []);
}

#[tokio::test]
async fn a_relay_that_is_silent_to_the_coordinator_is_emptied_first_and_then_lost() {
    let mut scene = Scene::set();
    let station = scene.coordinator.me;
    let relay = NodeRef {
        spki: RELAY,
        kind: NodeKind::Relay,
        name: Name::default(),
        addresses: List::default(),
        admission: None,
    };
    let silent = NodeEvent::RelayUnresponsive {
        relay,
        child: false,
    };
    assert_eq!(
        scene.take(Event::Node(silent)),
        [Told::Edge(station, CHILD)]
    );
    assert!(scene.coordinator.is_relay(RELAY), "not before its time");
    let (other, child) = (station, true);
    scene.up(Up::EdgeUp(EdgeReport {
        other,
        child,
        rendition: Rendition(0),
        stripes: Stripe(0).into(),
    }));
    scene.take(Event::Node(NodeEvent::EdgeDown {
        other: RELAY,
        child: false,
        rendition: Rendition(0),
        reason: Reason::ChallengeUnanswered,
        name: Reason::ChallengeUnanswered.name().into(),
        detail: String::new(),
        refusal: false,
        verdict: None,
    }));
    assert!(!scene.coordinator.is_relay(RELAY));
    let view = scene.coordinator.planner.node(CHILD).unwrap();
    assert_eq!((view.parents, view.fed), (vec![Some(station)], 1));
}

#[tokio::test]
async fn a_relay_that_answers_the_coordinator_wrongly_is_out_for_all_at_once() {
    let mut scene = Scene::set();
    let station = scene.coordinator.me;
    let distrusted = Event::RelayDistrusted {
        relay: RELAY,
        name: Reason::LiveBindingMismatch.name().into(),
        refusal: true,
    };
    let told = scene.take(distrusted);
    assert!(told.contains(&Told::End(RELAY)), "{told:?}");
    assert!(told.contains(&Told::Edge(station, CHILD)), "{told:?}");
    assert!(!scene.coordinator.is_relay(RELAY));
}
