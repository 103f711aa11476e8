//! The upload limit, and what a child gets when it is too low for the stream.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use link::NodeEvent;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use support::{Running, Setup, Stream, join, media, soon};
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
    soon("the children", async {
        while parent.node.load().0 < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
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
    let paid = parent.node.load().1 - BURST_BYTES;
    let seen_bps = paid as f64 * 8.0 / took_s;
    let ratio = seen_bps / rate_bps as f64;
    // A ceiling alone: a machine that stalls may be slower, never faster.
    assert!(ratio <= 1.1, "{seen_bps} bit/s");
}

/// What a child was told of the stream.
#[derive(Default)]
struct Seen {
    complete: Vec<Sequence>,
    dropped: BTreeMap<Sequence, Sequence>,
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
    let parent = Running::start(&stream, &stream.member(), setup);
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
    let mut seen = Seen::default();
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
