//! Several parents at once, each for some stripes: what a child gets of whom,
//! and what it does when one of them fails.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use certs::seal::{Publisher, SealedChunk};
use link::{Channel, Endpoint, Link, NodeEvent};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use support::{
    Running, Setup, Stream, block, hello, loopback, media, order, parent, send_group, soon,
};
use wire::message::control::NodeKind;
use wire::message::edge::{Edge, Start};
use wire::message::group::Record;
use wire::statement::{BatchedPermit, ChunkKey};
use wire::{Decode, Reason, Rendition, SpkiHash, Stripe, StripeSet, Stripes};

const GROUP: u64 = 5;
/// From one chunk to the next.
const CHUNK: Duration = Duration::from_millis(100);

fn set(stripes: impl IntoIterator<Item = u8>) -> StripeSet {
    stripes.into_iter().map(Stripe).collect()
}

fn four_and_one() -> Stream {
    Stream::striped(Stripes::new(4, 1).unwrap())
}

/// The coordinator's leave for these stripes, as its `serial`-th word.
fn permit(
    stream: &Stream,
    (parent, child): (SpkiHash, SpkiHash),
    stripes: StripeSet,
    serial: u64,
) -> BatchedPermit {
    let mut permit = stream.permit(parent, child);
    (permit.stripes, permit.serial) = (stripes, serial);
    certs::permit::sign(&stream.permit_key, &permit)
}

/// Makes an edge between two nodes, or changes the stripes of one.
fn join(stream: &Stream, parent: &Running, child: &Running, stripes: StripeSet, serial: u64) {
    let permit = permit(stream, (parent.spki, child.spki), stripes, serial);
    let below = order(permit.clone(), child.spki, child.kind, None);
    parent.node.order_edge(below).unwrap();
    let above = order(permit, parent.spki, parent.kind, Some(parent.address));
    child.node.order_edge(above).unwrap();
}

/// A station that publishes when the test says so.
struct Station {
    node: Running,
    publisher: Publisher,
    published: Vec<SealedChunk>,
}

impl Station {
    fn begin(stream: &Stream) -> Self {
        let node = Running::start(
            stream,
            &stream.station,
            Setup {
                kind: NodeKind::Station,
                ..Setup::default()
            },
        );
        let (publisher, init) = stream.publisher();
        node.publish(init);
        Self {
            node,
            publisher,
            published: Vec::new(),
        }
    }

    /// The next chunk, of two rows.
    fn publish(&mut self) -> ChunkKey {
        let key = (self.published.len() as u64).is_multiple_of(GROUP);
        let chunk = media(&mut self.publisher, 100_000, key);
        let name = chunk.header.key();
        self.node.publish(chunk.clone());
        self.published.push(chunk);
        name
    }
}

/// Waits until these stripes have come from this parent.
async fn works(child: &mut Running, from: SpkiHash, stripes: StripeSet) {
    let mut works = StripeSet::EMPTY;
    soon("the stripes", async {
        while !stripes.within(works) {
            works = works.union(come(child, from).await);
        }
    })
    .await;
}

/// The next stripe that has come from this parent for the first time.
async fn come(child: &mut Running, from: SpkiHash) -> StripeSet {
    loop {
        match child.events.recv().await.unwrap() {
            NodeEvent::EdgeUp {
                other,
                stripes,
                child: true,
                ..
            } if other.spki == from => {
                assert_eq!(stripes.len(), 1, "each stripe is told for itself");
                return stripes;
            }
            _ => {}
        }
    }
}

/// Publishes until these stripes have come from this parent: another one may
/// have brought what the child asks this one for.
async fn flows(station: &mut Station, child: &mut Running, from: SpkiHash, stripes: StripeSet) {
    let mut works = StripeSet::EMPTY;
    soon("the stripes", async {
        while !stripes.within(works) {
            station.publish();
            let chunk = tokio::time::sleep(CHUNK);
            tokio::pin!(chunk);
            loop {
                tokio::select! {
                    came = come(child, from) => works = works.union(came),
                    () = &mut chunk => break,
                }
            }
        }
    })
    .await;
}

/// Every chunk from the first one that the child has is whole, and as it was
/// published.
fn misses_nothing(station: &Station, child: &Running) {
    let mut begun = false;
    for chunk in &station.published {
        let Some((header, pieces)) = child.node.chunk(chunk.header.key()) else {
            assert!(!begun, "chunk {} is missing", chunk.header.sequence);
            continue;
        };
        begun = true;
        let sealed = certs::seal::assemble(&header, &pieces).unwrap();
        let whole = certs::seal::assemble(&chunk.header, &chunk.pieces()).unwrap();
        assert_eq!(sealed, whole);
    }
    assert!(begun);
}

/// A station, two nodes with all stripes, and a child of both.
struct Scene {
    stream: Stream,
    station: Station,
    left: Running,
    right: Running,
    child: Running,
}

impl Scene {
    async fn begin(of_left: StripeSet, of_right: StripeSet) -> Self {
        let stream = four_and_one();
        let mut station = Station::begin(&stream);
        let start = || Running::start(&stream, &stream.member(), Setup::default());
        let (mut left, mut right, mut child) = (start(), start(), start());
        for node in [&mut left, &mut right] {
            join(&stream, &station.node, node, stream.stripes(), 1);
            flows(&mut station, node, stream.station.spki(), stream.stripes()).await;
        }
        join(&stream, &left, &child, of_left, 1);
        join(&stream, &right, &child, of_right, 1);
        station.publish();
        works(&mut child, left.spki, of_left).await;
        station.publish();
        // Its stripes may have come while the test waited for the others.
        let from_right = |child: &Running, key| {
            let came = child.node.chunk_by_sender(key).map(|(_, came)| came);
            came.is_some_and(|came| came.iter().any(|b| b.from == Some(right.spki)))
        };
        soon("the other parent", async {
            loop {
                let key = station.publish();
                tokio::time::sleep(Duration::from_millis(50)).await;
                if from_right(&child, key) {
                    return;
                }
            }
        })
        .await;
        Self {
            stream,
            station,
            left,
            right,
            child,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_loses_the_parent_of_one_stripe_misses_no_chunk() {
    let mut scene = Scene::begin(set(0..4), set([4])).await;
    let key = scene.station.published.last().unwrap().header.key();
    let (_, came) = scene.child.node.chunk_by_sender(key).unwrap();
    for block in came {
        let of = if block.index % 5 == 4 {
            scene.right.spki
        } else {
            scene.left.spki
        };
        assert_eq!(block.from, Some(of), "block {}", block.index);
    }
    scene.right.endpoint.close(Reason::Done).await;
    // Nobody finds it another parent.
    for _ in 0..2 * GROUP {
        let key = scene.station.publish();
        scene.child.chunk(key).await;
    }
    misses_nothing(&scene.station, &scene.child);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_is_lost_is_replaced_stripe_by_stripe_without_a_gap() {
    let mut scene = Scene::begin(set([0, 1]), set([2, 3, 4])).await;
    scene.right.endpoint.close(Reason::Done).await;
    for _ in 0..3 {
        scene.station.publish();
    }
    // More is lost than parity covers: the other parent takes it all over.
    join(&scene.stream, &scene.left, &scene.child, set(0..4), 2);
    works(&mut scene.child, scene.left.spki, set([2, 3])).await;
    let key = scene.station.publish();
    scene.child.chunk(key).await;
    misses_nothing(&scene.station, &scene.child);
    let (_, came) = scene.child.node.chunk_by_sender(key).unwrap();
    assert!(
        came.iter()
            .all(|b| b.from == Some(scene.left.spki) && b.index % 5 != 4)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hears_first_of_other_stripes_tells_the_other_end() {
    let mut scene = Scene::begin(set([0, 1]), set([0, 2, 3])).await;
    let (left, child) = (scene.left.spki, scene.child.spki);
    // The parent alone.
    let more = permit(&scene.stream, (left, child), set([0, 1, 4]), 2);
    let below = order(more, child, NodeKind::Peer, None);
    scene.left.node.order_edge(below).unwrap();
    flows(&mut scene.station, &mut scene.child, left, set([4])).await;
    // The child alone; an older word does not undo it.
    let other = permit(&scene.stream, (left, child), set([2, 4]), 3);
    let address = Some(scene.left.address);
    let above = order(other, left, NodeKind::Peer, address);
    scene.child.node.order_edge(above).unwrap();
    let old = permit(&scene.stream, (left, child), set([0, 1]), 1);
    scene
        .child
        .node
        .order_edge(order(old, left, NodeKind::Peer, address))
        .unwrap();
    flows(&mut scene.station, &mut scene.child, left, set([2])).await;
    let key = scene.station.publish();
    let wanted: BTreeSet<u16> = [2, 4, 7, 9].into();
    soon("the stripes of the newest permit alone", async {
        loop {
            let sent: BTreeSet<u16> = scene
                .child
                .node
                .chunk_by_sender(key)
                .map(|(_, came)| {
                    came.iter()
                        .filter(|b| b.from == Some(left))
                        .map(|b| b.index)
                        .collect()
                })
                .unwrap_or_default();
            if sent.is_subset(&wanted) && !sent.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_asks_for_more_gets_what_its_permit_names() {
    let stream = four_and_one();
    let mut station = Station::begin(&stream);
    station.publish();
    let member = stream.member();
    let spki = member.spki();
    let leave = permit(&stream, (station.node.spki, spki), set([1, 3]), 1);
    let below = order(leave.clone(), spki, NodeKind::Peer, None);
    station.node.node.order_edge(below).unwrap();
    let (_endpoint, link, mut channel) = hello(&member, station.node.address, leave).await;
    soon("the welcome", channel.expect::<Edge>("no welcome"))
        .await
        .unwrap();
    let greedy = Start {
        rendition: Rendition(0),
        stripes: StripeSet::ALL,
        resume: None,
    };
    channel.send(&Edge::Start(greedy)).await.unwrap();
    let mut blocks = BTreeSet::new();
    // The group ends where the next one begins.
    let group = async {
        let mut group = link.connection.accept_uni().await.unwrap();
        group.read_to_end(10_000_000).await.unwrap()
    };
    let publishing = async {
        loop {
            station.publish();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let bytes = tokio::select! {
        bytes = soon("a group", group) => bytes,
        () = publishing => unreachable!("it goes on"),
    };
    for record in records_of(&bytes) {
        if let Record::Block(block) = record {
            assert!([1, 3].contains(&(block.index % 5)), "block {}", block.index);
            blocks.insert((block.chunk.sequence, block.index));
        }
    }
    assert!(
        blocks.len() >= 4 * 2,
        "both rows of both stripes of the group"
    );
}

/// The records of a group's stream.
fn records_of(bytes: &[u8]) -> Vec<Record> {
    let mut reader = wire::Reader::new(bytes);
    // Kind, rendition, first sequence.
    for _ in 0..3 {
        reader.varint("a number").unwrap();
    }
    let mut records = Vec::new();
    while reader.remaining() > 0 {
        let len = usize::try_from(reader.varint("a length").unwrap()).unwrap();
        let body = reader.take(len, "a record").unwrap();
        records.push(Record::from_bytes(body).unwrap());
    }
    records
}

/// A parent that the test speaks for, with leave for these stripes.
async fn spoken_for(
    stream: &Stream,
    child: &Running,
    stripes: StripeSet,
) -> (SpkiHash, Arc<Endpoint>, Link, Channel) {
    let identity = stream.member();
    let endpoint = Arc::new(Endpoint::bind(loopback(), &identity).unwrap());
    let address = endpoint.address().unwrap();
    let leave = permit(stream, (identity.spki(), child.spki), stripes, 1);
    let above = order(leave, identity.spki(), NodeKind::Peer, Some(address));
    child.node.order_edge(above).unwrap();
    let (link, channel) = parent(&endpoint).await;
    (identity.spki(), endpoint, link, channel)
}

/// What a parent of these stripes sends of a chunk.
fn part(chunk: &SealedChunk, stripes: StripeSet) -> Vec<Record> {
    let mut records = vec![Record::Header(chunk.signed.clone())];
    for index in 0..chunk.blocks.len() {
        if stripes.has(Stripe(u8::try_from(index % 5).unwrap())) {
            records.push(block(chunk, index, chunk.blocks[index].clone()));
        }
    }
    records
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_sends_a_stripe_of_somebody_else_is_refused_by_name() {
    let stream = four_and_one();
    let mut child = Running::start(&stream, &stream.member(), Setup::default());
    let (mut publisher, init) = stream.publisher();
    let (other, _endpoint, link, _channel) = spoken_for(&stream, &child, set([0, 1])).await;
    let chunk = media(&mut publisher, 50_000, true);
    send_group(&link, &part(&init, set([0, 1]))).await;
    send_group(&link, &part(&chunk, set(0..5))).await;
    assert_eq!(
        child.edge_down().await,
        (other, "stripe_not_permitted".to_owned())
    );
    assert_eq!(support::closed(&link).await, Reason::PermitInvalid);
    assert!(child.node.chunk(chunk.header.key()).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_stripe_is_told_while_the_others_flow() {
    let stream = four_and_one();
    let mut child = Running::start(&stream, &stream.member(), Setup::default());
    let (mut publisher, init) = stream.publisher();
    let honest = spoken_for(&stream, &child, set(0..4)).await;
    send_group(&honest.2, &part(&init, set(0..4))).await;
    let first = media(&mut publisher, 50_000, true);
    send_group(&honest.2, &part(&first, set(0..4))).await;
    child.chunk(first.header.key()).await;
    // It resumes at a place that it can name, and sends nothing more.
    let silent = spoken_for(&stream, &child, set([4])).await;
    let told = soon("a word about the silent stripe", async {
        loop {
            let chunk = media(&mut publisher, 50_000, false);
            send_group(&honest.2, &part(&chunk, set(0..4))).await;
            child.chunk(chunk.header.key()).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            while let Ok(event) = child.events.try_recv() {
                if let NodeEvent::Withheld { from, stripes, .. } = event {
                    return (from, stripes);
                }
            }
        }
    })
    .await;
    assert_eq!(
        told,
        (silent.0, set([4])),
        "and nothing is said of the honest one"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_parent_cannot_say_that_what_others_bring_will_not_come() {
    let stream = four_and_one();
    let mut child = Running::start(&stream, &stream.member(), Setup::default());
    let (mut publisher, init) = stream.publisher();
    let honest = spoken_for(&stream, &child, set(0..4)).await;
    let liar = spoken_for(&stream, &child, set([4])).await;
    let dropped = wire::message::group::Dropped {
        from: wire::Sequence(0),
        to: wire::Sequence(1_000),
        stripes: StripeSet::ALL,
        reason: Reason::SlowReader,
    };
    send_group(
        &liar.2,
        &[
            Record::Header(init.signed.clone()),
            Record::Dropped(dropped),
        ],
    )
    .await;
    send_group(&honest.2, &part(&init, set(0..4))).await;
    let chunk = media(&mut publisher, 50_000, true);
    send_group(&honest.2, &part(&chunk, set(0..4))).await;
    soon("the chunk", async {
        loop {
            match child.events.recv().await.unwrap() {
                NodeEvent::Chunk { key, .. } if key == chunk.header.key() => return,
                NodeEvent::Dropped { .. } => panic!("what the others bring is given up"),
                _ => {}
            }
        }
    })
    .await;
}
