//! An edge with a rogue parent: a victim that is the library's own node, and
//! an attacker who speaks the protocol and sends what he likes.

use super::stream::Stream;
use super::{loopback, within};
use crate::Failure;
use bytes::Bytes;
use certs::block::Path;
use certs::chunk::HeaderVerifier;
use certs::seal::SealedChunk;
use link::{
    Channel, Clock, Controls, DialControls, Endpoint, Identity, Link, Node, NodeConfig, NodeEvent,
    Verification,
};
use std::sync::Arc;
use tokio::sync::mpsc;
use wire::codec::{Blob, List, Text, put_varint};
use wire::message::StreamKind;
use wire::message::control::{EdgeOrder, Empty, Name, NodeKind, NodeRef};
use wire::message::edge::Edge;
use wire::message::group::{Block, GroupStart, Record};
use wire::statement::ChunkKey;
use wire::{Encode, Reason, Rendition, Sequence, SpkiHash};

/// How long a step of an edge may take, in milliseconds.
const STEP_MS_MAX: u64 = 10_000;
/// What nodes of the stage upload, in bit/s.
const UPLOAD_BPS: u64 = 1_000_000_000;

/// One node of the library, on a socket of its own.
#[derive(Debug)]
pub struct Victim {
    /// The node.
    pub node: Arc<Node>,
    /// What it tells its driver.
    pub events: mpsc::UnboundedReceiver<NodeEvent>,
    /// Its socket.
    pub endpoint: Arc<Endpoint>,
    /// Its key.
    pub spki: SpkiHash,
}

impl Victim {
    /// A node that checks permits alone, as relays do, and takes part in the
    /// stream's run.
    ///
    /// # Errors
    /// The socket cannot be had.
    pub fn new(
        stream: &Stream,
        identity: &Identity,
        kind: NodeKind,
        private_networks: bool,
        controls: Controls,
    ) -> Result<Self, Failure> {
        let config = config(identity.spki(), kind, private_networks);
        Self::with_config(stream, identity, config, controls)
    }

    /// A viewer, who verifies relays for himself.
    ///
    /// # Errors
    /// The socket cannot be had.
    pub fn verifying(
        stream: &Stream,
        identity: &Identity,
        verification: Verification,
        controls: Controls,
    ) -> Result<Self, Failure> {
        let config = NodeConfig {
            verification,
            ..config(identity.spki(), NodeKind::Peer, true)
        };
        Self::with_config(stream, identity, config, controls)
    }

    /// A parent that keeps and queues, and whom strangers may dial, as told.
    ///
    /// # Errors
    /// The socket cannot be had.
    pub fn dialled(
        stream: &Stream,
        identity: &Identity,
        forwarder: overlay::forwarder::Config,
        (dials, controls): (DialControls, Controls),
    ) -> Result<Self, Failure> {
        let config = NodeConfig {
            forwarder,
            ..config(identity.spki(), NodeKind::Peer, true)
        };
        let endpoint = Endpoint::bind_checking(loopback(), identity, dials)?;
        Ok(Self::on(stream, identity, endpoint, config, controls))
    }

    fn with_config(
        stream: &Stream,
        identity: &Identity,
        config: NodeConfig,
        controls: Controls,
    ) -> Result<Self, Failure> {
        let endpoint = Endpoint::bind(loopback(), identity)?;
        Ok(Self::on(stream, identity, endpoint, config, controls))
    }

    fn on(
        stream: &Stream,
        identity: &Identity,
        endpoint: Endpoint,
        config: NodeConfig,
        controls: Controls,
    ) -> Self {
        let endpoint = Arc::new(endpoint);
        let (node, events) = Node::with_controls(config, controls, endpoint.clone(), Clock::new());
        node.enter_run(stream.run.clone());
        Self {
            node,
            events,
            endpoint,
            spki: identity.spki(),
        }
    }

    /// Takes part in the run with this check of headers.
    pub fn check_headers_with(&self, stream: &Stream, headers: HeaderVerifier) {
        self.node.enter_run_with(stream.run.clone(), headers);
    }

    /// Serves the edges that others dial, as a viewer does.
    pub fn accept_edges(&self) {
        let (node, endpoint) = (self.node.clone(), self.endpoint.clone());
        tokio::spawn(async move {
            while let Some(accepting) = endpoint.accept().await {
                let node = node.clone();
                tokio::spawn(async move {
                    let Ok(link) = accepting.finish().await else {
                        return;
                    };
                    match link.first_channel().await {
                        Ok((StreamKind::Edge, channel)) => node.accept_edge(link, channel).await,
                        Ok((StreamKind::Mesh, channel)) => node.accept_mesh(link, channel).await,
                        _ => {}
                    }
                });
            }
        });
    }

    /// Waits until the node has the chunk or has refused its parent; the
    /// refusal's name in the second case.
    ///
    /// # Errors
    /// [`Failure::Timeout`].
    pub async fn chunk_or_refusal(&mut self, wanted: ChunkKey) -> Result<Option<String>, Failure> {
        within(STEP_MS_MAX, "chunk or refusal", async {
            while let Some(event) = self.events.recv().await {
                match event {
                    NodeEvent::Chunk { key, .. } if key == wanted => return Ok(None),
                    NodeEvent::EdgeDown { name, .. } => return Ok(Some(name)),
                    _ => {}
                }
            }
            Err(Failure::Stage("the node has ended"))
        })
        .await?
    }

    /// Waits until the node has ended an edge; why, by name.
    ///
    /// # Errors
    /// [`Failure::Timeout`].
    pub async fn edge_end(&mut self) -> Result<String, Failure> {
        within(STEP_MS_MAX, "end of an edge", async {
            while let Some(event) = self.events.recv().await {
                if let NodeEvent::EdgeDown { name, .. } = event {
                    return Ok(name);
                }
            }
            Err(Failure::Stage("the node has ended"))
        })
        .await?
    }

    /// The blocks of a complete chunk, put together and opened.
    ///
    /// # Errors
    /// The chunk is not there, or does not open.
    pub fn open(
        &self,
        openers: &mut certs::seal::Openers,
        key: ChunkKey,
    ) -> Result<Vec<u8>, Failure> {
        let (header, blocks) = self
            .node
            .chunk(key)
            .ok_or(Failure::Stage("the chunk is not complete"))?;
        let sealed = certs::seal::assemble(&header, &blocks)?;
        Ok(openers.open(&header, sealed)?)
    }
}

/// Waits for the node to dial `socket` as a child, and welcomes it.
///
/// # Errors
/// It does not come, or speaks another protocol.
pub async fn dialled_by_child(socket: &Endpoint) -> Result<(Link, Channel), Failure> {
    let accepting = within(STEP_MS_MAX, "child", socket.accept()).await?;
    let link = accepting.ok_or(Failure::Stage("the rogue's socket is closed"))?;
    let link = link.finish().await?;
    let (StreamKind::Edge, mut channel) = link.first_channel().await? else {
        return Err(Failure::Stage("the child opened another stream"));
    };
    let Edge::Hello(_) = channel.expect("no permit").await? else {
        return Err(Failure::Stage("the child showed no permit"));
    };
    welcome(&mut channel).await?;
    Ok((link, channel))
}

/// Lets the node have a chunk, as a station's own has it.
///
/// # Errors
/// A block does not belong to its header.
pub fn publish(victim: &Victim, chunk: SealedChunk) -> Result<(), Failure> {
    let mut blocks = Vec::new();
    for ((index, data), path) in (0u16..).zip(&chunk.blocks).zip(&chunk.paths) {
        let verified = certs::block::verify(&chunk.header, index, path, data)?;
        blocks.push((verified, path.clone(), data.clone()));
    }
    victim.node.publish(chunk.header, chunk.signed, blocks);
    Ok(())
}

fn config(me: SpkiHash, kind: NodeKind, private_networks: bool) -> NodeConfig {
    NodeConfig {
        me,
        kind,
        upload_bps: UPLOAD_BPS,
        byte_cap: None,
        forwarder: overlay::forwarder::Config::default(),
        verification: Verification::PermitOnly,
        private_networks,
    }
}

/// Orders the node to take this parent, and to dial it.
///
/// # Errors
/// The address does not fit.
pub fn dial_order(
    stream: &Stream,
    parent: SpkiHash,
    child: SpkiHash,
    kind: NodeKind,
    address: std::net::SocketAddr,
) -> Result<EdgeOrder, Failure> {
    let permit = stream.permit(parent, child);
    Ok(EdgeOrder {
        permit: certs::permit::sign(&stream.permit_key, &permit),
        other: NodeRef {
            spki: parent,
            kind,
            name: Name::new("parent")?,
            addresses: List::new(vec![Text::new(address.to_string())?])?,
            admission: None,
        },
        dial: true,
    })
}

/// The same edge for the end that is dialled.
///
/// # Errors
/// The name does not fit.
pub fn accept_order(
    permit: wire::statement::BatchedPermit,
    child: SpkiHash,
) -> Result<EdgeOrder, Failure> {
    Ok(EdgeOrder {
        permit,
        other: NodeRef {
            spki: child,
            kind: NodeKind::Peer,
            name: Name::new("child")?,
            addresses: List::default(),
            admission: None,
        },
        dial: false,
    })
}

/// Waits for one child, welcomes it and sends these records as one group.
/// Returns the code with which the child closes.
///
/// # Errors
/// The child does not speak the protocol, or nobody comes.
pub async fn rogue_parent(endpoint: &Endpoint, records: Vec<Record>) -> Result<Reason, Failure> {
    let accepting = within(STEP_MS_MAX, "child", endpoint.accept())
        .await?
        .ok_or(Failure::Stage("the rogue's socket is closed"))?;
    let link = accepting.finish().await?;
    let accepted = link.connection.accept_bi().await;
    let (send, mut recv) = accepted.map_err(link::Error::from)?;
    if link::stream_kind(&mut recv).await != Some(StreamKind::Edge) {
        return Err(Failure::Stage("the child opened another stream"));
    }
    let mut channel = Channel { send, recv };
    let Edge::Hello(_) = channel.expect("no permit").await? else {
        return Err(Failure::Stage("the child showed no permit"));
    };
    welcome(&mut channel).await?;
    send_group(&link, records).await?;
    link.connection.closed().await;
    Ok(link.close_reason())
}

/// Welcomes a child that has shown its permit, and waits for its start.
///
/// # Errors
/// The child does not speak the protocol.
pub async fn welcome(channel: &mut Channel) -> Result<(), Failure> {
    channel.send(&Edge::Welcome(Empty {})).await?;
    match within(
        STEP_MS_MAX,
        "start of the child",
        channel.expect("no start"),
    )
    .await??
    {
        Edge::Start(_) => Ok(()),
        _ => Err(Failure::Stage("the child did not start")),
    }
}

/// Sends records as one group.
///
/// # Errors
/// The link has ended.
pub async fn send_group(link: &link::Link, records: Vec<Record>) -> Result<(), Failure> {
    let start = GroupStart {
        rendition: Rendition(0),
        first: Sequence(0),
    };
    let mut stream = open_group(link, &start).await?;
    for record in records {
        write_record(&mut stream, &record).await?;
    }
    let _ = stream.finish();
    Ok(())
}

/// Begins a group.
///
/// # Errors
/// The link has ended.
pub async fn open_group(
    link: &link::Link,
    start: &GroupStart,
) -> Result<quinn::SendStream, Failure> {
    let mut bytes = StreamKind::Group.to_bytes();
    start.encode(&mut bytes);
    let opened = link.connection.open_uni().await;
    let mut stream = opened.map_err(link::Error::from)?;
    let written = stream.write_all(&bytes).await;
    written.map_err(link::Error::from)?;
    Ok(stream)
}

/// Writes one record of a group.
///
/// # Errors
/// The link has ended.
pub async fn write_record(stream: &mut quinn::SendStream, record: &Record) -> Result<(), Failure> {
    let body = record.to_bytes();
    let mut bytes = Vec::with_capacity(body.len().saturating_add(8));
    put_varint(&mut bytes, body.len() as u64);
    bytes.extend_from_slice(&body);
    let written = stream.write_all(&bytes).await;
    Ok(written.map_err(link::Error::from)?)
}

/// A chunk's records, as an honest parent sends them.
///
/// # Errors
/// A block is over its bound.
pub fn records(chunk: &SealedChunk) -> Result<Vec<Record>, Failure> {
    let mut records = vec![Record::Header(chunk.signed.clone())];
    for ((index, data), path) in (0u16..).zip(&chunk.blocks).zip(&chunk.paths) {
        records.push(block(chunk, index, path.clone(), data.clone())?);
    }
    Ok(records)
}

/// One block's record.
///
/// # Errors
/// The block is over its bound.
pub fn block(chunk: &SealedChunk, index: u16, path: Path, data: Bytes) -> Result<Record, Failure> {
    Ok(Record::Block(Block {
        chunk: chunk.header.key(),
        index,
        path,
        data: Blob::new(data)?,
    }))
}
