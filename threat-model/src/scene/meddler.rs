//! A member in the middle of the tree that passes the stream on as it likes:
//! every byte is genuine, and comes when it likes, or no more.

use super::edge::welcome;
use super::within;
use crate::Failure;
use crate::attackers::guest::Guest;
use bytes::Bytes;
use link::{Channel, Endpoint, Link, Patience, open_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use wire::invite::Invite;
use wire::message::StreamKind;
use wire::message::control::{Choice, Down, EdgeOrder, EdgeReport, Up};
use wire::message::edge::{Edge, Start};
use wire::statement::Permit;
use wire::{Decode, Rendition, SpkiHash, Stripe};

/// How long a place in the tree, and a step of an edge, may take, in
/// milliseconds.
const PLACE_MS_MAX: u64 = 15_000;
/// What is read of a stream at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// What the meddler does with what it gets.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// It keeps everything for so long.
    Late(Duration),
    /// It passes on what came within so long after its own start, and nothing
    /// more; its links stay.
    Cut(Duration),
}

/// One group's bytes, each piece with the time when it came.
#[derive(Debug, Default)]
struct Group {
    pieces: Vec<(Instant, Bytes)>,
    whole: bool,
}

/// Everything that came, for children that come later.
#[derive(Debug, Default)]
struct Tape(Mutex<Vec<Group>>);

impl Tape {
    fn groups(&self) -> MutexGuard<'_, Vec<Group>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece of a group, or whether the group ends before it; none if
    /// neither is known yet.
    fn piece(&self, group: usize, piece: usize) -> Option<Option<(Instant, Bytes)>> {
        let groups = self.groups();
        let group = groups.get(group)?;
        match group.pieces.get(piece) {
            Some(piece) => Some(Some(piece.clone())),
            None if group.whole => Some(None),
            None => None,
        }
    }
}

/// The member. It plays its part until the end of the stage.
#[derive(Debug)]
pub struct Meddler {
    /// Its key.
    pub spki: SpkiHash,
    _upward: (Link, Channel),
}

impl Meddler {
    /// Takes a place under whom the station says, with an upload in bit/s that
    /// it claims, and serves whoever is hung under it in this manner.
    ///
    /// # Errors
    /// It is not admitted, or not fed.
    pub async fn enter(invite: &Invite, upload_bps: u64, manner: Manner) -> Result<Self, Failure> {
        let mut guest = Guest::enter(invite, "meddler", upload_bps).await?;
        let order = within(PLACE_MS_MAX, "place for the meddler", place(&mut guest)).await??;
        let upward = child_of(&guest, &order).await?;
        let report = EdgeReport {
            other: order.other.spki,
            child: true,
            rendition: Rendition(0),
            stripes: Stripe(0).into(),
        };
        guest.say(&Up::EdgeUp(report)).await?;
        let tape = Arc::new(Tape::default());
        let (news, heard) = watch::channel(());
        tokio::spawn(record(upward.0.clone(), tape.clone(), news));
        let started = Instant::now();
        tokio::spawn(serve(
            guest.endpoint.clone(),
            tape,
            heard,
            (manner, started),
        ));
        let spki = guest.spki();
        // The coordinator is heard, and its questions are answered.
        tokio::spawn(async move {
            while let Ok(word) = guest.hear().await {
                if let Down::Ask(ask) = word {
                    let _ = guest.answer(&ask, Choice::Decline).await;
                }
            }
        });
        Ok(Self {
            spki,
            _upward: upward,
        })
    }
}

async fn place(guest: &mut Guest) -> Result<EdgeOrder, Failure> {
    loop {
        if let Down::Edge(order) = guest.hear().await?
            && Permit::from_bytes(order.permit.body())?.child == guest.spki()
        {
            return Ok(*order);
        }
    }
}

/// The upper end of its place: an honest child.
async fn child_of(guest: &Guest, order: &EdgeOrder) -> Result<(Link, Channel), Failure> {
    let address = order.other.addresses.iter().next();
    let address = address.and_then(|address| address.as_str().parse().ok());
    let address = address.ok_or(Failure::Stage("the parent has no address"))?;
    let parent = Some(order.other.spki);
    let link = guest.endpoint.dial(address, parent, Patience::Edge).await?;
    let mut channel = open_channel(&link, StreamKind::Edge).await?;
    channel.send(&Edge::Hello(order.permit.clone())).await?;
    match within(PLACE_MS_MAX, "welcome", channel.expect("no welcome")).await?? {
        Edge::Welcome(_) => {}
        _ => return Err(Failure::Stage("the parent did not welcome")),
    }
    let start = Start {
        rendition: Rendition(0),
        stripes: Stripe(0).into(),
        resume: None,
    };
    channel.send(&Edge::Start(start)).await?;
    Ok((link, channel))
}

async fn record(link: Link, tape: Arc<Tape>, news: watch::Sender<()>) {
    let mut number = 0usize;
    while let Ok(mut stream) = link.connection.accept_uni().await {
        tape.groups().push(Group::default());
        while let Ok(Some(chunk)) = stream.read_chunk(PIECE_BYTES, true).await {
            if let Some(group) = tape.groups().get_mut(number) {
                group.pieces.push((Instant::now(), chunk.bytes));
            }
            news.send_replace(());
        }
        if let Some(group) = tape.groups().get_mut(number) {
            group.whole = true;
        }
        news.send_replace(());
        number = number.saturating_add(1);
    }
}

async fn serve(
    endpoint: Arc<Endpoint>,
    tape: Arc<Tape>,
    news: watch::Receiver<()>,
    manner: (Manner, Instant),
) {
    while let Some(accepting) = endpoint.accept().await {
        let (tape, news) = (tape.clone(), news.clone());
        tokio::spawn(async move {
            if let Ok(link) = accepting.finish().await {
                let _ = feed(&link, &tape, news, manner).await;
            }
        });
    }
}

async fn feed(
    link: &Link,
    tape: &Tape,
    mut news: watch::Receiver<()>,
    (manner, started): (Manner, Instant),
) -> Result<(), Failure> {
    let (StreamKind::Edge, mut channel) = link.first_channel().await? else {
        return Err(Failure::Stage("the child opened another stream"));
    };
    let Edge::Hello(_) = channel.expect("no permit").await? else {
        return Err(Failure::Stage("the child showed no permit"));
    };
    welcome(&mut channel).await?;
    for number in 0.. {
        let opened = link.connection.open_uni().await;
        let mut stream = opened.map_err(link::Error::from)?;
        for at in 0.. {
            let piece = loop {
                match tape.piece(number, at) {
                    Some(piece) => break piece,
                    None if news.changed().await.is_err() => std::future::pending().await,
                    None => {}
                }
            };
            let Some((came, bytes)) = piece else {
                break;
            };
            match manner {
                Manner::Late(by) => tokio::time::sleep_until((came + by).into()).await,
                Manner::Cut(after) if came > started + after => std::future::pending().await,
                Manner::Cut(_) => {}
            }
            let written = stream.write_chunk(bytes).await;
            written.map_err(link::Error::from)?;
        }
        let _ = stream.finish();
    }
    Ok(())
}
