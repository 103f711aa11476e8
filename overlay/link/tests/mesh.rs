//! What parents do not bring is pulled from neighbours, and whoever abuses
//! that is refused by name.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use certs::seal::{Publisher, SealedChunk};
use link::{Channel, Controls, Endpoint, HeadCheck, Link, NodeEvent, open_channel};
use std::sync::Arc;
use std::time::Duration;
use support::{Running, Setup, Stream, block, loopback, media, order, parent, soon};
use wire::codec::List;
use wire::message::StreamKind;
use wire::message::control::{Empty, NodeKind};
use wire::message::group::Record;
use wire::message::mesh::{Answer, Map, Mesh, Pull};
use wire::statement::{BatchedPermit, ChunkKey, PermitKind};
use wire::{Reason, Rendition, SpkiHash, Stripe, StripeSet, Stripes};

const CHUNK_BYTES: usize = 100_000;

fn set(stripes: impl IntoIterator<Item = u8>) -> StripeSet {
    stripes.into_iter().map(Stripe).collect()
}

fn permit(
    stream: &Stream,
    (parent, child): (SpkiHash, SpkiHash),
    (kind, stripes): (PermitKind, StripeSet),
) -> BatchedPermit {
    let mut permit = stream.permit(parent, child);
    (permit.kind, permit.stripes) = (kind, stripes);
    certs::permit::sign(&stream.permit_key, &permit)
}

fn repair(stream: &Stream, parent: SpkiHash, child: SpkiHash) -> BatchedPermit {
    permit(
        stream,
        (parent, child),
        (PermitKind::Repair, stream.stripes()),
    )
}

/// An edge over which these stripes are pushed.
fn feed(stream: &Stream, parent: &Running, child: &Running, stripes: StripeSet) {
    let permit = permit(
        stream,
        (parent.spki, child.spki),
        (PermitKind::Push, stripes),
    );
    let below = order(permit.clone(), child.spki, child.kind, None);
    parent.node.order_edge(below).unwrap();
    let above = order(permit, parent.spki, parent.kind, Some(parent.address));
    child.node.order_edge(above).unwrap();
}

/// Lets a node pull from another one.
fn neighbours(stream: &Stream, parent: &Running, child: &Running) {
    let permit = repair(stream, parent.spki, child.spki);
    let below = order(permit.clone(), child.spki, child.kind, None);
    parent.node.order_neighbour(below).unwrap();
    let above = order(permit, parent.spki, parent.kind, Some(parent.address));
    child.node.order_neighbour(above).unwrap();
}

/// A station, a neighbour that has all, and a child that gets three stripes of
/// five from the station; the parent of the other two sends nothing.
struct Scene {
    stream: Stream,
    station: Running,
    publisher: Publisher,
    neighbour: Running,
    child: Running,
    starving: SpkiHash,
    published: Vec<ChunkKey>,
    _held: (Arc<Endpoint>, Link, Channel),
}

const FED: [u8; 3] = [0, 1, 2];

impl Scene {
    async fn begin() -> Self {
        let stream = Stream::striped(Stripes::new(4, 1).unwrap());
        let setup = Setup {
            kind: NodeKind::Station,
            ..Setup::default()
        };
        let station = Running::start(&stream, &stream.station, setup);
        // Nothing ever comes of this parent: that it is silent is for
        // `HeadCheck` to say.
        let impatient = || Setup {
            controls: Controls {
                heads: HeadCheck::default().mute_within_ms(1_500),
                ..Controls::default()
            },
            ..Setup::default()
        };
        let start = || Running::start(&stream, &stream.member(), impatient());
        let (mut neighbour, child) = (start(), start());
        let (mut publisher, init) = stream.publisher();
        station.publish(init);
        feed(&stream, &station, &neighbour, stream.stripes());
        let first = media(&mut publisher, CHUNK_BYTES, true);
        let key = first.header.key();
        station.publish(first);
        neighbour.chunk(key).await;
        feed(&stream, &station, &child, set(FED));
        // The child dials it after it knows where to resume from.
        let (starving, held) = starving(&stream, &child).await;
        Self {
            stream,
            station,
            publisher,
            neighbour,
            child,
            starving,
            published: vec![key],
            _held: held,
        }
    }

    fn publish(&mut self) -> ChunkKey {
        let key = self.published.len().is_multiple_of(5);
        let chunk = media(&mut self.publisher, CHUNK_BYTES, key);
        let name = chunk.header.key();
        self.station.publish(chunk);
        self.published.push(name);
        name
    }

    async fn publish_for(&mut self, chunks: usize) {
        for _ in 0..chunks {
            self.publish();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn starving(stream: &Stream, child: &Running) -> (SpkiHash, (Arc<Endpoint>, Link, Channel)) {
    let identity = stream.member();
    let endpoint = Arc::new(Endpoint::bind(loopback(), &identity).unwrap());
    let address = endpoint.address().unwrap();
    let pair = (identity.spki(), child.spki);
    let leave = permit(stream, pair, (PermitKind::Push, set([3, 4])));
    let above = order(leave, identity.spki(), NodeKind::Peer, Some(address));
    child.node.order_edge(above).unwrap();
    let (link, channel) = parent(&endpoint).await;
    (identity.spki(), (endpoint, link, channel))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_parent_starves_is_pulled_from_a_neighbour_and_still_held_against_the_parent() {
    let mut scene = Scene::begin().await;
    neighbours(&scene.stream, &scene.neighbour, &scene.child);
    scene.publish_for(15).await;
    let mut withheld = false;
    soon("the chunks", async {
        for key in scene.published.clone() {
            while scene.child.node.chunk(key).is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let (_, came) = scene.child.node.chunk_by_sender(key).unwrap();
            for block in came {
                let fed = FED.contains(&u8::try_from(block.index % 5).unwrap());
                let of = if fed {
                    scene.station.spki
                } else {
                    scene.neighbour.spki
                };
                assert_eq!(block.from, Some(of), "block {}", block.index);
            }
        }
    })
    .await;
    soon("a word about the parent", async {
        while !withheld {
            scene.publish();
            tokio::time::sleep(Duration::from_millis(100)).await;
            while let Ok(event) = scene.child.events.try_recv() {
                if let NodeEvent::Withheld { from, stripes, .. } = event {
                    assert_eq!((from, stripes), (scene.starving, set([3, 4])));
                    withheld = true;
                }
            }
        }
    })
    .await;
    let repairs = scene.child.node.repairs();
    assert!(repairs.pulled.repaired >= 15, "{repairs:?}");
    assert_eq!(repairs.neighbours, 1);
    assert!(scene.neighbour.node.repairs().answered >= 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_neighbour_what_a_parent_starves_is_missing() {
    let mut scene = Scene::begin().await;
    scene.publish_for(15).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let here = |key: &&ChunkKey| scene.child.node.chunk(**key).is_some();
    assert_eq!(scene.published.iter().filter(here).count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_pulled_is_passed_on_to_own_children() {
    let mut scene = Scene::begin().await;
    let grandchild = Running::start(&scene.stream, &scene.stream.member(), Setup::default());
    feed(
        &scene.stream,
        &scene.child,
        &grandchild,
        scene.stream.stripes(),
    );
    neighbours(&scene.stream, &scene.neighbour, &scene.child);
    scene.publish_for(10).await;
    soon("the chunk at the grandchild", async {
        let key = *scene.published.last().unwrap();
        while grandchild.node.chunk(key).is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (_, came) = grandchild.node.chunk_by_sender(key).unwrap();
        assert!(
            came.iter()
                .all(|block| block.from == Some(scene.child.spki))
        );
    })
    .await;
}

/// A child's end that the test speaks for.
async fn pulling(stream: &Stream, parent: &Running, kind: PermitKind) -> (Endpoint, Link, Channel) {
    pulling_of(stream, parent, (kind, Rendition(0))).await
}

async fn pulling_of(
    stream: &Stream,
    parent: &Running,
    (kind, rendition): (PermitKind, Rendition),
) -> (Endpoint, Link, Channel) {
    let member = stream.member();
    let mut leave = stream.permit(parent.spki, member.spki());
    (leave.kind, leave.stripes, leave.rendition) = (kind, stream.stripes(), rendition);
    let leave = certs::permit::sign(&stream.permit_key, &leave);
    let below = order(leave.clone(), member.spki(), NodeKind::Peer, None);
    let ordered = parent.node.order_neighbour(below);
    assert_eq!(ordered.is_ok(), kind == PermitKind::Repair);
    let endpoint = Endpoint::bind(loopback(), &member).unwrap();
    let link = endpoint
        .dial(parent.address, None, link::Patience::Control)
        .await
        .unwrap();
    let mut channel = open_channel(&link, StreamKind::Mesh).await.unwrap();
    channel.send(&Mesh::Hello(leave)).await.unwrap();
    (endpoint, link, channel)
}

/// The next message that is no map.
async fn told(channel: &mut Channel) -> Mesh {
    soon("an answer", async {
        loop {
            match channel.expect::<Mesh>("no answer").await.unwrap() {
                Mesh::Map(_) | Mesh::Welcome(_) => {}
                other => return other,
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_gets_each_block_once_and_is_told_so() {
    let scene = Scene::begin().await;
    let (_endpoint, link, mut channel) =
        pulling(&scene.stream, &scene.neighbour, PermitKind::Repair).await;
    let pull = Pull {
        chunk: scene.published[0],
        index: 3,
        header: true,
    };
    channel.send(&Mesh::Pull(pull.clone())).await.unwrap();
    let Mesh::Answer(answer) = told(&mut channel).await else {
        panic!("no block");
    };
    assert!(answer.header.is_some());
    assert_eq!((answer.block.chunk, answer.block.index), (pull.chunk, 3));
    channel.send(&Mesh::Pull(pull.clone())).await.unwrap();
    let Mesh::Refused(refusal) = told(&mut channel).await else {
        panic!("the block came twice");
    };
    assert_eq!(refusal.reason, Reason::RepairRepeated);
    let nowhere = Pull {
        index: 1_000,
        ..pull.clone()
    };
    channel.send(&Mesh::Pull(nowhere)).await.unwrap();
    let Mesh::Refused(refusal) = told(&mut channel).await else {
        panic!("a block that cannot be");
    };
    assert_eq!(refusal.reason, Reason::RepairNotHere);
    // Who goes on and on is left.
    for _ in 0..100 {
        if channel.send(&Mesh::Pull(pull.clone())).await.is_err() {
            break;
        }
    }
    assert_eq!(support::closed(&link).await, Reason::RepairRepeated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leave_to_pull_is_for_the_rendition_that_it_names() {
    let scene = Scene::begin().await;
    let (_endpoint, _link, mut channel) = pulling_of(
        &scene.stream,
        &scene.neighbour,
        (PermitKind::Repair, Rendition(1)),
    )
    .await;
    let pull = Pull {
        chunk: scene.published[0],
        index: 3,
        header: true,
    };
    channel.send(&Mesh::Pull(pull)).await.unwrap();
    let Mesh::Refused(refusal) = told(&mut channel).await else {
        panic!("a block of another rendition");
    };
    assert_eq!(refusal.reason, Reason::PermitInvalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leave_to_be_fed_is_no_leave_to_pull() {
    let scene = Scene::begin().await;
    let (_endpoint, link, _channel) =
        pulling(&scene.stream, &scene.neighbour, PermitKind::Push).await;
    assert_eq!(support::closed(&link).await, Reason::PermitInvalid);
}

/// A neighbour that the test speaks for and the child may pull from: has every
/// block by its own word.
struct Spoken {
    spki: SpkiHash,
    link: Link,
    channel: Channel,
    _endpoint: Endpoint,
}

async fn spoken(stream: &Stream, child: &Running) -> Spoken {
    let identity = stream.member();
    let endpoint = Endpoint::bind(loopback(), &identity).unwrap();
    let address = endpoint.address().unwrap();
    let leave = repair(stream, identity.spki(), child.spki);
    let above = order(leave, identity.spki(), NodeKind::Peer, Some(address));
    child.node.order_neighbour(above).unwrap();
    let accepting = soon("a child's dial", endpoint.accept()).await.unwrap();
    let link = accepting.finish().await.unwrap();
    let (StreamKind::Mesh, mut channel) = link.first_channel().await.unwrap() else {
        panic!("another stream");
    };
    let hello = channel.expect::<Mesh>("no permit").await.unwrap();
    assert!(matches!(hello, Mesh::Hello(_)));
    channel.send(&Mesh::Welcome(Empty {})).await.unwrap();
    Spoken {
        spki: identity.spki(),
        link,
        channel,
        _endpoint: endpoint,
    }
}

fn boast(chunk: &SealedChunk) -> Mesh {
    let all = (0..u16::try_from(chunk.blocks.len()).unwrap()).collect();
    Mesh::Map(Map {
        rendition: Rendition(0),
        start: None,
        first: chunk.header.sequence,
        chunks: List::new(vec![all]).unwrap(),
    })
}

fn answer(chunk: &SealedChunk, index: u16, data: bytes::Bytes) -> Mesh {
    let Record::Block(block) = block(chunk, index.into(), data) else {
        panic!("no block");
    };
    Mesh::Answer(Box::new(Answer {
        header: Some(chunk.signed.clone()),
        block,
    }))
}

async fn left(child: &mut Running) -> (SpkiHash, String) {
    soon("the end of the neighbour", async {
        loop {
            if let NodeEvent::NeighbourDown {
                other,
                name,
                refusal,
                ..
            } = child.events.recv().await.unwrap()
            {
                assert!(refusal);
                return (other, name);
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_with_rubbish_is_left_by_name_and_another_neighbour_repairs() {
    let mut scene = Scene::begin().await;
    let mut liar = spoken(&scene.stream, &scene.child).await;
    let chunk = media(&mut scene.publisher, CHUNK_BYTES, false);
    let key = chunk.header.key();
    scene.station.publish(chunk.clone());
    liar.channel.send(&boast(&chunk)).await.unwrap();
    let pull = loop {
        // The init segment is asked for, too: it has two blocks of five.
        match told(&mut liar.channel).await {
            Mesh::Pull(pull) if pull.chunk == key => break pull,
            Mesh::Pull(pull) => assert!(pull.chunk.init),
            _ => panic!("no pull"),
        }
    };
    let mut rubbish = chunk.blocks[usize::from(pull.index)].to_vec();
    rubbish[0] ^= 1;
    let bad = answer(&chunk, pull.index, rubbish.into());
    liar.channel.send(&bad).await.unwrap();
    let named = (liar.spki, "block_proof_mismatch".to_owned());
    assert_eq!(left(&mut scene.child).await, named);
    assert_eq!(
        support::closed(&liar.link).await,
        Reason::BlockProofMismatch
    );
    assert!(scene.child.node.chunk(key).is_none());
    neighbours(&scene.stream, &scene.neighbour, &scene.child);
    scene.child.chunk(key).await;
    let (header, pieces) = scene.child.node.chunk(key).unwrap();
    let sealed = certs::seal::assemble(&header, &pieces).unwrap();
    assert_eq!(
        sealed,
        certs::seal::assemble(&chunk.header, &chunk.pieces()).unwrap()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_what_nobody_asked_for_is_left_by_name() {
    let mut scene = Scene::begin().await;
    let mut pushy = spoken(&scene.stream, &scene.child).await;
    let chunk = media(&mut scene.publisher, CHUNK_BYTES, false);
    let genuine = answer(&chunk, 0, chunk.blocks[0].clone());
    pushy.channel.send(&genuine).await.unwrap();
    let named = (pushy.spki, "repair_unasked".to_owned());
    assert_eq!(left(&mut scene.child).await, named);
}
