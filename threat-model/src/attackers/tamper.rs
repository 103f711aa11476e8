//! A relay whose operator signs false evidence: the desk certifies the
//! genuine program, and this one runs. It passes every check of a relay, as
//! `development` evidence cannot prevent, and changes the first block of
//! every group on its way to its children.

use super::guest::{Guest, holder};
use super::program::{Attacker, End};
use crate::Failure;
use crate::scene::cloud::admission;
use crate::scene::edge::{open_group, welcome, write_record};
use crate::scene::{now, within};
use link::{Attester, Channel, Endpoint, Link, Receiver, Sender, stream_kind};
use relay_vm::Booted;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc};
use wire::codec::{Blob, Reader};
use wire::message::StreamKind;
use wire::message::control::{Down, EdgeReport, Empty, Ready, Up};
use wire::message::edge::{Edge, Start};
use wire::message::group::{Block, GroupStart, Record};
use wire::statement::{CapacityClaim, Permit, RunStatement};
use wire::{Decode, Reason, Rendition, StripeSet, Stripes};

/// Records that may wait for a child: a second of a rich stream.
const RECORDS_MAX: usize = 4_096;
/// How long a child may take to come and to refuse, in milliseconds.
const REFUSAL_MS_MAX: u64 = 30_000;

/// tampering-relay.
///
/// # Errors
/// The attack could not be tried.
pub async fn tampering_relay(attacker: Attacker) -> Result<End, Failure> {
    let mut guest = Guest::join(&attacker, 0).await?;
    let ask = guest.granted().await?;
    let (holder, _) = holder()?;
    let cloud = attacker.options.own_desk()?;
    let order = cloud.order(&holder)?;
    let booted = cloud.boot(&order, attacker.options.relay_listen)?;
    let spki = booted.binding.spki;
    let (relay, mut closed) = Tamperer::start(&attacker, booted, guest.run.clone())?;
    let address = relay.endpoint.address()?;
    attacker.relay_started(spki, certs::order::id(&order));
    let word = admission(&guest.run, &order, &holder, (spki, address), guest.spki())?;
    if let Some(reason) = guest.introduce(ask, word).await? {
        return Ok(End::Refused(reason.name().to_owned()));
    }
    let reason = within(REFUSAL_MS_MAX, "refusal by a child", closed.recv())
        .await?
        .ok_or(Failure::Stage("the relay has ended"))?;
    relay.endpoint.close(Reason::Done).await;
    guest.leave().await;
    Ok(End::Refused(reason.name().to_owned()))
}

/// A piece of the stream on its way through.
#[derive(Debug, Clone)]
enum Piece {
    Group(GroupStart),
    Record(Arc<Record>),
}

/// The relay.
struct Tamperer {
    endpoint: Arc<Endpoint>,
    attester: Attester,
    booted: Booted,
    run: certs::Verified<RunStatement>,
    pieces: broadcast::Sender<Piece>,
    reports: broadcast::Sender<Up>,
    closed: mpsc::UnboundedSender<Reason>,
    attacker: Attacker,
}

impl Tamperer {
    fn start(
        attacker: &Attacker,
        booted: Booted,
        run: certs::Verified<RunStatement>,
    ) -> Result<(Arc<Self>, mpsc::UnboundedReceiver<Reason>), Failure> {
        let listen = attacker.options.relay_listen;
        let endpoint = Arc::new(Endpoint::bind(listen, &booted.identity)?);
        let (closed, refusals) = mpsc::unbounded_channel();
        let relay = Arc::new(Self {
            attester: Attester::start(booted.quoter.clone(), booted.binding.clone()),
            endpoint,
            booted,
            run,
            pieces: broadcast::channel(RECORDS_MAX).0,
            reports: broadcast::channel(RECORDS_MAX).0,
            closed,
            attacker: attacker.clone(),
        });
        tokio::spawn(relay.clone().accept());
        Ok((relay, refusals))
    }

    async fn accept(self: Arc<Self>) {
        while let Some(accepting) = self.endpoint.accept().await {
            let relay = self.clone();
            tokio::spawn(async move {
                if let Ok(link) = accepting.finish().await {
                    relay.streams(link).await;
                }
            });
        }
    }

    async fn streams(self: Arc<Self>, link: Link) {
        while let Ok((mut send, mut recv)) = link.connection.accept_bi().await {
            let Some(kind) = stream_kind(&mut recv).await else {
                return;
            };
            let (relay, link) = (self.clone(), link.clone());
            tokio::spawn(async move {
                let _ = match kind {
                    StreamKind::Challenge => {
                        let answered = relay.attester.answer(&link, &mut send, &mut recv).await;
                        answered.map_err(Failure::from)
                    }
                    StreamKind::Control => relay.control(Channel { send, recv }).await,
                    StreamKind::Edge => relay.edge(&link, Channel { send, recv }).await,
                    StreamKind::Command | StreamKind::Group | StreamKind::Mesh => Ok(()),
                };
            });
        }
    }

    /// The coordinator's link: says what an honest relay says.
    async fn control(&self, mut channel: Channel) -> Result<(), Failure> {
        let claim = CapacityClaim {
            scope: self.run.scope.clone(),
            node: self.booted.binding.spki,
            upload_bps: self.booted.parameters.rate_bps,
            issued: now(),
        };
        let claim = certs::sign(&self.booted.identity.key, &claim);
        let mut reports = self.reports.subscribe();
        channel.send(&Up::Ready(Ready { claim })).await?;
        let (mut up, mut down): (Sender, Receiver<Down>) = channel.split();
        loop {
            tokio::select! {
                heard = down.recv() => match heard? {
                    Some(_) => {}
                    None => return Ok(()),
                },
                report = reports.recv() => if let Ok(report) = report {
                    up.send(&report).await?;
                },
            }
        }
    }

    async fn edge(&self, link: &Link, mut channel: Channel) -> Result<(), Failure> {
        let Edge::Hello(permit) = channel.expect("no permit").await? else {
            return Err(Failure::Stage("no permit was shown"));
        };
        // It believes every permit: it has nothing to lose.
        let permit = Permit::from_bytes(permit.body())?;
        if permit.child == self.booted.binding.spki {
            self.take_from(link, channel).await
        } else {
            self.feed(link, channel).await
        }
    }

    /// Takes the stream from the parent that dialled.
    async fn take_from(&self, link: &Link, mut channel: Channel) -> Result<(), Failure> {
        channel.send(&Edge::Welcome(Empty {})).await?;
        let start = Start {
            rendition: Rendition(0),
            stripes: StripeSet::ALL,
            resume: None,
        };
        channel.send(&Edge::Start(start)).await?;
        let report = EdgeReport {
            other: link.peer,
            child: true,
            rendition: Rendition(0),
            stripes: Stripes::SINGLE.into(),
        };
        let _ = self.reports.send(Up::EdgeUp(report));
        loop {
            let stream = link.connection.accept_uni().await;
            let mut stream = stream.map_err(link::Error::from)?;
            let start = group_start(&mut stream).await?;
            let pieces = self.pieces.clone();
            let _ = pieces.send(Piece::Group(start));
            tokio::spawn(async move {
                let mut records = Receiver::<Record>::new(stream);
                while let Ok(Some(record)) = records.recv().await {
                    let _ = pieces.send(Piece::Record(Arc::new(record)));
                }
            });
        }
    }

    /// Feeds a child, with the first block of every group changed.
    async fn feed(&self, link: &Link, mut channel: Channel) -> Result<(), Failure> {
        let mut pieces = self.pieces.subscribe();
        welcome(&mut channel).await?;
        let sending = async {
            let (mut group, mut changed) = (None, false);
            loop {
                match pieces.recv().await {
                    Ok(Piece::Group(start)) => {
                        group = Some(open_group(link, &start).await?);
                        changed = false;
                    }
                    Ok(Piece::Record(record)) => {
                        let Some(stream) = group.as_mut() else {
                            continue;
                        };
                        let record = match (&*record, changed) {
                            (Record::Block(block), false) => {
                                changed = true;
                                self.attacker.begun();
                                Record::Block(tampered(block)?)
                            }
                            _ => Record::clone(&record),
                        };
                        write_record(stream, &record).await?;
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => group = None,
                    Err(broadcast::error::RecvError::Closed) => return Ok::<_, Failure>(()),
                }
            }
        };
        tokio::select! {
            _ = sending => {}
            _ = link.connection.closed() => {}
        }
        link.connection.closed().await;
        // A child that moved elsewhere has refused nothing.
        let reason = link.close_reason();
        if reason == Reason::BlockProofMismatch {
            let _ = self.closed.send(reason);
        }
        drop(channel);
        Ok(())
    }
}

fn tampered(block: &Block) -> Result<Block, Failure> {
    let mut data = block.data.to_vec();
    if let Some(byte) = data.first_mut() {
        *byte ^= 1;
    }
    Ok(Block {
        data: Blob::new(data)?,
        ..block.clone()
    })
}

/// Reads the head of a group: its kind, then three numbers without a length.
async fn group_start(stream: &mut quinn::RecvStream) -> Result<GroupStart, Failure> {
    if stream_kind(stream).await != Some(StreamKind::Group) {
        return Err(Failure::Stage("the parent opened another stream"));
    }
    let mut bytes = Vec::new();
    for _ in 0..2 {
        let mut first = [0u8; 1];
        read(stream, &mut first).await?;
        let [head] = first;
        bytes.push(head);
        let mut rest = vec![0u8; (1usize << (head >> 6)).saturating_sub(1)];
        read(stream, &mut rest).await?;
        bytes.extend_from_slice(&rest);
    }
    Ok(GroupStart::decode(&mut Reader::new(&bytes))?)
}

async fn read(stream: &mut quinn::RecvStream, buffer: &mut [u8]) -> Result<(), Failure> {
    let read = stream.read_exact(buffer).await;
    read.map_err(|e| link::Error::Read(e.to_string()).into())
}
