//! Head beacons: who hands them on, who is thrown out for one, and what they
//! are good for.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use certs::SigningKey;
use link::{Channel, Clock, Controls, Endpoint, HeadCheck, Link, NodeEvent};
use std::time::Duration;
use support::{
    Running, Setup, Stream, child, closed, join, key, media, now, order, parent, parent_of,
    records, send_group, soon,
};
use wire::message::control::NodeKind;
use wire::message::edge::Edge;
use wire::statement::{HeadBeacon, Signed};
use wire::{Reason, RunId, SpkiHash, UnixMs};

/// How long the nodes of these tests let a parent be behind.
const BEHIND_MS: u64 = 400;

/// A child that the test speaks for, under a node.
struct Child {
    link: Link,
    channel: Channel,
    _socket: Endpoint,
}

impl Child {
    async fn under(stream: &Stream, node: &Running) -> Self {
        let member = stream.member();
        let permit = stream.signed_permit(node.spki, member.spki());
        let below = order(permit.clone(), member.spki(), NodeKind::Peer, None);
        node.node.order_edge(below).unwrap();
        let (socket, link, channel) = child(&member, node.address, permit).await;
        Self {
            link,
            channel,
            _socket: socket,
        }
    }

    /// The next message on the edge, which has to be a beacon.
    async fn beacon(&mut self) -> Signed<HeadBeacon> {
        let message = soon("a beacon", self.channel.expect::<Edge>("no beacon")).await;
        match message.unwrap() {
            Edge::Beacon(beacon) => beacon,
            other => panic!("{other:?} instead of a beacon"),
        }
    }
}

/// A node under a parent that the test speaks for.
struct Rogue {
    spki: SpkiHash,
    link: Link,
    channel: Channel,
    _socket: Endpoint,
}

impl Rogue {
    async fn above(stream: &Stream, node: &Running, kind: NodeKind) -> Self {
        let (identity, socket) = node.under_stranger(stream, kind);
        let (link, channel) = parent(&socket).await;
        Self {
            spki: identity.spki(),
            link,
            channel,
            _socket: socket,
        }
    }

    async fn send(&mut self, beacon: Signed<HeadBeacon>) {
        self.channel.send(&Edge::Beacon(beacon)).await.unwrap();
    }
}

/// Makes an edge to a relay, which the parent dials.
fn dial_down(stream: &Stream, parent: &Running, relay: &Running) {
    let permit = stream.signed_permit(parent.spki, relay.spki);
    let above = order(permit.clone(), parent.spki, parent.kind, None);
    relay.node.order_edge(above).unwrap();
    let below = order(permit, relay.spki, relay.kind, Some(relay.address));
    parent.node.order_edge(below).unwrap();
}

fn watching() -> Setup {
    Setup {
        controls: Controls {
            heads: HeadCheck::within_ms(BEHIND_MS),
            ..Controls::default()
        },
        ..Setup::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beacon_goes_down_the_tree_by_the_edges_alone() {
    let stream = Stream::begin();
    let station = Setup {
        kind: NodeKind::Station,
        ..Setup::default()
    };
    let relay = Setup {
        kind: NodeKind::Relay,
        ..Setup::default()
    };
    let station = Running::start(&stream, &stream.station, station);
    let mut middle = Running::start(&stream, &support::stranger(), relay);
    let mut lower = Running::start(&stream, &stream.member(), Setup::default());
    dial_down(&stream, &station, &middle);
    join(&stream, &middle, &lower);
    // Nobody but the station has a control link here.
    let beacon = stream.signed_beacon(7, now());
    station.node.take_beacon(&beacon).unwrap();
    assert_eq!(middle.beacon().await, 7);
    assert_eq!(lower.beacon().await, 7);
    let beacon = stream.signed_beacon(8, now());
    station.node.take_beacon(&beacon).unwrap();
    assert_eq!(lower.beacon().await, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_later_hears_the_newest_beacon_first() {
    let stream = Stream::begin();
    let node = Running::start(&stream, &stream.member(), Setup::default());
    for head in 1..=3 {
        let beacon = stream.signed_beacon(head, now());
        node.node.take_beacon(&beacon).unwrap();
    }
    let newest = stream.signed_beacon(4, now());
    node.node.take_beacon(&newest).unwrap();
    let mut below = Child::under(&stream, &node).await;
    assert_eq!(below.beacon().await, newest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beacon_is_handed_on_once_and_an_older_one_never() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), Setup::default());
    let mut below = Child::under(&stream, &node).await;
    let mut above = Rogue::above(&stream, &node, NodeKind::Peer).await;
    let at = now();
    let first = stream.signed_beacon(5, at);
    let later = stream.signed_beacon(5, at.plus_ms(1));
    let older = stream.signed_beacon(4, at.plus_ms(2));
    let last = stream.signed_beacon(6, at);
    above.send(first.clone()).await;
    assert_eq!(below.beacon().await, first);
    // The same head at a later time: the station pauses, and is there.
    node.node.take_beacon(&later).unwrap();
    assert_eq!(below.beacon().await, later);
    for known in [first, later, older] {
        above.send(known).await;
    }
    above.send(last.clone()).await;
    assert_eq!(below.beacon().await, last);
    for head in [5, 5, 6] {
        assert_eq!(node.beacon().await, head);
    }
}

fn forgeries(stream: &Stream) -> [(Signed<HeadBeacon>, &'static str); 4] {
    let head = stream.beacon(9, now());
    let sign = |key: &SigningKey, beacon| certs::sign(key, beacon);
    let mut other_run = head.clone();
    other_run.scope.run = RunId([7; 16]);
    let mut after_the_end = head.clone();
    after_the_end.now = stream.run.end.plus_ms(1);
    [
        (sign(&key(), &head), "beacon_signature_invalid"),
        (sign(&stream.permit_key, &head), "beacon_signature_invalid"),
        (sign(&stream.beacon_key, &other_run), "beacon_wrong_run"),
        (
            sign(&stream.beacon_key, &after_the_end),
            "beacon_time_invalid",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_beacon_closes_the_link_and_goes_no_further() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), Setup::default());
    let mut below = Child::under(&stream, &node).await;
    for (head, (forged, name)) in (0..).zip(forgeries(&stream)) {
        let mut rogue = Rogue::above(&stream, &node, NodeKind::Peer).await;
        rogue.send(forged).await;
        assert_eq!(closed(&rogue.link).await, Reason::Nonsense, "{name}");
        assert_eq!(node.edge_down().await, (rogue.spki, name.to_owned()));
        // Whatever came before this one would have been sent before it.
        let genuine = stream.signed_beacon(head, now());
        node.node.take_beacon(&genuine).unwrap();
        assert_eq!(below.beacon().await, genuine);
    }
    assert!(below.link.connection.close_reason().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_has_no_say_about_the_head() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), Setup::default());
    let mut below = Child::under(&stream, &node).await;
    let beacon = Edge::Beacon(stream.signed_beacon(9, now()));
    below.channel.send(&beacon).await.unwrap();
    assert_eq!(closed(&below.link).await, Reason::Nonsense);
    assert_eq!(node.edge_down().await.1, "nonsense");
}

/// A parent sends two chunks, whichever is newest, and then cuts the stream.
async fn cut(stream: &Stream, node: &mut Running, kind: NodeKind) -> (Rogue, u64) {
    let rogue = Rogue::above(stream, node, kind).await;
    let (mut publisher, init) = stream.publisher();
    let chunk = media(&mut publisher, 20_000, true);
    let mut sent = records(&init);
    sent.extend(records(&chunk));
    send_group(&rogue.link, &sent).await;
    node.chunk(chunk.header.key()).await;
    (rogue, chunk.header.sequence.0)
}

/// Waits a few times as long as a parent may be behind; whether the node has
/// noticed that its parent withholds, and the head that told it.
async fn noticed(node: &mut Running) -> Option<(SpkiHash, u64)> {
    let patience = Duration::from_millis(5 * BEHIND_MS);
    let noticed = tokio::time::timeout(patience, async {
        loop {
            if let NodeEvent::Withheld { from, head, .. } = node.events.recv().await.unwrap() {
                return (from, head.0);
            }
        }
    });
    noticed.await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_cuts_the_stream_is_noticed_by_the_beacon_of_another_path() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), watching());
    let (rogue, newest) = cut(&stream, &mut node, NodeKind::Peer).await;
    let beacon = stream.signed_beacon(newest + 1, now());
    node.node.take_beacon(&beacon).unwrap();
    assert_eq!(noticed(&mut node).await, Some((rogue.spki, newest + 1)));
    // Told again, until somebody acts; the edge is not the node's to end.
    assert_eq!(noticed(&mut node).await, Some((rogue.spki, newest + 1)));
    assert!(node.node.has_edge(rogue.spki, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_is_noticed_by_another_parents_beacon_while_the_control_link_has_none() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), watching());
    let (rogue, newest) = cut(&stream, &mut node, NodeKind::Peer).await;
    let mut other = Rogue::above(&stream, &node, NodeKind::Station).await;
    other.send(stream.signed_beacon(newest + 3, now())).await;
    // The station names its head itself, and is not judged by it.
    assert_eq!(noticed(&mut node).await, Some((rogue.spki, newest + 3)));
}

/// A parent may be behind for as long as this node keeps chunks: it may be
/// catching up itself, e.g. a relay after a boot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_is_given_as_long_as_the_node_keeps_chunks() {
    for (kept_ms_max, notices) in [(BEHIND_MS, true), (100 * BEHIND_MS, false)] {
        let stream = Stream::begin();
        // One that sends nothing at all is another matter: tests/mute.rs.
        let setup = Setup {
            controls: Controls {
                heads: HeadCheck::default().mute_within_ms(u64::MAX),
                ..Controls::default()
            },
            forwarder: overlay::forwarder::Config {
                kept_ms_max,
                ..overlay::forwarder::Config::default()
            },
            ..Setup::default()
        };
        let mut node = Running::start(&stream, &stream.member(), setup);
        let (_rogue, newest) = cut(&stream, &mut node, NodeKind::Peer).await;
        let beacon = stream.signed_beacon(newest + 1, now());
        node.node.take_beacon(&beacon).unwrap();
        assert_eq!(noticed(&mut node).await.is_some(), notices, "{kept_ms_max}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_beacons_on_another_path_nobody_notices_a_cut() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), watching());
    let (mut rogue, newest) = cut(&stream, &mut node, NodeKind::Peer).await;
    rogue.send(stream.signed_beacon(newest, now())).await;
    assert_eq!(noticed(&mut node).await, None);
    assert!(node.node.has_edge(rogue.spki, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_station_is_not_judged_by_its_own_word() {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), watching());
    let (mut station, newest) = cut(&stream, &mut node, NodeKind::Station).await;
    station.send(stream.signed_beacon(newest + 1, now())).await;
    assert_eq!(noticed(&mut node).await, None);
}

/// Where the node asks its next parent to begin, 50 chunks behind the head.
async fn asked_from(live_delay_ms: Option<u64>) -> u64 {
    let stream = Stream::begin();
    let mut node = Running::start(&stream, &stream.member(), Setup::default());
    if let Some(delay_ms) = live_delay_ms {
        node.node.play_live(delay_ms);
    }
    let (_first, newest) = cut(&stream, &mut node, NodeKind::Peer).await;
    let beacon = stream.signed_beacon(newest + 50, now());
    node.node.take_beacon(&beacon).unwrap();
    let (_identity, socket) = node.under_stranger(&stream, NodeKind::Peer);
    let (_link, _channel, start) = parent_of(&socket).await;
    start.resume.unwrap().next.0 - newest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_plays_live_asks_a_new_parent_for_nothing_late_and_others_for_everything() {
    assert_eq!(asked_from(None).await, 1);
    // Chunks of 200 ms, half of the delay behind the head.
    assert_eq!(asked_from(Some(2_000)).await, 45);
    assert_eq!(asked_from(Some(60_000)).await, 1, "nothing is late");
}

/// A relay's clock that its machine's owner has put back, as seen by a
/// station whose time is `ahead_ms` later.
fn station_time(ahead_ms: u64) -> UnixMs {
    now().plus_ms(ahead_ms)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beacon_raises_a_relays_clock_on_any_path_and_never_lowers_it() {
    let stream = Stream::begin();
    let clock = Clock::raised_by_beacons();
    let relay = Setup {
        kind: NodeKind::Relay,
        clock: clock.clone(),
        ..Setup::default()
    };
    let mut relay = Running::start(&stream, &support::stranger(), relay);
    let mut above = Rogue::above(&stream, &relay, NodeKind::Relay).await;
    let ahead = station_time(60_000);
    above.send(stream.signed_beacon(1, ahead)).await;
    assert_eq!(relay.beacon().await, 1);
    let raised = clock.unix();
    assert!(
        raised >= ahead && raised < ahead.plus_ms(30_000),
        "{raised:?}"
    );
    let behind = stream.signed_beacon(2, now());
    relay.node.take_beacon(&behind).unwrap();
    assert!(clock.unix() >= raised, "lowered");
    let more = station_time(120_000);
    let control = stream.signed_beacon(3, more);
    relay.node.take_beacon(&control).unwrap();
    assert!(clock.unix() >= more);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_beacon_raises_no_clock() {
    let stream = Stream::begin();
    let clock = Clock::raised_by_beacons();
    let relay = Setup {
        clock: clock.clone(),
        ..Setup::default()
    };
    let relay = Running::start(&stream, &support::stranger(), relay);
    let ahead = stream.beacon(1, station_time(60_000));
    let forged = certs::sign(&key(), &ahead);
    assert!(relay.node.take_beacon(&forged).is_err());
    let after_the_end = stream.signed_beacon(1, stream.run.end.plus_ms(1));
    assert!(relay.node.take_beacon(&after_the_end).is_err());
    assert!(clock.unix() < ahead.now);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewers_clock_is_its_own() {
    let stream = Stream::begin();
    let clock = Clock::new();
    let viewer = Setup {
        clock: clock.clone(),
        ..Setup::default()
    };
    let viewer = Running::start(&stream, &stream.member(), viewer);
    let ahead = station_time(60_000);
    let beacon = stream.signed_beacon(1, ahead);
    viewer.node.take_beacon(&beacon).unwrap();
    assert!(clock.unix() < ahead);
}
