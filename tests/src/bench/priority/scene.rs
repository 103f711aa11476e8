//! The nodes: a station, in the second scene a neighbour that has all, and the
//! children.

use super::report::{Got, STANDINGS, Shares};
use super::{CHILDREN, CHUNK_BYTES, CHUNK_MS, UPLINK_PERCENT};
use crate::bench::Error;
use crate::bench::stream::{Stream, order};
use certs::seal::{Publisher, SealedChunk};
use link::{
    Channel, Clock, Endpoint, Identity, Link, Node, NodeConfig, NodeEvent, Verification,
    stream_kind,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use wire::codec::{List, Text};
use wire::message::StreamKind;
use wire::message::control::NodeKind;
use wire::statement::{ChunkFlags, PermitKind, Priority};
use wire::{Sequence, SpkiHash, Stripes};

/// More than is ever sent.
const FAST_BPS: u64 = 10_000_000_000;
/// Bytes that may wait for a child: two seconds of the stream, so that what
/// cannot be sent is left out soon.
const QUEUE_BYTES_MAX: u64 = 250_000;
/// Chunks of a group of pictures.
const GROUP_CHUNKS: u64 = 5;
/// How long the links may take to come up.
const LINK_MS_MAX: u64 = 10_000;
/// How long what is under way at the end may take.
const GRACE_MS: u64 = 1_000;

/// How the children get the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The full uplink is that of their parent.
    Push,
    /// It is that of their only neighbour.
    Pull,
}

impl Way {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
        }
    }
}

/// When each chunk was published, and when it was whole where.
#[derive(Default)]
struct Times {
    published: BTreeMap<Sequence, Instant>,
    came: Vec<(usize, Sequence, Instant)>,
}

/// A node on a socket of its own.
struct Running {
    node: Arc<Node>,
    events: mpsc::UnboundedReceiver<NodeEvent>,
    address: SocketAddr,
    spki: SpkiHash,
}

impl Running {
    fn start(
        stream: &Stream,
        identity: &Identity,
        kind: NodeKind,
        upload_bps: u64,
    ) -> Result<Self, Error> {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let endpoint = Arc::new(Endpoint::bind(listen, identity)?);
        let config = NodeConfig {
            me: identity.spki(),
            kind,
            upload_bps,
            byte_cap: None,
            forwarder: overlay::forwarder::Config {
                queue_bytes_max: QUEUE_BYTES_MAX,
                ..overlay::forwarder::Config::default()
            },
            verification: Verification::PermitOnly,
            private_networks: true,
        };
        let address = endpoint.address()?;
        let (node, events) = Node::new(config, endpoint.clone(), Clock::new());
        node.enter_run(stream.run.clone());
        tokio::spawn(accept(node.clone(), endpoint));
        Ok(Self {
            node,
            events,
            address,
            spki: identity.spki(),
        })
    }
}

async fn accept(node: Arc<Node>, endpoint: Arc<Endpoint>) {
    while let Some(accepting) = endpoint.accept().await {
        let node = node.clone();
        tokio::spawn(async move {
            if let Ok(link) = accepting.finish().await {
                serve(node, link).await;
            }
        });
    }
}

async fn serve(node: Arc<Node>, link: Link) {
    while let Ok((send, mut recv)) = link.connection.accept_bi().await {
        let kind = stream_kind(&mut recv).await;
        let (node, link) = (node.clone(), link.clone());
        let channel = Channel { send, recv };
        match kind {
            Some(StreamKind::Edge) => {
                tokio::spawn(async move { node.accept_edge(link, channel).await });
            }
            Some(StreamKind::Mesh) => {
                tokio::spawn(async move { node.accept_mesh(link, channel).await });
            }
            _ => {}
        }
    }
}

/// One scene.
pub(super) struct Scene {
    station: Running,
    /// Of the second scene.
    neighbour: Option<Running>,
    publisher: Publisher,
    children: Vec<Running>,
}

impl Scene {
    /// All links of it; without `standing` every permit names a free rider.
    pub(super) async fn begin(way: Way, standing: bool) -> Result<Self, Error> {
        let stream = Stream::begin(Stripes::SINGLE)?;
        let uplink_bps = CHUNK_BYTES as u64 * 8 * 1_000 / CHUNK_MS * UPLINK_PERCENT / 100;
        let station_bps = match way {
            Way::Push => uplink_bps,
            Way::Pull => FAST_BPS,
        };
        let station = Running::start(&stream, &stream.station, NodeKind::Station, station_bps)?;
        let peer =
            |upload_bps| Running::start(&stream, &stream.member()?, NodeKind::Peer, upload_bps);
        let neighbour = match way {
            Way::Push => None,
            Way::Pull => Some(peer(uplink_bps)?),
        };
        let mut scene = Self {
            station,
            neighbour,
            publisher: stream.publisher()?,
            children: Vec::new(),
        };
        if let Some(neighbour) = &scene.neighbour {
            let leave = (PermitKind::Push, Priority::OwnSponsor);
            join(&stream, &scene.station, neighbour, leave)?;
        }
        for priority in STANDINGS.iter().flat_map(|p| [*p; CHILDREN]) {
            let child = peer(FAST_BPS)?;
            let priority = if standing {
                priority
            } else {
                Priority::FreeRider
            };
            match &scene.neighbour {
                None => join(
                    &stream,
                    &scene.station,
                    &child,
                    (PermitKind::Push, priority),
                )?,
                Some(neighbour) => {
                    child.node.pull_only();
                    join(&stream, neighbour, &child, (PermitKind::Repair, priority))?;
                }
            }
            scene.children.push(child);
        }
        scene.linked().await?;
        Ok(scene)
    }

    /// Waits until all links are up.
    async fn linked(&mut self) -> Result<(), Error> {
        let station = self.station.node.clone();
        let edges = match &self.neighbour {
            None => self.children.len(),
            Some(_) => 1,
        };
        let edges = u32::try_from(edges).unwrap_or(u32::MAX);
        let pulls = self.neighbour.is_some();
        let children: Vec<Arc<Node>> = self.children.iter().map(|c| c.node.clone()).collect();
        let up = async {
            let linked = |c: &Arc<Node>| !pulls || c.repairs().neighbours > 0;
            while station.load().children < edges || !children.iter().all(linked) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_millis(LINK_MS_MAX), up)
            .await
            .map_err(|_| Error::Timeout("link the children"))
    }

    /// Publishes so many chunks, and tells what came.
    pub(super) async fn saturate(mut self, chunks: u64) -> Result<Shares, Error> {
        let times = Arc::new(Mutex::new(Times::default()));
        for (at, child) in self.children.drain(..).enumerate() {
            tokio::spawn(watch(at, child, times.clone()));
        }
        let init = ChunkFlags {
            init: true,
            ..ChunkFlags::default()
        };
        let init = self.sealed(0, init)?;
        publish(&self.station.node, init)?;
        let mut tick = tokio::time::interval(Duration::from_millis(CHUNK_MS));
        for number in 0..chunks {
            tick.tick().await;
            let flags = ChunkFlags {
                key: number.is_multiple_of(GROUP_CHUNKS),
                ..ChunkFlags::default()
            };
            let chunk = self.sealed(number, flags)?;
            let sequence = chunk.header.key().sequence;
            lock(&times).published.insert(sequence, Instant::now());
            publish(&self.station.node, chunk)?;
        }
        tokio::time::sleep(Duration::from_millis(GRACE_MS)).await;
        let shares = shares(&lock(&times));
        Ok(shares)
    }

    fn sealed(&mut self, number: u64, flags: ChunkFlags) -> Result<SealedChunk, Error> {
        let duration_us = CHUNK_MS * 1_000;
        let now = Clock::new().unix();
        let plain = if flags.init {
            b"init".to_vec()
        } else {
            vec![0x5a; CHUNK_BYTES]
        };
        let time_us = number.saturating_mul(duration_us);
        Ok(self
            .publisher
            .publish(&plain, time_us, duration_us, now, flags)?)
    }
}

fn lock(times: &Mutex<Times>) -> std::sync::MutexGuard<'_, Times> {
    times.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes what a child gets, and keeps it alive.
async fn watch(at: usize, mut child: Running, times: Arc<Mutex<Times>>) {
    while let Some(event) = child.events.recv().await {
        if let NodeEvent::Chunk { key, .. } = event
            && !key.init
        {
            let now = Instant::now();
            lock(&times).came.push((at, key.sequence, now));
        }
    }
}

fn shares(times: &Times) -> Shares {
    let mut shares = Shares::default();
    for (at, sequence, came) in &times.came {
        let published = times.published.get(sequence);
        if let (Some(published), Some(Got { chunks, delays_ms })) =
            (published, shares.get_mut(at / CHILDREN))
        {
            let delay = came.saturating_duration_since(*published);
            *chunks += 1;
            delays_ms.push(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        }
    }
    shares
}

fn publish(node: &Node, chunk: SealedChunk) -> Result<(), Error> {
    let blocks = (0u16..).zip(&chunk.blocks).zip(&chunk.paths);
    let blocks: Result<Vec<_>, Error> = blocks
        .map(|((index, data), path)| {
            let block = certs::block::verify(&chunk.header, index, path, data)?;
            Ok((block, path.clone(), data.clone()))
        })
        .collect();
    node.publish(chunk.header, chunk.signed, blocks?);
    Ok(())
}

/// Links two nodes; the child dials.
fn join(
    stream: &Stream,
    parent: &Running,
    child: &Running,
    (kind, priority): (PermitKind, Priority),
) -> Result<(), Error> {
    let now = Clock::new().unix();
    let permit = stream.permit_of((parent.spki, child.spki), (kind, priority), now);
    let below = order(permit.clone(), child.spki, NodeKind::Peer)?;
    let mut above = order(permit, parent.spki, NodeKind::Peer)?;
    above.other.addresses = List::new(vec![Text::new(parent.address.to_string())?])?;
    above.dial = true;
    if kind == PermitKind::Push {
        parent.node.order_edge(below)?;
        child.node.order_edge(above)?;
    } else {
        parent.node.order_neighbour(below)?;
        child.node.order_neighbour(above)?;
    }
    Ok(())
}
