//! The children, all in one process: each has a socket and a key of its own,
//! receives all that it is sent, and notes when.

use super::Error;
use super::plan::{Casting, Contender, MemberLine, Received, Window};
use super::usage::{mono_us, until};
use bytes::{Buf, BytesMut};
use certs::SigningKey;
use link::{Endpoint, Identity, Link, Patience, open_channel};
use quinn::RecvStream;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use wire::limits::BLOCK_BYTES_MAX;
use wire::message::StreamKind;
use wire::message::edge::{Edge, Start};
use wire::message::group::Record;
use wire::statement::{BatchedPermit, ChunkHeader, ChunkKey};
use wire::{Decode, Reader, Rendition, SpkiHash, StripeSet};

/// Dials at the same time: a handshake must not wait for hundreds of others.
const DIALS_MAX: usize = 16;
/// Tries of one child to link.
const DIAL_TRIES_MAX: u32 = 5;
/// After the window: what a late block may need.
const GRACE_US: u64 = 1_500_000;
/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// One block at one child.
struct Sample {
    planned_us: u64,
    arrived_us: u64,
    bytes: u64,
}

/// What all children note.
#[derive(Default)]
struct Notes {
    samples: Vec<Sample>,
    lost: u64,
}

type Shared = Arc<Mutex<Notes>>;

fn note(notes: &Shared, change: impl FnOnce(&mut Notes)) {
    change(&mut notes.lock().unwrap_or_else(PoisonError::into_inner));
}

/// The program: reads its casting, links all children, says `ready`, reads the
/// window, and tells what was received in it.
pub(super) async fn serve() -> Result<(), Error> {
    let what = "tell the children";
    let failed = |source| Error::Process { what, source };
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let line = input.next_line().await.map_err(failed)?;
    let casting: Casting = serde_json::from_str(&line.ok_or(Error::Answer(what))?)?;
    let notes = Shared::default();
    link_all(casting, &notes).await?;
    println!("ready");
    let line = input.next_line().await.map_err(failed)?;
    let window: Window = serde_json::from_str(&line.ok_or(Error::Answer(what))?)?;
    until(window.until_us.saturating_add(GRACE_US)).await;
    let received = {
        let notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        received(&notes, window)
    };
    println!("{}", serde_json::to_string(&received)?);
    Ok(())
}

fn received(notes: &Notes, window: Window) -> Received {
    let inside = |us: u64| (window.from_us..window.until_us).contains(&us);
    let planned = notes.samples.iter().filter(|s| inside(s.planned_us));
    let mut latencies: Vec<u64> = planned
        .map(|s| s.arrived_us.saturating_sub(s.planned_us))
        .collect();
    latencies.sort_unstable();
    let arrived = notes.samples.iter().filter(|s| inside(s.arrived_us));
    Received {
        blocks: u64::try_from(latencies.len()).unwrap_or(u64::MAX),
        bytes: arrived.map(|s| s.bytes).sum(),
        latency_us_p50: percentile(&latencies, 50),
        latency_us_p99: percentile(&latencies, 99),
        lost: notes.lost,
    }
}

/// The nearest-rank percentile of sorted values; 0 of none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

async fn link_all(casting: Casting, notes: &Shared) -> Result<(), Error> {
    let what = "tell the children";
    let address: SocketAddr = casting.address.parse().map_err(|_| Error::Answer(what))?;
    let parent = SpkiHash::from_hex(&casting.parent).ok_or(Error::Answer(what))?;
    let turns = Arc::new(Semaphore::new(DIALS_MAX));
    let mut dials = JoinSet::new();
    for member in casting.members {
        let (turns, notes) = (turns.clone(), notes.clone());
        dials.spawn(async move {
            let turn = turns.acquire_owned().await;
            let linked = match casting.contender {
                Contender::Relay => edge(&member, address, parent, notes).await,
                Contender::Bare => bare(&member, address, notes).await,
                Contender::Moq | Contender::MoqTuned => Err(Error::Answer(what)),
            };
            drop(turn);
            linked
        });
    }
    while let Some(dial) = dials.join_next().await {
        dial.map_err(|_| Error::Answer("link a child"))??;
    }
    Ok(())
}

fn identity(member: &MemberLine) -> Result<Identity, Error> {
    let seed = unhex(&member.seed)?.try_into();
    let seed = seed.map_err(|_| Error::Answer("read a child's key"))?;
    Ok(Identity {
        key: Arc::new(SigningKey::from_seed(seed)),
        certificate: unhex(&member.certificate)?,
    })
}

fn unhex(text: &str) -> Result<Vec<u8>, Error> {
    let bytes = data_encoding::HEXLOWER.decode(text.as_bytes());
    bytes.map_err(|_| Error::Answer("read a child's key"))
}

async fn dial(
    member: &MemberLine,
    address: SocketAddr,
    parent: Option<SpkiHash>,
) -> Result<(Endpoint, Link), Error> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let endpoint = Endpoint::bind(any, &identity(member)?)?;
    let mut tries = 1;
    loop {
        // An edge is given up after a second without a word, and a core that
        // others use may stand still for as long.
        match endpoint.dial(address, parent, Patience::Edge).await {
            Err(_) if tries < DIAL_TRIES_MAX => tries += 1,
            dialled => return Ok((endpoint, dialled?)),
        }
    }
}

/// A child of the relay: shows its permit, and says where to start.
async fn edge(
    member: &MemberLine,
    address: SocketAddr,
    relay: SpkiHash,
    notes: Shared,
) -> Result<(), Error> {
    let (endpoint, link) = dial(member, address, Some(relay)).await?;
    let permit: BatchedPermit = BatchedPermit::from_bytes(&unhex(&member.permit)?)?;
    let mut channel = open_channel(&link, StreamKind::Edge).await?;
    channel.send(&Edge::Hello(permit)).await?;
    let Edge::Welcome(_) = channel.expect("no welcome").await? else {
        return Err(Error::Answer("take a child in"));
    };
    let start = Start {
        rendition: Rendition(0),
        stripes: StripeSet::ALL,
        resume: None,
    };
    channel.send(&Edge::Start(start)).await?;
    tokio::spawn(async move {
        let _held = (endpoint, channel);
        while let Ok(group) = link.connection.accept_uni().await {
            tokio::spawn(signed_group(group, notes.clone()));
        }
        note(&notes, |notes| notes.lost += 1);
    });
    Ok(())
}

/// A child of the bare fan-out.
async fn bare(member: &MemberLine, address: SocketAddr, notes: Shared) -> Result<(), Error> {
    let (endpoint, link) = dial(member, address, None).await?;
    tokio::spawn(async move {
        let _held = endpoint;
        while let Ok(group) = link.connection.accept_uni().await {
            tokio::spawn(plain_group(group, notes.clone()));
        }
        note(&notes, |notes| notes.lost += 1);
    });
    Ok(())
}

async fn plain_group(group: RecvStream, notes: Shared) -> Option<()> {
    let mut group = Buffered::new(group);
    loop {
        let mut block = group.take(BLOCK_BYTES_MAX).await?;
        let planned_us = block.try_get_u64().ok()?;
        arrived(&notes, planned_us, BLOCK_BYTES_MAX);
    }
}

fn arrived(notes: &Shared, planned_us: u64, bytes: usize) {
    let sample = Sample {
        planned_us,
        arrived_us: mono_us(),
        bytes: bytes as u64,
    };
    note(notes, |notes| notes.samples.push(sample));
}

/// Takes a group's records; the planned time of a block follows from its
/// chunk's header.
async fn signed_group(group: RecvStream, notes: Shared) -> Option<()> {
    let mut group = Buffered::new(group);
    // Kind, rendition, first sequence.
    for _ in 0..3 {
        group.varint().await?;
    }
    let mut current: Option<(ChunkKey, u64, u64)> = None;
    loop {
        let len = usize::try_from(group.varint().await?).ok()?;
        let frame = group.take(len).await?;
        match Record::from_bytes(&frame).ok()? {
            Record::Header(signed) => {
                let header = ChunkHeader::from_bytes(signed.body()).ok()?;
                let blocks = u64::from(header.layout.blocks());
                let block_us = header.duration_us.checked_div(blocks)?;
                current = Some((header.key(), header.time_us, block_us));
            }
            Record::Block(block) if !block.chunk.init => {
                let (_, time_us, block_us) = current.filter(|(key, ..)| *key == block.chunk)?;
                let planned_us = time_us + u64::from(block.index) * block_us;
                arrived(&notes, planned_us, block.data.bytes().len());
            }
            Record::Block(_) | Record::Dropped(_) => {}
        }
    }
}

/// A stream that is read in large pieces.
struct Buffered {
    stream: RecvStream,
    buffer: BytesMut,
}

impl Buffered {
    fn new(stream: RecvStream) -> Self {
        let buffer = BytesMut::with_capacity(READ_BYTES);
        Self { stream, buffer }
    }

    /// More bytes; none at the end.
    async fn fill(&mut self) -> Option<()> {
        let chunk = self.stream.read_chunk(READ_BYTES, true).await.ok()??;
        self.buffer.extend_from_slice(&chunk.bytes);
        Some(())
    }

    async fn take(&mut self, len: usize) -> Option<BytesMut> {
        while self.buffer.len() < len {
            self.fill().await?;
        }
        Some(self.buffer.split_to(len))
    }

    async fn varint(&mut self) -> Option<u64> {
        loop {
            let mut reader = Reader::new(&self.buffer);
            if let Ok(value) = reader.varint("a number") {
                let used = self.buffer.len() - reader.remaining();
                self.buffer.advance(used);
                return Some(value);
            }
            self.fill().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&values, 50), 100);
        assert_eq!(percentile(&values, 99), 198);
        assert_eq!(percentile(&[7], 99), 7);
        assert_eq!(percentile(&[], 50), 0);
    }

    #[test]
    fn what_arrives_late_counts_as_received_but_not_as_sent_in_the_window() {
        let sample = |planned_us, arrived_us| Sample {
            planned_us,
            arrived_us,
            bytes: 10,
        };
        let notes = Notes {
            samples: vec![sample(5, 15), sample(15, 18), sample(19, 25)],
            lost: 0,
        };
        let window = Window {
            from_us: 10,
            until_us: 20,
        };
        let received = received(&notes, window);
        assert_eq!((received.blocks, received.bytes), (2, 20));
    }
}
