//! A parent that carries all that a node gets, and sends nothing of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use link::{Channel, Controls, Endpoint, HeadCheck, Link, NodeEvent};
use std::time::{Duration, Instant};
use support::{Running, Setup, Stream, group_start, media, now, parent, records, send_group};
use wire::codec::put_varint;
use wire::message::control::NodeKind;
use wire::{Encode, SpkiHash};

/// How long is watched that nothing is said, in milliseconds: longer than a mute
/// parent has, shorter than one that is behind.
const WATCH_MS: u64 = 4_000;

/// A second and a half without a byte: within the time of a repair.
fn impatient() -> HeadCheck {
    HeadCheck::default().mute_within_ms(1_500)
}

/// A node with one parent, which the test speaks for, and one chunk of it.
struct Scene {
    stream: Stream,
    node: Running,
    publisher: certs::seal::Publisher,
    parent: SpkiHash,
    newest: u64,
    link: Link,
    _channel: Channel,
    _socket: Endpoint,
}

impl Scene {
    async fn begin(heads: HeadCheck) -> Self {
        let stream = Stream::begin();
        let setup = Setup {
            controls: Controls {
                heads,
                ..Controls::default()
            },
            ..Setup::default()
        };
        let mut node = Running::start(&stream, &stream.member(), setup);
        let (identity, socket) = node.under_stranger(&stream, NodeKind::Peer);
        let (link, channel) = parent(&socket).await;
        let (mut publisher, init) = stream.publisher();
        let chunk = media(&mut publisher, 20_000, true);
        let mut sent = records(&init);
        sent.extend(records(&chunk));
        send_group(&link, &sent).await;
        node.chunk(chunk.header.key()).await;
        Self {
            parent: identity.spki(),
            newest: chunk.header.sequence.0,
            stream,
            node,
            publisher,
            link,
            _channel: channel,
            _socket: socket,
        }
    }

    /// The station says how far the stream is, over the control link.
    fn beacon(&self, head: u64) {
        let beacon = self.stream.signed_beacon(head, now());
        self.node.node.take_beacon(&beacon).unwrap();
    }

    /// Whether anybody is blamed by then.
    async fn blamed(&mut self, within_ms: u64) -> Option<SpkiHash> {
        let blamed = tokio::time::timeout(Duration::from_millis(within_ms), async {
            loop {
                if let NodeEvent::Withheld { from, .. } = self.node.events.recv().await.unwrap() {
                    return from;
                }
            }
        });
        blamed.await.ok()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_nothing_of_a_single_tree_is_told_within_the_time_of_a_repair() {
    let mut scene = Scene::begin(impatient()).await;
    let begun = Instant::now();
    scene.beacon(scene.newest + 5);
    assert_eq!(scene.blamed(15_000).await, Some(scene.parent));
    let after_ms = begun.elapsed().as_millis();
    assert!(after_ms >= 1_400, "{after_ms} ms");
    // Told again, until somebody acts; the edge is not the node's to end.
    assert_eq!(scene.blamed(15_000).await, Some(scene.parent));
    assert!(scene.node.node.has_edge(scene.parent, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_end_to_patience_a_mute_parent_starves_its_child() {
    let patient = HeadCheck::default();
    let mut scene = Scene::begin(patient).await;
    scene.beacon(scene.newest + 5);
    assert_eq!(scene.blamed(WATCH_MS).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_parent_has_time_to_catch_up() {
    let stream = Stream::begin();
    let setup = Setup {
        controls: Controls {
            heads: impatient(),
            ..Controls::default()
        },
        ..Setup::default()
    };
    let mut node = Running::start(&stream, &stream.member(), setup);
    let (_identity, socket) = node.under_stranger(&stream, NodeKind::Peer);
    let _link = parent(&socket).await;
    node.node
        .take_beacon(&stream.signed_beacon(5, now()))
        .unwrap();
    let blamed = async {
        while let Some(event) = node.events.recv().await {
            if matches!(event, NodeEvent::Withheld { .. }) {
                break;
            }
        }
    };
    let watched = tokio::time::timeout(Duration::from_millis(WATCH_MS), blamed);
    assert!(watched.await.is_err(), "nothing has come of it yet");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_on_a_slow_line_is_not_mute() {
    let mut scene = Scene::begin(impatient()).await;
    let late = media(&mut scene.publisher, 16_000, false);
    scene.beacon(late.header.sequence.0);
    // A block in twelve pieces: nothing of it is whole for longer than a mute
    // parent has.
    let mut bytes = group_start();
    for record in records(&late) {
        let body = record.to_bytes();
        put_varint(&mut bytes, body.len() as u64);
        bytes.extend_from_slice(&body);
    }
    let mut trickle = scene.link.connection.open_uni().await.unwrap();
    for piece in bytes.chunks(bytes.len().div_ceil(12)) {
        assert_eq!(scene.blamed(400).await, None);
        trickle.write_all(piece).await.unwrap();
    }
    scene.node.chunk(late.header.key()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_station_pauses_nobody_is_mute() {
    let mut scene = Scene::begin(impatient()).await;
    for _ in 0..4 {
        scene.beacon(scene.newest);
        assert_eq!(scene.blamed(WATCH_MS / 4).await, None);
    }
}
