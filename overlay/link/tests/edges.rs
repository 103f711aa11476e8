//! Who gets an edge, and who does not.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use support::{
    Running, Setup, Stream, child, closed, hello, join, key, media, now, order, soon, stranger,
};
use wire::message::control::NodeKind;
use wire::message::edge::{Edge, Start};
use wire::statement::{Revocation, Scope};
use wire::{Epoch, Reason, Rendition, SpkiHash, StripeSet};

/// How long an end waits for its coordinator's order.
const TURN: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anothers_permit_is_refused_by_name_and_its_bearer_is_served() {
    let stream = Stream::begin();
    let parent = Running::start(&stream, &stream.member(), Setup::default());
    let (bearer, thief) = (stream.member(), stream.member());
    let permit = stream.signed_permit(parent.spki, bearer.spki());
    let below = order(permit.clone(), bearer.spki(), NodeKind::Peer, None);
    parent.node.order_edge(below).unwrap();

    let (_socket, link, _channel) = hello(&thief, parent.address, permit.clone()).await;
    assert_eq!(closed(&link).await, Reason::PermitInvalid);
    child(&bearer, parent.address, permit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permits_that_are_forged_old_or_for_the_other_end_are_refused() {
    let stream = Stream::begin();
    let parent = Running::start(&stream, &stream.member(), Setup::default());
    let member = stream.member();
    let good = stream.permit(parent.spki, member.spki());
    let forged = certs::permit::sign(&key(), &good);
    let mut old = good.clone();
    (old.issued, old.expiry) = (stream.run.start, now());
    let mut swapped = good.clone();
    (swapped.parent, swapped.child) = (member.spki(), SpkiHash([7; 32]));
    let signed = |permit| certs::permit::sign(&stream.permit_key, permit);
    for permit in [forged, signed(&old), signed(&swapped)] {
        let (_socket, link, _channel) = hello(&member, parent.address, permit).await;
        assert_eq!(closed(&link).await, Reason::PermitInvalid);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_the_coordinator_did_not_order_here_times_out() {
    let stream = Stream::begin();
    let parent = Running::start(&stream, &stream.member(), Setup::default());
    let member = stream.member();
    let permit = stream.signed_permit(parent.spki, member.spki());
    let began = Instant::now();
    let (_socket, link, _channel) = hello(&member, parent.address, permit).await;
    assert_eq!(closed(&link).await, Reason::PermitMissing);
    assert!(began.elapsed() >= TURN, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_member_is_put_out_at_once_and_stays_out() {
    let stream = Stream::begin();
    let mut parent = Running::start(&stream, &stream.member(), Setup::default());
    let member = stream.member();
    let permit = stream.signed_permit(parent.spki, member.spki());
    let below = order(permit.clone(), member.spki(), NodeKind::Peer, None);
    parent.node.order_edge(below.clone()).unwrap();
    let (_socket, link, _channel) = child(&member, parent.address, permit).await;

    let revocation = Revocation {
        scope: Scope {
            epoch: Epoch(1),
            ..stream.run.scope.clone()
        },
        member: member.spki(),
        issued: now(),
    };
    let revocation = certs::sign(&stream.permit_key, &revocation);
    parent.node.revoke(&revocation).unwrap();
    assert_eq!(closed(&link).await, Reason::Revoked);
    assert_eq!(parent.edge_down().await.0, member.spki());
    assert!(parent.node.order_edge(below).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_whose_permit_is_spent_gets_no_byte_more() {
    let stream = Stream::begin();
    let parent = Running::start(&stream, &stream.member(), Setup::default());
    let member = stream.member();
    let mut permit = stream.permit(parent.spki, member.spki());
    permit.byte_budget = 40_000;
    let permit = certs::permit::sign(&stream.permit_key, &permit);
    let below = order(permit.clone(), member.spki(), NodeKind::Peer, None);
    parent.node.order_edge(below).unwrap();
    let (_socket, link, _channel) = child(&member, parent.address, permit).await;
    let (mut publisher, init) = stream.publisher();
    parent.publish(init);
    parent.publish(media(&mut publisher, 100_000, true));
    assert_eq!(closed(&link).await, Reason::BudgetSpent);
    assert!(parent.node.load().sent_bytes <= 40_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_gets_the_rendition_of_its_permit_and_no_other() {
    let stream = Stream::begin();
    let mut parent = Running::start(&stream, &stream.member(), Setup::default());
    let member = stream.member();
    let mut permit = stream.permit(parent.spki, member.spki());
    permit.rendition = Rendition(1);
    let permit = certs::permit::sign(&stream.permit_key, &permit);
    let below = order(permit.clone(), member.spki(), NodeKind::Peer, None);
    parent.node.order_edge(below).unwrap();
    // It starts with rendition 0.
    let (_socket, link, mut channel) = hello(&member, parent.address, permit).await;
    let welcome: Edge = soon("welcome", channel.expect("no welcome")).await.unwrap();
    assert!(matches!(welcome, Edge::Welcome(_)));
    let start = Start {
        rendition: Rendition(0),
        stripes: StripeSet::ALL,
        resume: None,
    };
    channel.send(&Edge::Start(start)).await.unwrap();
    assert_eq!(closed(&link).await, Reason::PermitInvalid);
    assert_eq!(parent.edge_down().await.1, "rendition_not_permitted");
}

fn relay(stream: &Stream, private_networks: bool) -> Running {
    let setup = Setup {
        kind: NodeKind::Relay,
        private_networks,
        ..Setup::default()
    };
    Running::start(stream, &stranger(), setup)
}

/// Orders `relay` to dial somebody as its child.
fn dials(stream: &Stream, relay: &Running, kind: NodeKind, address: SocketAddr) -> Option<Reason> {
    let other = stranger().spki();
    let permit = stream.signed_permit(other, relay.spki);
    let ordered = relay
        .node
        .order_edge(order(permit, other, kind, Some(address)));
    ordered.err().map(|e| e.wire_reason())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_dials_nobody_but_relays() {
    let stream = Stream::begin();
    let relay = relay(&stream, true);
    let address = SocketAddr::from(([127, 0, 0, 1], 9));
    let refused = Some(Reason::PermitInvalid);
    assert_eq!(dials(&stream, &relay, NodeKind::Peer, address), refused);
    assert_eq!(dials(&stream, &relay, NodeKind::Station, address), refused);
    assert_eq!(dials(&stream, &relay, NodeKind::Relay, address), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_dials_few_relays_and_none_inside_its_own_network() {
    let stream = Stream::begin();
    let inside = [
        "127.0.0.1:9",
        "10.0.0.1:9",
        "169.254.169.254:80",
        "192.168.1.1:9",
        "[::1]:9",
        "[fd00::1]:9",
        "[::ffff:10.0.0.1]:9",
    ];
    let strict = relay(&stream, false);
    for address in inside {
        let refused = dials(&stream, &strict, NodeKind::Relay, address.parse().unwrap());
        assert_eq!(refused, Some(Reason::PermitInvalid), "{address}");
    }
    let many = relay(&stream, true);
    let address = SocketAddr::from(([127, 0, 0, 1], 9));
    let refusals: Vec<_> = (0..10)
        .filter_map(|_| dials(&stream, &many, NodeKind::Relay, address))
        .collect();
    assert_eq!(refusals, [Reason::PermitInvalid; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_station_publishes_crosses_two_hops_in_order() {
    let stream = Stream::begin();
    let station = Setup {
        kind: NodeKind::Station,
        ..Setup::default()
    };
    let station = Running::start(&stream, &stream.station, station);
    let upper = Running::start(&stream, &stream.member(), Setup::default());
    let mut lower = Running::start(&stream, &stream.member(), Setup::default());
    join(&stream, &station, &upper);
    join(&stream, &upper, &lower);
    let (mut publisher, init) = stream.publisher();
    station.publish(init);
    for number in 0..6 {
        let chunk = media(&mut publisher, 50_000, number % 3 == 0);
        let (header, blocks) = (chunk.header.clone(), chunk.blocks.clone());
        station.publish(chunk);
        assert_eq!(lower.chunk(header.key()).await, Some(upper.spki));
        let (_, held) = lower.node.chunk(header.key()).unwrap();
        let held: Vec<_> = held.into_iter().map(|piece| piece.data).collect();
        assert_eq!(held, blocks);
    }
    soon("the count of children", async {
        while station.node.load().children != 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
