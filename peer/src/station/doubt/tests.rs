#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::coordinator::{Event, Member, Parts, Settings};
use super::super::keys::Keys;
use super::*;
use link::{Clock, Emitter, Endpoint, Node, NodeConfig, NodeEvent, RelayTrust, Verification};
use overlay::planner::{Peer, Relay};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use wire::OrderId;
use wire::codec::List;
use wire::message::control::{Down, EdgeReport, Name, NodeKind, NodeRef, Up};
use wire::statement::Permit;
use wire::{Decode, PublicKey};

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
        let mut coordinator = coordinator(data.path());
        let station = coordinator.me;
        let child = enlist(&mut coordinator, CHILD, NodeKind::Peer);
        let relay = enlist(&mut coordinator, RELAY, NodeKind::Relay);
        let admitted = Relay {
            sponsor: SpkiHash([9; 32]),
            order: OrderId([1; 32]),
            slots: 4,
            lease_end_ms: 3_600_000,
        };
        let planner = &mut coordinator.planner;
        planner.relay_admitted(0, RELAY, admitted).unwrap();
        planner.join(0, CHILD, Peer::default()).unwrap();
        planner.edge_up(RELAY, station);
        planner.edge_up(CHILD, RELAY);
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

fn coordinator(data: &std::path::Path) -> Coordinator {
    let clock = Clock::new();
    let (keys, _chunk) = Keys::make(data, "S", clock.unix()).unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let endpoint = Arc::new(Endpoint::bind(listen, &keys.identity).unwrap());
    let config = NodeConfig {
        me: keys.identity.spki(),
        kind: NodeKind::Station,
        upload_bps: 1_000_000,
        byte_cap: None,
        forwarder: overlay::forwarder::Config::default(),
        verification: Verification::PermitOnly,
        private_networks: true,
    };
    let (node, _) = Node::new(config, endpoint.clone(), clock.clone());
    node.enter_run(keys.run.clone());
    let settings = Settings {
        name: "S".into(),
        address: endpoint.address().unwrap(),
        stream_bps: 1_000_000,
        slot_bps: 1_000_000,
        slots: 1,
        ask_deadline_ms: 1_000,
        ask_interval_ms: 1_000,
        banner: None,
        membership_ms: crate::station::MEMBERSHIP_MS,
        receipts: certs::receipt::ReceiptCheck::default(),
        upload_bps: 1_000_000,
        invite: String::new().into(),
    };
    let parts = Parts {
        node,
        endpoint,
        trust: Arc::new(RelayTrust {
            roots: attest::TrustRoots::default(),
            policy: attest::Policy::default(),
            introductions: certs::introduction::IntroductionCheck::default(),
        }),
        epochs: mpsc::unbounded_channel().0,
        head: watch::channel(None).1,
        events: mpsc::unbounded_channel().0,
        page: None,
    };
    Coordinator::new(keys, settings, parts, clock, Emitter::new("S", false))
}

fn enlist(
    coordinator: &mut Coordinator,
    spki: SpkiHash,
    kind: NodeKind,
) -> mpsc::UnboundedReceiver<Down> {
    let (down, inbox) = mpsc::unbounded_channel();
    let member = Member {
        name: Name::new(kind.name()).unwrap(),
        key: PublicKey([0; 32]),
        kind,
        addresses: List::default(),
        sealing_key: None,
        receipt_key: None,
        relay_only: false,
        never_ask: true,
        down,
        admission: None,
        claim_bps: 1_000_000,
        load: None,
        placed: true,
        receipts: std::collections::BTreeMap::new(),
    };
    coordinator.members.insert(spki, member);
    inbox
}

fn doubt(other: SpkiHash) -> Up {
    Up::EdgeDoubt(EdgeFailure {
        other,
        child: true,
        reason: Reason::ChallengeUnanswered,
    })
}

#[tokio::test]
async fn a_child_in_doubt_gets_its_next_edge_first_and_the_old_ones_end_after() {
    let mut scene = Scene::set();
    let station = scene.coordinator.me;
    assert_eq!(scene.up(doubt(RELAY)), [Told::Edge(station, CHILD)]);
    let (other, child) = (station, true);
    let next = scene.up(Up::EdgeUp(EdgeReport { other, child }));
    assert_eq!(next, [Told::End(RELAY)]);
    assert_eq!(told(&mut scene.relay), [Told::End(CHILD)]);
    assert!(scene.coordinator.is_relay(RELAY), "one child's word is one");
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
    scene.up(Up::EdgeUp(EdgeReport { other, child }));
    scene.take(Event::Node(NodeEvent::EdgeDown {
        other: RELAY,
        child: false,
        reason: Reason::ChallengeUnanswered,
        name: Reason::ChallengeUnanswered.name().into(),
        detail: String::new(),
        refusal: false,
    }));
    assert!(!scene.coordinator.is_relay(RELAY));
    let view = scene.coordinator.planner.node(CHILD).unwrap();
    assert_eq!((view.parent, view.fed), (Some(station), true));
}
