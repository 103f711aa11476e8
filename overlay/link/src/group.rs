//! Groups of blocks on unidirectional streams: one stream per group of
//! pictures, records prefixed by their length, payloads never copied out.

use crate::edge::ChildId;
use crate::framing::{recv_frame_hearing, recv_varint};
use crate::node::Node;
use crate::{Error, Link};
use bytes::Bytes;
use certs::block::Path;
use overlay::forwarder::Outgoing;
use quinn::{RecvStream, SendStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;
use wire::codec::put_varint;
use wire::limits::{BLOCK_BYTES_MAX, MESSAGE_BYTES_MAX};
use wire::message::StreamKind;
use wire::message::group::{Block, Dropped, GroupStart, RECORD_BYTES_MAX, Record};
use wire::statement::ChunkKey;
use wire::{Decode, Encode, Reason, Rendition, SpkiHash};

/// Number of [`Record::Block`] on the wire: its payload is framed by hand.
const BLOCK_RECORD: u64 = 2;
/// A varint's longest form, in bytes (RFC 9000 section 16).
const VARINT_BYTES_MAX: usize = 8;
/// What a block's record has before the data, in bytes: numbers and a path.
const HEAD_BYTES_MAX: usize = RECORD_BYTES_MAX - BLOCK_BYTES_MAX;

/// A block as it travels, its record whole: the same for every child, so it is
/// put together once. In one piece, because QUIC looks for each packet's bytes
/// among the pieces that wait.
#[derive(Debug, Clone)]
pub(crate) struct Framed {
    record: Bytes,
    data_len: usize,
    /// Who sent it; none at the station.
    from: Option<SpkiHash>,
    /// When it came, on the node's monotonic clock.
    at_ms: u64,
}

impl Framed {
    pub(crate) fn new(
        (chunk, index): (ChunkKey, u16),
        path: &Path,
        data: &[u8],
        from: Option<SpkiHash>,
        at_ms: u64,
    ) -> Self {
        let mut head = Vec::with_capacity(HEAD_BYTES_MAX);
        put_varint(&mut head, BLOCK_RECORD);
        chunk.encode(&mut head);
        index.encode(&mut head);
        path.encode(&mut head);
        put_varint(&mut head, data.len() as u64);
        let len = head.len() + data.len();
        let mut record = Vec::with_capacity(VARINT_BYTES_MAX + len);
        put_varint(&mut record, len as u64);
        record.extend_from_slice(&head);
        record.extend_from_slice(data);
        // Kept for a while: without spare room.
        record.shrink_to_fit();
        Self {
            record: Bytes::from(record),
            data_len: data.len(),
            from,
            at_ms,
        }
    }

    pub(crate) const fn from(&self) -> Option<SpkiHash> {
        self.from
    }

    pub(crate) const fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// The block itself.
    pub(crate) fn data(&self) -> Bytes {
        let head_len = self.record.len().saturating_sub(self.data_len);
        self.record.slice(head_len..)
    }
}

/// Sends a child's queue until the edge ends or its permit does.
///
/// # Errors
/// The link has ended; or the permit has expired or its budget is spent.
pub(crate) async fn send_queue(
    node: &Arc<Node>,
    link: &Link,
    child: ChildId,
    wake: &Notify,
) -> Result<(), Error> {
    let mut stream: Option<SendStream> = None;
    loop {
        let Some(outgoing) = node.poll_child(child) else {
            wake.notified().await;
            continue;
        };
        match outgoing {
            Outgoing::GroupStart(start) => {
                if let Some(mut ended) = stream.take() {
                    let _ = ended.finish();
                }
                stream = Some(open_group(node, link, child, &start).await?);
            }
            Outgoing::GroupEnd => {
                if let Some(mut ended) = stream.take() {
                    let _ = ended.finish();
                }
            }
            Outgoing::Header(header) => {
                let record = framed(&Record::Header(header));
                write(node, child, stream.as_mut(), record).await?;
            }
            Outgoing::Block { payload, .. } => {
                write(node, child, stream.as_mut(), payload.record).await?;
            }
            Outgoing::Dropped {
                from,
                to,
                stripes,
                reason,
            } => {
                let dropped = Dropped {
                    from,
                    to,
                    stripes,
                    reason,
                };
                node.tell_left_out(child.0, &dropped);
                let record = framed(&Record::Dropped(dropped));
                write(node, child, stream.as_mut(), record).await?;
            }
        }
    }
}

async fn open_group(
    node: &Node,
    link: &Link,
    child: ChildId,
    start: &GroupStart,
) -> Result<SendStream, Error> {
    let mut stream = link.connection.open_uni().await?;
    let mut head = StreamKind::Group.to_bytes();
    start.encode(&mut head);
    write(node, child, Some(&mut stream), Bytes::from(head)).await?;
    Ok(stream)
}

fn framed(record: &Record) -> Bytes {
    let body = record.to_bytes();
    let mut framed = Vec::with_capacity(body.len() + VARINT_BYTES_MAX);
    put_varint(&mut framed, body.len() as u64);
    framed.extend_from_slice(&body);
    Bytes::from(framed)
}

/// Sends bytes when the child's permit, and the uplink for its standing,
/// let them go. A child that takes nothing for too long loses its place.
async fn write(
    node: &Node,
    child: ChildId,
    stream: Option<&mut SendStream>,
    bytes: Bytes,
) -> Result<(), Error> {
    let stream = stream.ok_or(Error::OutOfTurn("a record outside a group"))?;
    let priority = node.spend(child, bytes.len())?;
    node.pace().acquire(priority, bytes.len()).await;
    // The timer is set only if the child does not take it at once.
    tokio::time::timeout(node.controls.turns.stall(), stream.write_chunk(bytes))
        .await
        .map_err(|_| Error::Remote(Reason::SlowReader))??;
    Ok(())
}

/// When something of the stream came from a parent for the last time, were it
/// a part of a record; on the node's monotonic clock, in milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Heard(Arc<AtomicU64>);

/// No time of a clock that begins with the node.
const NEVER_MS: u64 = u64::MAX;

impl Heard {
    /// Nothing has come yet.
    pub(crate) fn nothing() -> Self {
        Self(Arc::new(AtomicU64::new(NEVER_MS)))
    }

    /// None if nothing has come yet.
    pub(crate) fn at_ms(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at_ms| *at_ms != NEVER_MS)
    }

    fn note(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::Relaxed);
    }
}

/// Takes a parent's groups until the link ends or something is refused.
///
/// # Errors
/// The first record that is refused: the caller closes the link with it.
pub(crate) async fn receive_groups(
    node: &Arc<Node>,
    link: &Link,
    parent: SpkiHash,
    heard: &Heard,
) -> Result<(), Error> {
    let (failed, mut failure) = tokio::sync::mpsc::channel::<Error>(1);
    let mut groups = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            stream = link.connection.accept_uni() => {
                let (node, failed) = (node.clone(), failed.clone());
                let (stream, heard) = (stream?, heard.clone());
                groups.spawn(async move {
                    if let Err(e) = receive_group(&node, parent, stream, &heard).await {
                        let _ = failed.send(e).await;
                    }
                });
            }
            Some(error) = failure.recv() => return Err(error),
            Some(_) = groups.join_next(), if !groups.is_empty() => {}
        }
    }
}

async fn receive_group(
    node: &Arc<Node>,
    parent: SpkiHash,
    mut stream: RecvStream,
    heard: &Heard,
) -> Result<(), Error> {
    match recv_varint(&mut stream).await? {
        Some(kind) if kind == StreamKind::Group.code() => {}
        None => return Ok(()),
        Some(_) => return Err(Error::OutOfTurn("a stream that is no group")),
    }
    // GroupStart has no length: its two numbers are read one by one.
    let mut fields = [0u64; 2];
    for field in &mut fields {
        *field = recv_varint(&mut stream)
            .await?
            .ok_or(Error::OutOfTurn("a group without a beginning"))?;
    }
    let [rendition, ..] = fields;
    let rendition = u8::try_from(rendition)
        .map(Rendition)
        .map_err(|_| Error::OutOfTurn("a rendition that cannot be"))?;
    let bytes_max = RECORD_BYTES_MAX.min(MESSAGE_BYTES_MAX);
    let hear = || heard.note(node.clock.mono_ms());
    while let Some(frame) = recv_frame_hearing(&mut stream, bytes_max, hear).await? {
        match Record::from_bytes(&frame)? {
            Record::Header(header) => node.take_header(&header)?,
            Record::Block(block) => take_block(node, parent, block)?,
            Record::Dropped(dropped) => node.note_dropped(parent, rendition, &dropped),
        }
    }
    Ok(())
}

fn take_block(node: &Arc<Node>, parent: SpkiHash, block: Block) -> Result<(), Error> {
    node.take_block(parent, block).inspect_err(|e| {
        if e.wire_reason() != Reason::Nonsense {
            tracing::warn!(parent = %parent.short(), "a block was refused: {e}");
        }
    })
}
