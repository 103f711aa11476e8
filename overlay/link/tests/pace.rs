//! The upload limit, and what a child gets when it is too low for the stream.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use link::NodeEvent;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use support::{Running, Setup, Stream, child, join, media, order, soon};
use wire::message::control::NodeKind;
use wire::statement::Priority;
use wire::{Reason, Sequence};

/// What a bucket lets pass at once.
const BURST_BYTES: u64 = overlay::bucket::TokenBucket::BURST_BYTES;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_children_together_get_no_more_than_the_upload_limit() {
    let rate_bps = 8_000_000;
    let stream = Stream::begin();
    let setup = Setup {
        upload_bps: rate_bps,
        ..Setup::default()
    };
    let parent = Running::start(&stream, &stream.member(), setup);
    let mut children = Vec::new();
    for _ in 0..2 {
        let child = Running::start(&stream, &stream.member(), Setup::default());
        join(&stream, &parent, &child);
        children.push(child);
    }
    up(&parent, 2).await;
    let (mut publisher, init) = stream.publisher();
    parent.publish(init);
    let chunk = media(&mut publisher, 1_500_000, true);
    let key = chunk.header.key();
    let began = Instant::now();
    parent.publish(chunk);
    for child in &mut children {
        child.chunk(key).await;
    }
    let took_s = began.elapsed().as_secs_f64();
    // Two children share one limit.
    let paid = parent.node.load().sent_bytes - BURST_BYTES;
    let seen_bps = paid as f64 * 8.0 / took_s;
    let ratio = seen_bps / rate_bps as f64;
    // A ceiling alone: a machine that stalls may be slower, never faster.
    assert!(ratio <= 1.1, "{seen_bps} bit/s");
}

/// Waits for the edges of so many children.
async fn up(parent: &Running, children: u32) {
    soon("the children", async {
        while parent.node.load().children < children {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_counts_every_byte_that_is_written_for_a_child() {
    let stream = Stream::begin();
    let parent = Running::start(&stream, &stream.member(), Setup::default());
    let member = stream.member();
    let permit = stream.signed_permit(parent.spki, member.spki());
    let below = order(permit.clone(), member.spki(), NodeKind::Peer, None);
    parent.node.order_edge(below).unwrap();
    let (_socket, link, _channel) = child(&member, parent.address, permit).await;
    up(&parent, 1).await;
    let (mut publisher, init) = stream.publisher();
    parent.publish(init);
    for _ in 0..3 {
        parent.publish(media(&mut publisher, 40_000, true));
    }
    let (mut read, mut buffer) = (0, vec![0; 1 << 16]);
    let quiet = Duration::from_millis(1_000);
    while let Ok(Ok(mut group)) = tokio::time::timeout(quiet, link.connection.accept_uni()).await {
        while let Ok(Ok(Some(len))) = tokio::time::timeout(quiet, group.read(&mut buffer)).await {
            read += len as u64;
        }
    }
    assert!(read > 3 * 40_000, "{read} bytes");
    assert_eq!(parent.node.load().sent_bytes, read);
}

/// What a child was told of the stream.
#[derive(Default)]
struct Seen {
    complete: Vec<Sequence>,
    dropped: BTreeMap<Sequence, Sequence>,
}

impl Seen {
    /// All that it is told until it hears nothing more.
    async fn until_quiet(child: &mut Running) -> Self {
        let mut seen = Self::default();
        let quiet = Duration::from_millis(1_500);
        while let Ok(Some(event)) = tokio::time::timeout(quiet, child.events.recv()).await {
            match event {
                NodeEvent::Chunk { key, .. } if !key.init => seen.complete.push(key.sequence),
                NodeEvent::Dropped { dropped, .. } => {
                    assert_eq!(dropped.reason, Reason::SlowReader);
                    seen.dropped.insert(dropped.from, dropped.to);
                }
                _ => {}
            }
        }
        seen
    }
}

/// The child for whom the parent's driver is told that chunks are left out.
async fn left_out(parent: &mut Running) -> wire::SpkiHash {
    loop {
        if let NodeEvent::LeftOut { child, dropped } = parent.events.recv().await.unwrap() {
            assert_eq!(dropped.reason, Reason::SlowReader);
            return child;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_uplinks_child_misses_whole_groups_and_nothing_else() {
    let stream = Stream::begin();
    let setup = Setup {
        upload_bps: 3_000_000,
        forwarder: overlay::forwarder::Config {
            queue_bytes_max: 200_000,
            ..overlay::forwarder::Config::default()
        },
        ..Setup::default()
    };
    let mut parent = Running::start(&stream, &stream.member(), setup);
    let mut child = Running::start(&stream, &stream.member(), Setup::default());
    join(&stream, &parent, &child);
    let (mut publisher, init) = stream.publisher();
    parent.publish(init);
    // 50 KB each 40 ms: 10 Mbit/s, in groups of three chunks.
    let (count, group) = (90, 3);
    for number in 0..count {
        parent.publish(media(&mut publisher, 50_000, number % group == 0));
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let seen = Seen::until_quiet(&mut child).await;
    let load = parent.node.load();
    let last = seen.dropped.last_key_value().unwrap();
    assert!(load.left_out_chunks >= last.1.0 - last.0.0);
    assert!(load.left_out_times >= seen.dropped.len() as u64);
    let told = soon("word at the parent", left_out(&mut parent)).await;
    assert_eq!(told, child.spki);
    assert!(!seen.dropped.is_empty(), "nothing was left out");
    // From its first chunk to its last the child has each one, or was told.
    let (first, last) = (seen.complete[0], *seen.complete.last().unwrap());
    let mut at = first;
    let mut whole = seen.complete.iter().peekable();
    while at <= last {
        if whole.next_if_eq(&&at).is_some() {
            at = at.next();
        } else {
            let to = seen.dropped.get(&at);
            at = *to.unwrap_or_else(|| panic!("{at} is neither here nor named as left out"));
            assert_eq!(at.0 % group, 0, "it goes on in the middle of a group");
        }
    }
    assert_eq!(whole.next(), None, "chunks came out of order");
}

/// Chunks that two children of an uplink with room for one get, and whether
/// some were left out for them. Both come as free riders; then the permit of
/// the first is renewed with this standing.
async fn served(standing: Priority) -> [(usize, bool); 2] {
    let stream = Stream::begin();
    let setup = Setup {
        upload_bps: 1_300_000,
        forwarder: overlay::forwarder::Config {
            queue_bytes_max: 160_000,
            ..overlay::forwarder::Config::default()
        },
        ..Setup::default()
    };
    let parent = Running::start(&stream, &stream.member(), setup);
    let mut children =
        [(); 2].map(|()| Running::start(&stream, &stream.member(), Setup::default()));
    for child in &children {
        join(&stream, &parent, child);
    }
    up(&parent, 2).await;
    let mut permit = stream.permit(parent.spki, children[0].spki);
    permit.priority = standing;
    let permit = certs::permit::sign(&stream.permit_key, &permit);
    let renewed = order(permit, children[0].spki, NodeKind::Peer, None);
    parent.node.order_edge(renewed).unwrap();
    let (mut publisher, init) = stream.publisher();
    parent.publish(init);
    for number in 0..CHUNKS {
        // 20 KB each 160 ms: 1 Mbit/s for each of the two, so little that a
        // busy machine keeps up.
        parent.publish(media(&mut publisher, 20_000, number % 3 == 0));
        tokio::time::sleep(Duration::from_millis(160)).await;
    }
    let [first, second] = &mut children;
    let (first, second) = tokio::join!(Seen::until_quiet(first), Seen::until_quiet(second));
    [first, second].map(|seen| (seen.complete.len(), !seen.dropped.is_empty()))
}

const CHUNKS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_uplink_the_own_sponsor_misses_nothing_and_a_free_rider_does() {
    let [sponsor, free_rider] = served(Priority::OwnSponsor).await;
    assert_eq!(sponsor, (CHUNKS, false));
    assert!(free_rider.1, "{free_rider:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_his_standing_he_misses_as_much_as_the_free_rider() {
    let [sponsor, free_rider] = served(Priority::FreeRider).await;
    assert!(sponsor.1 && free_rider.1, "{sponsor:?} {free_rider:?}");
}
