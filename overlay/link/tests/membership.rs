//! A membership at the beginning of an edge: one that has ended is refused by
//! name, whoever dials, and a renewed one is good.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use link::Identity;
use std::time::Duration;
use support::{Running, Setup, Stream, closed, hello, join, media, now, order};
use wire::message::control::NodeKind;
use wire::{Reason, UnixMs};

/// A membership's life in these tests: X.509 counts in seconds.
const LIFE_MS: u64 = 2_000;

async fn outlive(end: UnixMs) {
    while now().0 / 1_000 <= end.0 / 1_000 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A member whose membership is about to end.
fn passing(stream: &Stream) -> (Identity, UnixMs) {
    let end = now().plus_ms(LIFE_MS);
    (stream.member_until(end), end)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_whose_membership_has_ended_is_refused_until_it_is_renewed() {
    let stream = Stream::begin();
    let mut parent = Running::start(&stream, &stream.member(), Setup::default());
    let (identity, end) = passing(&stream);
    outlive(end).await;
    let permit = stream.signed_permit(parent.spki, identity.spki());
    let below = order(permit.clone(), identity.spki(), NodeKind::Peer, None);
    parent.node.order_edge(below.clone()).unwrap();
    let (_socket, link, _channel) = hello(&identity, parent.address, permit.clone()).await;
    assert_eq!(closed(&link).await, Reason::PermitInvalid);
    let expired = "certificate_expired".to_owned();
    assert_eq!(parent.edge_down().await, (identity.spki(), expired));

    let renewed = stream.renewed(&identity);
    parent.node.order_edge(below).unwrap();
    let (_socket, _link, mut channel) = hello(&renewed, parent.address, permit).await;
    let welcome = channel.expect::<wire::message::edge::Edge>("no welcome");
    welcome.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_edge_goes_on_and_new_ones_present_the_adopted_membership() {
    let stream = Stream::begin();
    let top = Running::start(&stream, &stream.member(), Setup::default());
    let (identity, end) = passing(&stream);
    let inner = Running::start(&stream, &identity, Setup::default());
    let mut first = Running::start(&stream, &stream.member(), Setup::default());
    join(&stream, &top, &inner);
    join(&stream, &inner, &first);
    let (mut publisher, init) = stream.publisher();
    top.publish(init);
    let chunk = media(&mut publisher, 1_000, true);
    let chunk_key = chunk.header.key();
    top.publish(chunk);
    first.chunk(chunk_key).await;

    outlive(end).await;
    let mut second = Running::start(&stream, &stream.member(), Setup::default());
    join(&stream, &inner, &second);
    let expired = "certificate_expired".to_owned();
    assert_eq!(second.edge_down().await, (inner.spki, expired));

    inner.endpoint.adopt(&stream.renewed(&identity)).unwrap();
    let mut third = Running::start(&stream, &stream.member(), Setup::default());
    join(&stream, &inner, &third);
    let chunk = media(&mut publisher, 1_000, true);
    let chunk_key = chunk.header.key();
    top.publish(chunk);
    assert_eq!(first.chunk(chunk_key).await, Some(inner.spki));
    assert_eq!(third.chunk(chunk_key).await, Some(inner.spki));
}
