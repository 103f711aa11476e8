//! A broadcaster's keys, nodes on real sockets, and ends of an edge that a
//! test speaks for itself.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "each test file uses its part; a test fails by panicking"
)]

pub(crate) mod relay;

use bytes::Bytes;
use certs::seal::{EpochSecret, Publisher, SealedChunk};
use certs::x509::{MemberRequest, StreamCa, self_signed, spki_of_public};
use certs::{SigningKey, Verified};
use link::{
    Channel, Clock, Controls, Endpoint, Identity, Link, Node, NodeConfig, NodeEvent, Patience,
    Verification, open_channel, stream_kind,
};
use ring::rand::{SecureRandom, SystemRandom};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use wire::codec::{Blob, List, Text, put_varint};
use wire::message::StreamKind;
use wire::message::control::{EdgeOrder, Empty, Name, NodeKind, NodeRef};
use wire::message::edge::{Edge, Start};
use wire::message::group::{Block, GroupStart, Record};
use wire::statement::{
    BatchedPermit, ChunkFlags, ChunkKey, HeadBeacon, Permit, PermitKind, Priority, RunStatement,
    Scope, Signed,
};
use wire::{
    Digest, Encode, Epoch, Reason, Rendition, RunId, Sequence, SpkiHash, StreamId, StripeSet,
    Stripes, UnixMs,
};

/// Longer than any single step, an unanswered one of the protocol included.
pub(crate) const STEP_MS: u64 = 15_000;
const FAST_BPS: u64 = 10_000_000_000;

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) fn now() -> UnixMs {
    Clock::new().unix()
}

pub(crate) fn key() -> SigningKey {
    SigningKey::generate(&SystemRandom::new()).unwrap()
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

/// Fails the test if `future` takes longer than a step may.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_millis(STEP_MS), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {STEP_MS} ms"),
    }
}

/// An identity that nobody vouches for.
pub(crate) fn stranger() -> Identity {
    self_made(key())
}

pub(crate) fn self_made(key: SigningKey) -> Identity {
    Identity {
        certificate: self_signed(&key, Vec::new()).unwrap(),
        key: Arc::new(key),
    }
}

/// A stream's keys.
pub(crate) struct Stream {
    pub(crate) run: Verified<RunStatement>,
    pub(crate) signed_run: Signed<RunStatement>,
    pub(crate) station: Identity,
    pub(crate) permit_key: SigningKey,
    pub(crate) beacon_key: SigningKey,
    chunk_key: SigningKey,
    ca: StreamCa,
}

impl Stream {
    pub(crate) fn begin() -> Self {
        Self::striped(Stripes::SINGLE)
    }

    /// A stream that is cut like this.
    pub(crate) fn striped(stripes: Stripes) -> Self {
        let (root, ca_key, chunk_key, permit_key, node) = (key(), key(), key(), key(), key());
        let beacon_key = key();
        let stream = StreamId(*root.public().as_bytes());
        let statement = RunStatement {
            scope: Scope {
                stream,
                run: RunId(random()),
                epoch: Epoch(0),
            },
            start: UnixMs(now().0 - 10_000),
            end: now().plus_ms(3_600_000),
            ca_key: ca_key.public(),
            chunk_key: chunk_key.public(),
            permit_key: permit_key.public(),
            beacon_key: beacon_key.public(),
            coordinator: spki_of_public(&node.public()),
            stripes,
        };
        let signed_run = certs::sign(&root, &statement);
        let run = certs::run::verify(&signed_run, &stream, now()).unwrap();
        let ca = StreamCa::new(ca_key, random(), run.start, run.end).unwrap();
        let station = issue(&ca, &run, Arc::new(node), run.end);
        Self {
            run,
            signed_run,
            station,
            permit_key,
            beacon_key,
            chunk_key,
            ca,
        }
    }

    pub(crate) fn member(&self) -> Identity {
        self.member_until(self.run.end)
    }

    /// A member whose membership ends before the run.
    pub(crate) fn member_until(&self, not_after: UnixMs) -> Identity {
        issue(&self.ca, &self.run, Arc::new(key()), not_after)
    }

    /// The same member with a membership until the end of the run.
    pub(crate) fn renewed(&self, member: &Identity) -> Identity {
        issue(&self.ca, &self.run, member.key.clone(), self.run.end)
    }

    /// Every stripe of the run.
    pub(crate) fn stripes(&self) -> StripeSet {
        self.run.stripes.into()
    }

    pub(crate) fn permit(&self, parent: SpkiHash, child: SpkiHash) -> Permit {
        Permit {
            scope: self.run.scope.clone(),
            serial: 1,
            kind: PermitKind::Push,
            stripes: self.stripes(),
            rendition: Rendition(0),
            parent,
            child,
            parent_order: None,
            child_order: None,
            priority: Priority::FreeRider,
            byte_budget: 1 << 40,
            issued: now(),
            expiry: now().plus_ms(200_000),
        }
    }

    pub(crate) fn signed_permit(&self, parent: SpkiHash, child: SpkiHash) -> BatchedPermit {
        certs::permit::sign(&self.permit_key, &self.permit(parent, child))
    }

    /// What the station says at `now` when `head` is its newest chunk.
    pub(crate) fn beacon(&self, head: u64, now: UnixMs) -> HeadBeacon {
        HeadBeacon {
            scope: self.run.scope.clone(),
            rendition: Rendition(0),
            head: Sequence(head),
            header: Digest([0; 32]),
            now,
        }
    }

    pub(crate) fn signed_beacon(&self, head: u64, now: UnixMs) -> Signed<HeadBeacon> {
        certs::sign(&self.beacon_key, &self.beacon(head, now))
    }

    /// A publisher that signs with `key`, and has published its init segment.
    fn publisher_signing_with(&self, key: &SigningKey, of: Rendition) -> (Publisher, SealedChunk) {
        let secret = EpochSecret::generate(&SystemRandom::new()).unwrap();
        // The publisher wants the run's own key: a forger makes up a run.
        let mut statement = (*self.run).clone();
        statement.chunk_key = key.public();
        let root = self::key();
        statement.scope.stream = StreamId(*root.public().as_bytes());
        let signed = certs::sign(&root, &statement);
        let made_up = certs::run::verify(&signed, &statement.scope.stream, now()).unwrap();
        let run = if key.public() == self.run.chunk_key {
            &self.run
        } else {
            &made_up
        };
        let epoch = Epoch(0);
        let mut publisher = Publisher::new(key.clone(), run, epoch, &secret, of).unwrap();
        let init = ChunkFlags {
            init: true,
            ..ChunkFlags::default()
        };
        let init = publisher.publish(b"init", 0, 0, now(), init).unwrap();
        (publisher, init)
    }

    pub(crate) fn publisher(&self) -> (Publisher, SealedChunk) {
        self.publisher_of(Rendition(0))
    }

    pub(crate) fn publisher_of(&self, rendition: Rendition) -> (Publisher, SealedChunk) {
        self.publisher_signing_with(&self.chunk_key, rendition)
    }

    /// Chunks of somebody who has not the run's chunk key.
    pub(crate) fn forger(&self) -> (Publisher, SealedChunk) {
        self.publisher_signing_with(&key(), Rendition(0))
    }
}

fn issue(ca: &StreamCa, run: &RunStatement, key: Arc<SigningKey>, not_after: UnixMs) -> Identity {
    let request = MemberRequest {
        key: key.public(),
        name: "member",
        serial: random(),
        not_before: run.start,
        not_after,
    };
    Identity {
        certificate: ca.issue(&request).unwrap(),
        key,
    }
}

/// A media chunk of 200 ms; playback can start at a `key` one.
pub(crate) fn media(publisher: &mut Publisher, len: usize, key: bool) -> SealedChunk {
    let flags = ChunkFlags {
        key,
        ..ChunkFlags::default()
    };
    let time_us = publisher.next_sequence().0 * 200_000;
    let plain = vec![0x5a; len];
    publisher
        .publish(&plain, time_us, 200_000, now(), flags)
        .unwrap()
}

/// One node of the library on a socket of its own, which serves edges.
pub(crate) struct Running {
    pub(crate) node: Arc<Node>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) events: mpsc::UnboundedReceiver<NodeEvent>,
    pub(crate) address: SocketAddr,
    pub(crate) spki: SpkiHash,
    pub(crate) kind: NodeKind,
}

/// What differs between the nodes of the tests.
pub(crate) struct Setup {
    pub(crate) kind: NodeKind,
    pub(crate) upload_bps: u64,
    pub(crate) forwarder: overlay::forwarder::Config,
    pub(crate) private_networks: bool,
    pub(crate) verification: Verification,
    pub(crate) controls: Controls,
    pub(crate) clock: Clock,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            kind: NodeKind::Peer,
            upload_bps: FAST_BPS,
            forwarder: overlay::forwarder::Config::default(),
            private_networks: true,
            verification: Verification::PermitOnly,
            controls: Controls::default(),
            clock: Clock::new(),
        }
    }
}

impl Running {
    pub(crate) fn start(stream: &Stream, identity: &Identity, setup: Setup) -> Self {
        let endpoint = Arc::new(Endpoint::bind(loopback(), identity).unwrap());
        let address = endpoint.address().unwrap();
        let config = NodeConfig {
            me: identity.spki(),
            kind: setup.kind,
            upload_bps: setup.upload_bps,
            byte_cap: None,
            forwarder: setup.forwarder,
            verification: setup.verification,
            private_networks: setup.private_networks,
        };
        let (node, events) =
            Node::with_controls(config, setup.controls, endpoint.clone(), setup.clock);
        node.enter_run(stream.run.clone());
        tokio::spawn(accept_edges(node.clone(), endpoint.clone()));
        Self {
            node,
            endpoint,
            events,
            address,
            spki: identity.spki(),
            kind: setup.kind,
        }
    }

    /// Orders the node under a member that the test plays itself.
    pub(crate) fn under_stranger(&self, stream: &Stream, kind: NodeKind) -> (Identity, Endpoint) {
        let identity = stream.member();
        let socket = Endpoint::bind(loopback(), &identity).unwrap();
        let permit = stream.signed_permit(identity.spki(), self.spki);
        let address = socket.address().unwrap();
        let above = order(permit, identity.spki(), kind, Some(address));
        self.node.order_edge(above).unwrap();
        (identity, socket)
    }

    pub(crate) fn publish(&self, chunk: SealedChunk) {
        let blocks = (0u16..).zip(&chunk.blocks).zip(&chunk.paths);
        let blocks = blocks
            .map(|((index, data), path)| {
                let block = certs::block::verify(&chunk.header, index, path, data).unwrap();
                (block, path.clone(), data.clone())
            })
            .collect();
        self.node.publish(chunk.header, chunk.signed, blocks);
    }

    /// Waits until the chunk is complete here; tells who gave the last block.
    pub(crate) async fn chunk(&mut self, wanted: ChunkKey) -> Option<SpkiHash> {
        soon("the chunk", async {
            loop {
                match self.events.recv().await.unwrap() {
                    NodeEvent::Chunk { key, from } if key == wanted => return from,
                    _ => {}
                }
            }
        })
        .await
    }

    /// Waits for a beacon that is news; its head.
    pub(crate) async fn beacon(&mut self) -> u64 {
        soon("a beacon", async {
            loop {
                if let NodeEvent::Beacon(beacon) = self.events.recv().await.unwrap() {
                    return beacon.head.0;
                }
            }
        })
        .await
    }

    /// Waits for the end of an edge; who was at the other end, and the name.
    pub(crate) async fn edge_down(&mut self) -> (SpkiHash, String) {
        soon("the end of an edge", async {
            loop {
                if let NodeEvent::EdgeDown { other, name, .. } = self.events.recv().await.unwrap() {
                    return (other, name);
                }
            }
        })
        .await
    }
}

async fn accept_edges(node: Arc<Node>, endpoint: Arc<Endpoint>) {
    while let Some(accepting) = endpoint.accept().await {
        let node = node.clone();
        tokio::spawn(async move {
            let Ok(link) = accepting.finish().await else {
                return;
            };
            while let Ok((send, mut recv)) = link.connection.accept_bi().await {
                let kind = stream_kind(&mut recv).await;
                let channel = Channel { send, recv };
                if kind == Some(StreamKind::Edge) {
                    tokio::spawn(edge(node.clone(), link.clone(), channel));
                } else if kind == Some(StreamKind::Mesh) {
                    tokio::spawn(mesh(node.clone(), link.clone(), channel));
                }
            }
        });
    }
}

pub(crate) async fn edge(node: Arc<Node>, link: Link, channel: Channel) {
    node.accept_edge(link, channel).await;
}

pub(crate) async fn mesh(node: Arc<Node>, link: Link, channel: Channel) {
    node.accept_mesh(link, channel).await;
}

/// One end's order for an edge; with an address, that end dials.
pub(crate) fn order(
    permit: BatchedPermit,
    other: SpkiHash,
    kind: NodeKind,
    dial: Option<SocketAddr>,
) -> EdgeOrder {
    let addresses = dial.map(|address| Text::new(address.to_string()).unwrap());
    EdgeOrder {
        permit,
        other: NodeRef {
            spki: other,
            kind,
            name: Name::new("other").unwrap(),
            addresses: List::new(addresses.into_iter().collect()).unwrap(),
            admission: None,
        },
        dial: dial.is_some(),
    }
}

/// Makes an edge between two nodes; the child dials.
pub(crate) fn join(stream: &Stream, parent: &Running, child: &Running) {
    let permit = stream.signed_permit(parent.spki, child.spki);
    let below = order(permit.clone(), child.spki, child.kind, None);
    parent.node.order_edge(below).unwrap();
    let above = order(permit, parent.spki, parent.kind, Some(parent.address));
    child.node.order_edge(above).unwrap();
}

/// A child's end that the test speaks for: dials and shows a permit.
pub(crate) async fn hello(
    identity: &Identity,
    address: SocketAddr,
    permit: BatchedPermit,
) -> (Endpoint, Link, Channel) {
    let endpoint = Endpoint::bind(loopback(), identity).unwrap();
    let link = endpoint
        .dial(address, None, Patience::Control)
        .await
        .unwrap();
    let mut channel = open_channel(&link, StreamKind::Edge).await.unwrap();
    channel.send(&Edge::Hello(permit)).await.unwrap();
    (endpoint, link, channel)
}

/// As [`hello`], and starts at the newest key frame.
pub(crate) async fn child(
    identity: &Identity,
    address: SocketAddr,
    permit: BatchedPermit,
) -> (Endpoint, Link, Channel) {
    let (endpoint, link, mut channel) = hello(identity, address, permit).await;
    let welcome = soon("the welcome", channel.expect::<Edge>("no welcome")).await;
    assert_eq!(welcome.unwrap(), Edge::Welcome(Empty {}));
    let start = Start {
        rendition: Rendition(0),
        stripes: StripeSet::ALL,
        resume: None,
    };
    channel.send(&Edge::Start(start)).await.unwrap();
    (endpoint, link, channel)
}

/// A parent's end that the test speaks for: waits for a child that dials, and
/// until it wants the stream.
pub(crate) async fn parent(endpoint: &Endpoint) -> (Link, Channel) {
    let (link, channel, _) = parent_of(endpoint).await;
    (link, channel)
}

/// As [`parent`], with what the child said of where to begin.
pub(crate) async fn parent_of(endpoint: &Endpoint) -> (Link, Channel, Start) {
    let accepting = soon("a child's dial", endpoint.accept()).await.unwrap();
    let link = accepting.finish().await.unwrap();
    let (send, mut recv) = link.connection.accept_bi().await.unwrap();
    assert_eq!(stream_kind(&mut recv).await, Some(StreamKind::Edge));
    let mut channel = Channel { send, recv };
    let hello = channel.expect::<Edge>("no permit").await.unwrap();
    assert!(matches!(hello, Edge::Hello(_)));
    channel.send(&Edge::Welcome(Empty {})).await.unwrap();
    let start = channel.expect::<Edge>("no start").await.unwrap();
    let Edge::Start(start) = start else {
        panic!("{start:?} instead of a start");
    };
    (link, channel, start)
}

/// Why the other end closed the link.
pub(crate) async fn closed(link: &Link) -> Reason {
    soon("the close", link.connection.closed()).await;
    link.close_reason()
}

/// A chunk's records, as an honest parent sends them.
pub(crate) fn records(chunk: &SealedChunk) -> Vec<Record> {
    let mut records = vec![Record::Header(chunk.signed.clone())];
    for index in 0..chunk.blocks.len() {
        records.push(block(chunk, index, chunk.blocks[index].clone()));
    }
    records
}

/// A block's record with this data.
pub(crate) fn block(chunk: &SealedChunk, index: usize, data: Bytes) -> Record {
    Record::Block(Block {
        chunk: chunk.header.key(),
        index: u16::try_from(index).unwrap(),
        path: chunk.paths[index].clone(),
        data: Blob::new(data).unwrap(),
    })
}

/// The beginning of a group's stream.
pub(crate) fn group_start() -> Vec<u8> {
    let mut bytes = StreamKind::Group.to_bytes();
    GroupStart {
        rendition: Rendition(0),
        first: Sequence(0),
    }
    .encode(&mut bytes);
    bytes
}

/// Sends records as one group.
pub(crate) async fn send_group(link: &Link, records: &[Record]) {
    let mut bytes = group_start();
    for record in records {
        let body = record.to_bytes();
        put_varint(&mut bytes, body.len() as u64);
        bytes.extend_from_slice(&body);
    }
    send_uni(link, &bytes).await;
}

/// Sends bytes on a stream of their own.
pub(crate) async fn send_uni(link: &Link, bytes: &[u8]) {
    let mut stream = link.connection.open_uni().await.unwrap();
    // The other end may close while it reads.
    let _ = stream.write_all(bytes).await;
    let _ = stream.finish();
}
