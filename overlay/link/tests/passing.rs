//! A relay that passes a smaller rendition on gets it by an edge of its own,
//! beside the one of the best.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use certs::seal::Publisher;
use link::NodeEvent;
use std::time::Duration;
use support::{
    Running, Setup, Stream, closed, media, now, order, parent_of, records, send_group, soon,
};
use wire::message::control::NodeKind;
use wire::statement::{BatchedPermit, ChunkKey, HeadBeacon, Permit};
use wire::{OrderId, Reason, Rendition, Sequence, SpkiHash};

const BEST: Rendition = Rendition(0);
const LOW: Rendition = Rendition(1);
const CHUNK_BYTES: usize = 20_000;

/// Leave for a rendition; into a relay, if it is `ordered`.
fn permit(
    stream: &Stream,
    (parent, child): (SpkiHash, SpkiHash),
    rendition: Rendition,
    ordered: bool,
) -> BatchedPermit {
    let permit = Permit {
        rendition,
        child_order: ordered.then_some(OrderId([7; 32])),
        ..stream.permit(parent, child)
    };
    certs::permit::sign(&stream.permit_key, &permit)
}

fn join(stream: &Stream, parent: &Running, child: &Running, rendition: Rendition) {
    let ordered = child.kind == NodeKind::Relay;
    let permit = permit(stream, (parent.spki, child.spki), rendition, ordered);
    // Everybody dials a relay.
    let (down, up) = if ordered {
        (Some(child.address), None)
    } else {
        (None, Some(parent.address))
    };
    let below = order(permit.clone(), child.spki, child.kind, down);
    let above = order(permit, parent.spki, parent.kind, up);
    child.node.order_edge(above).unwrap();
    parent.node.order_edge(below).unwrap();
}

fn chunk(rendition: Rendition, sequence: u64) -> ChunkKey {
    ChunkKey {
        rendition,
        init: false,
        sequence: Sequence(sequence),
    }
}

/// A station of two renditions and a relay that gets both.
struct Scene {
    stream: Stream,
    station: Running,
    relay: Running,
    publishers: [Publisher; 2],
}

impl Scene {
    fn set() -> Self {
        let stream = Stream::begin();
        let node = |kind| {
            let setup = Setup {
                kind,
                ..Setup::default()
            };
            Running::start(&stream, &stream.member(), setup)
        };
        let (station, relay) = (node(NodeKind::Station), node(NodeKind::Relay));
        let publishers = [BEST, LOW].map(|rendition| {
            let (publisher, init) = stream.publisher_of(rendition);
            station.publish(init);
            publisher
        });
        for rendition in [BEST, LOW] {
            join(&stream, &station, &relay, rendition);
        }
        Self {
            station,
            relay,
            publishers,
            stream,
        }
    }

    fn publish(&mut self) {
        for publisher in &mut self.publishers {
            self.station.publish(media(publisher, CHUNK_BYTES, true));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_gets_both_and_gives_each_child_its_own() {
    let mut scene = Scene::set();
    scene.publish();
    let from = scene.relay.chunk(chunk(BEST, 0)).await;
    assert_eq!(from, Some(scene.station.spki));
    let member = scene.stream.member();
    let mut viewer = Running::start(&scene.stream, &member, Setup::default());
    join(&scene.stream, &scene.relay, &viewer, LOW);
    assert_eq!(viewer.chunk(chunk(LOW, 0)).await, Some(scene.relay.spki));
    scene.publish();
    assert_eq!(viewer.chunk(chunk(LOW, 1)).await, Some(scene.relay.spki));
    let of_best = viewer.node.chunk(chunk(BEST, 1));
    assert!(of_best.is_none(), "that is not its rendition");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_one_is_not_the_end_of_the_other() {
    let mut scene = Scene::set();
    scene.publish();
    scene.relay.chunk(chunk(BEST, 0)).await;
    let (station, relay) = (&scene.station, scene.relay.spki);
    let reason = Reason::Reparented;
    station.node.end_one_edge(relay, false, LOW, reason);
    let (other, _) = scene.relay.edge_down().await;
    assert_eq!(other, scene.station.spki);
    assert!(scene.station.node.has_edge(relay, false));
    scene.publish();
    let from = scene.relay.chunk(chunk(BEST, 1)).await;
    assert_eq!(from, Some(scene.station.spki));
    assert!(scene.relay.node.chunk(chunk(LOW, 1)).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_by_the_edge_of_another_rendition_is_refused_by_name() {
    let stream = Stream::begin();
    let setup = Setup {
        kind: NodeKind::Relay,
        ..Setup::default()
    };
    let mut relay = Running::start(&stream, &stream.member(), setup);
    let member = stream.member();
    let socket = link::Endpoint::bind(support::loopback(), &member).unwrap();
    let permit = permit(&stream, (member.spki(), relay.spki), LOW, true);
    let address = socket.address().unwrap();
    let above = order(permit, member.spki(), NodeKind::Relay, Some(address));
    relay.node.order_edge(above).unwrap();
    let (link, _channel, start) = soon("the relay", parent_of(&socket)).await;
    assert_eq!(start.rendition, LOW);
    let (mut publisher, _) = stream.publisher();
    let best = media(&mut publisher, CHUNK_BYTES, true);
    send_group(&link, &records(&best)).await;
    assert_eq!(closed(&link).await, Reason::PermitInvalid);
    let refused = (member.spki(), "stripe_not_permitted".to_owned());
    assert_eq!(relay.edge_down().await, refused);
}

/// Threat D6, of a smaller rendition: the beacon of the best one says nothing
/// about it, and without one of its own nobody would notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_withholds_a_smaller_rendition_is_noticed_by_its_own_beacon_alone() {
    const NOTICED: Duration = Duration::from_secs(2);
    for (rendition, noticed) in [(LOW, true), (BEST, false)] {
        let stream = Stream::begin();
        let forwarder = overlay::forwarder::Config {
            kept_ms_max: 200,
            ..overlay::forwarder::Config::default()
        };
        let setup = Setup {
            forwarder,
            ..Setup::default()
        };
        let mut viewer = Running::start(&stream, &stream.member(), setup);
        let parent = Running::start(&stream, &stream.member(), Setup::default());
        let (mut publisher, init) = stream.publisher_of(LOW);
        parent.publish(init);
        parent.publish(media(&mut publisher, CHUNK_BYTES, true));
        join(&stream, &parent, &viewer, LOW);
        viewer.chunk(chunk(LOW, 0)).await;
        let beacon = HeadBeacon {
            rendition,
            ..stream.beacon(5, now())
        };
        let beacon = certs::sign(&stream.beacon_key, &beacon);
        viewer.node.take_beacon(&beacon).unwrap();
        let told = tokio::time::timeout(NOTICED, async {
            loop {
                let event = viewer.events.recv().await.unwrap();
                if let NodeEvent::Withheld {
                    from, rendition, ..
                } = event
                {
                    return (from, rendition);
                }
            }
        });
        let expected = noticed.then_some((parent.spki, LOW));
        assert_eq!(told.await.ok(), expected, "{rendition:?}");
    }
}
