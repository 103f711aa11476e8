//! A parent sends the rendition that the permit names.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::time::Duration;
use support::{Running, Setup, Stream, child, closed, media, order, soon};
use wire::message::control::NodeKind;
use wire::message::edge::{Edge, Start};
use wire::statement::{BatchedPermit, Permit};
use wire::{Reason, Rendition, SpkiHash, StripeSet};

/// How long nothing must come.
const QUIET: Duration = Duration::from_millis(700);

/// The coordinator's leave for a rendition, as its `serial`-th word.
fn permit(
    stream: &Stream,
    (parent, child): (SpkiHash, SpkiHash),
    of: u8,
    serial: u64,
) -> BatchedPermit {
    let permit = Permit {
        serial,
        rendition: Rendition(of),
        ..stream.permit(parent, child)
    };
    certs::permit::sign(&stream.permit_key, &permit)
}

fn start(of: u8) -> Edge {
    Edge::Start(Start {
        rendition: Rendition(of),
        stripes: StripeSet::ALL,
        resume: None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_whose_permit_moves_it_down_gets_nothing_more_of_the_old() {
    let stream = Stream::begin();
    let mut parent = Running::start(&stream, &stream.member(), Setup::default());
    let (mut publisher, init) = stream.publisher();
    parent.publish(init);
    parent.publish(media(&mut publisher, 20_000, true));
    let rider = stream.member();
    let edge = (parent.spki, rider.spki());
    let give = |of, serial| {
        let permit = permit(&stream, edge, of, serial);
        let below = order(permit.clone(), rider.spki(), NodeKind::Peer, None);
        parent.node.order_edge(below).unwrap();
        permit
    };
    let first = give(0, 1);
    let (_socket, link, mut channel) = child(&rider, parent.address, first).await;
    let group = soon("the first group", link.connection.accept_uni()).await;
    let mut group = group.unwrap();
    assert!(
        soon("bytes", group.read(&mut [0; 64]))
            .await
            .unwrap()
            .is_some()
    );
    let down = give(1, 2);
    let told = soon("the renewed permit", async {
        loop {
            if let Edge::Renew(told) = channel.expect("no renewal").await.unwrap() {
                return told;
            }
        }
    });
    assert_eq!(told.await, down);
    parent.publish(media(&mut publisher, 20_000, true));
    let more = tokio::time::timeout(QUIET, link.connection.accept_uni()).await;
    assert!(
        more.is_err(),
        "a group of a rendition that it was moved from"
    );
    channel.send(&start(0)).await.unwrap();
    assert_eq!(closed(&link).await, Reason::PermitInvalid);
    let refused = (rider.spki(), "rendition_not_permitted".to_owned());
    assert_eq!(parent.edge_down().await, refused);
}
