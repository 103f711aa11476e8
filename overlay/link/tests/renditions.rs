//! A parent sends the rendition that the permit names.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use link::Link;
use std::time::Duration;
use support::{Running, Setup, Stream, child, closed, media, order, soon};
use wire::message::control::NodeKind;
use wire::message::edge::{Edge, Start};
use wire::statement::{BatchedPermit, Permit};
use wire::{Reason, Rendition, SpkiHash, StripeSet};

/// How long nothing must come.
const QUIET: Duration = Duration::from_millis(700);

/// A chunk of the large picture, in bytes.
const CHUNK_BYTES: usize = 20_000;

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

/// Takes what comes until nothing comes any more; how many bytes it was.
async fn drain(link: &Link) -> usize {
    let mut bytes = 0;
    while let Ok(group) = tokio::time::timeout(QUIET, link.connection.accept_uni()).await {
        let (mut group, mut buffer) = (group.unwrap(), vec![0; 4_096]);
        while let Ok(Ok(Some(read))) = tokio::time::timeout(QUIET, group.read(&mut buffer)).await {
            bytes += read;
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_whose_permit_moves_it_down_gets_nothing_more_of_the_old() {
    let stream = Stream::begin();
    let mut parent = Running::start(&stream, &stream.member(), Setup::default());
    let (mut publisher, init) = stream.publisher();
    parent.publish(init);
    parent.publish(media(&mut publisher, CHUNK_BYTES, true));
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
    let fed = drain(&link).await;
    assert!(fed > CHUNK_BYTES, "{fed}");
    let down = give(1, 2);
    let told = soon("the renewed permit", async {
        loop {
            if let Edge::Renew(told) = channel.expect("no renewal").await.unwrap() {
                return told;
            }
        }
    });
    assert_eq!(told.await, down);
    parent.publish(media(&mut publisher, CHUNK_BYTES, true));
    // A header says that there is a chunk; no block of it comes.
    let more = drain(&link).await;
    assert!(more < 1_024, "{more} of what it was moved from");
    channel.send(&start(0)).await.unwrap();
    assert_eq!(closed(&link).await, Reason::PermitInvalid);
    let refused = (rider.spki(), "rendition_not_permitted".to_owned());
    assert_eq!(parent.edge_down().await, refused);
}
