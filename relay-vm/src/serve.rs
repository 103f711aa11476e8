//! The running relay: links in, streams sorted by what they are for.

use crate::Error;
use crate::admittance::{Challengers, Commanders};
use crate::boot::{Booted, Conversation, Platform, Turn, line};
use crate::guest::Pulse;
use crate::lease::End;
use certs::SigningKey;
use link::{
    Attester, Channel, Clock, Emitter, Endpoint, Link, Measuring, Node, NodeConfig, NodeEvent,
    NodeLoad, SendRate, Verification,
};
use ring::rand::SystemRandom;
use serde_json::json;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{broadcast, mpsc};
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply, Serve, Status};
use wire::message::control::{
    Down, EdgeFailure, EdgeReport, Empty, Load, NodeKind, Ready, Up, Withheld,
};
use wire::statement::{CapacityClaim, RunStatement};
use wire::{Decode, Reason, SpkiHash};

/// How a relay reports its load.
const LOAD_MS: u64 = 1_000;
/// Reports that wait for a coordinator that is away.
const REPORTS_MAX: usize = 1_024;

/// How the program was started.
#[derive(Debug)]
pub struct Options {
    /// JSON events on standard output.
    pub json: bool,
    /// What vouches for it.
    pub platform: Box<dyn Platform>,
    /// Whom to tell that it lives.
    pub pulse: Option<Pulse>,
}

/// A booted relay and everything its links share.
pub struct Relay {
    node: Arc<Node>,
    booted: Booted,
    holder: SpkiHash,
    attester: Attester,
    commanders: Commanders,
    challengers: Challengers,
    serving: Mutex<Option<SpkiHash>>,
    reports: broadcast::Sender<Up>,
    end: End,
    clock: Clock,
    emit: Emitter,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Relay({})", self.booted.binding.spki.short())
    }
}

/// A relay whose socket is bound.
#[derive(Debug)]
pub struct Started {
    /// The relay.
    pub relay: Arc<Relay>,
    /// Its socket.
    pub endpoint: Arc<Endpoint>,
    /// What its node tells; hand them to [`Relay::serve`].
    pub events: mpsc::UnboundedReceiver<NodeEvent>,
}

/// Boots by the desk's lines and serves until the end.
///
/// # Errors
/// The boot fails; see [`Error`].
pub async fn run(options: Options) -> Result<(), Error> {
    // Its machine's owner sets the platform's clock; the station's word counts
    // where that is behind.
    let clock = Clock::raised_by_beacons();
    let mut input = BufReader::new(tokio::io::stdin());
    let booted = boot(options.platform, &mut input).await?;
    let name = format!("relay-{}", booted.binding.spki.short());
    let emit = Emitter::new(name, options.json);
    let Started {
        relay,
        endpoint,
        events,
    } = Relay::start(booted, clock, emit)?;
    let address = endpoint.address()?.to_string();
    print_line(&line::ready(&address, &relay.booted.identity.certificate))?;
    let beat = async {
        match options.pulse {
            Some(pulse) => pulse.beat().await,
            None => std::future::pending().await,
        }
    };
    let reason = tokio::select! {
        reason = relay.serve(&endpoint, events, input) => reason,
        () = beat => Reason::Done,
    };
    relay
        .emit
        .tell("relay_ending", json!({"reason": reason.name()}));
    endpoint.close(reason).await;
    Ok(())
}

/// Leads the boot conversation on standard input and output.
async fn boot<R>(platform: Box<dyn Platform>, input: &mut R) -> Result<Booted, Error>
where
    R: tokio::io::AsyncBufRead + Unpin,
{
    let key = SigningKey::generate(&SystemRandom::new()).map_err(|_| Error::Random)?;
    let mut conversation = Conversation::new(key, platform);
    loop {
        match conversation.hear(&line::read(input).await?)? {
            Turn::Say { line, then } => {
                print_line(&line)?;
                conversation = *then;
            }
            Turn::Booted(booted) => return Ok(*booted),
        }
    }
}

fn print_line(line: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

impl Relay {
    /// Binds the socket and starts the services.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn start(booted: Booted, clock: Clock, emit: Emitter) -> Result<Started, Error> {
        Self::start_obeying(Commanders::default(), booted, clock, emit)
    }

    /// As [`Relay::start`], with the word on whom it obeys.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn start_obeying(
        commanders: Commanders,
        booted: Booted,
        clock: Clock,
        emit: Emitter,
    ) -> Result<Started, Error> {
        let address: SocketAddr = booted
            .parameters
            .listen
            .as_str()
            .parse()
            .map_err(|_| Error::Boot("the listen address is not IP:PORT"))?;
        let endpoint = Arc::new(Endpoint::bind(address, &booted.identity)?);
        let config = NodeConfig {
            me: booted.binding.spki,
            kind: NodeKind::Relay,
            upload_bps: booted.parameters.rate_bps,
            byte_cap: Some(booted.parameters.byte_cap.min(booted.order.byte_cap)),
            forwarder: overlay::forwarder::Config {
                kept_ms_max: booted.kept_ms_max,
                ..Default::default()
            },
            verification: Verification::PermitOnly,
            private_networks: booted.parameters.private_networks,
        };
        let (node, events) = Node::new(config, endpoint.clone(), clock.clone());
        let attester = Attester::start(booted.quoter.clone(), booted.binding.clone());
        let relay = Self {
            node,
            holder: certs::x509::spki_of_public(&booted.order.holder_key),
            attester,
            commanders,
            challengers: Challengers::default(),
            serving: Mutex::new(None),
            reports: broadcast::channel(REPORTS_MAX).0,
            end: End::new(),
            booted,
            clock,
            emit,
        };
        Ok(Started {
            relay: Arc::new(relay),
            endpoint,
            events,
        })
    }

    /// Serves until the end, which the result names.
    pub async fn serve<R>(
        self: &Arc<Self>,
        endpoint: &Arc<Endpoint>,
        mut events: mpsc::UnboundedReceiver<NodeEvent>,
        input: R,
    ) -> Reason
    where
        R: tokio::io::AsyncBufRead + Unpin,
    {
        let lease = self
            .end
            .watch_lease(&self.clock, self.booted.parameters.lease_end);
        let links = async {
            while let Some(accepting) = endpoint.accept().await {
                let relay = self.clone();
                // Boxed: what a link needs at its beginning alone.
                let handshake = Box::pin(accepting.finish());
                tokio::spawn(async move {
                    if let Ok(link) = handshake.await {
                        relay.streams(link).await;
                    }
                });
            }
        };
        let reports = async {
            while let Some(event) = events.recv().await {
                self.report(event);
            }
        };
        tokio::select! {
            reason = self.end.reached() => reason,
            () = desk_gone(input) => Reason::PeerGone,
            () = async { tokio::join!(lease, links, reports); } => Reason::Done,
        }
    }

    /// Serves the streams that the other end of a link opens.
    async fn streams(self: Arc<Self>, link: Link) {
        let first = Box::pin(link.first_channel()).await;
        let Ok((mut kind, mut channel)) = first else {
            return;
        };
        loop {
            let (relay, served) = (self.clone(), link.clone());
            tokio::spawn(async move { relay.stream(served, kind, channel).await });
            let Ok((send, mut recv)) = link.connection.accept_bi().await else {
                return;
            };
            kind = match link::stream_kind(&mut recv).await {
                Some(kind) => kind,
                None => return link.close(Reason::UnknownMessage),
            };
            channel = Channel { send, recv };
        }
    }

    async fn stream(&self, link: Link, kind: StreamKind, channel: Channel) {
        // Edges are many, and as large as the largest of these: the others are
        // boxed.
        match kind {
            StreamKind::Challenge => Box::pin(self.challenge(&link, channel)).await,
            StreamKind::Command => Box::pin(self.command(&link, channel)).await,
            StreamKind::Control => Box::pin(self.control(&link, channel)).await,
            StreamKind::Edge => self.node.accept_edge(link, channel).await,
            // Who pulls from viewers is no relay, and relays push.
            StreamKind::Group | StreamKind::Mesh => link.close(Reason::UnknownMessage),
        }
    }

    /// Holder, coordinator and permit bearers may challenge.
    async fn challenge(&self, link: &Link, mut channel: Channel) {
        let peer = link.peer;
        let known = peer == self.holder
            || Some(peer) == self.coordinator()
            || self.node.has_edge(peer, true)
            || self.node.has_edge(peer, false);
        if !known {
            link.close(Reason::PermitMissing);
            return;
        }
        link.admit();
        if !self.challengers.begin(peer, self.clock.mono_ms()) {
            link.close(Reason::ChallengeRate);
            return;
        }
        let answered = self
            .attester
            .answer(link, &mut channel.send, &mut channel.recv)
            .await;
        self.challengers.end(peer);
        if let Err(e) = answered {
            tracing::warn!("a live challenge was not answered: {e}");
            close_for_nonsense(link, &e);
        }
    }

    fn coordinator(&self) -> Option<SpkiHash> {
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Obeys the holder, and nobody else (threat A8).
    async fn command(&self, link: &Link, mut channel: Channel) {
        if !self.commanders.obeys(link.peer, self.holder) {
            self.emit.tell(
                "attack_refused",
                json!({"reason": Reason::NotHolder.name(), "other": link.peer.to_hex()}),
            );
            // Answered after it was said, so that whoever errs hears why.
            let patience = Duration::from_secs(1);
            let _ = tokio::time::timeout(patience, channel.recv::<Command>()).await;
            let _ = channel
                .send(&CommandReply::Refused(Reason::NotHolder))
                .await;
            let _ = channel.send.finish();
            let _ = tokio::time::timeout(Duration::from_secs(1), channel.send.stopped()).await;
            link.close(Reason::NotHolder);
            return;
        }
        link.admit();
        loop {
            let reply = match channel.recv::<Command>().await {
                Ok(Some(command)) => self.carry_out(command).await,
                Ok(None) => return,
                Err(e) => return close_for_nonsense(link, &e),
            };
            if channel.send(&reply).await.is_err() {
                return;
            }
        }
    }

    async fn carry_out(&self, command: Command) -> CommandReply {
        match command {
            Command::Serve(serve) => self.take_stream(&serve).await,
            Command::Status(Empty {}) => CommandReply::Status(self.status()),
            Command::Stop(Empty {}) => {
                self.end.announce(Reason::StoppedByHolder);
                CommandReply::Done(Empty {})
            }
        }
    }

    async fn take_stream(&self, serve: &Serve) -> CommandReply {
        let now = self.clock.unix();
        // The statement names its own key: the holder chooses the stream.
        let verified = RunStatement::from_bytes(serve.run.body())
            .ok()
            .and_then(|claimed| certs::run::verify(&serve.run, &claimed.scope.stream, now).ok());
        let Some(run) = verified.filter(|run| run.coordinator == serve.coordinator) else {
            return CommandReply::Refused(Reason::Nonsense);
        };
        if !self.serve_only(serve.coordinator) {
            return CommandReply::Refused(Reason::OutOfService);
        }
        self.node.enter_run(run);
        let rate = self.booted.parameters.rate_bps.min(serve.rate_bps_max);
        self.node.limit_upload(rate);
        self.emit.tell("serving", json!({"rate_bps": rate}));
        CommandReply::Done(Empty {})
    }

    /// Takes the first coordinator; a relay serves one stream in its life.
    fn serve_only(&self, coordinator: SpkiHash) -> bool {
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        *serving.get_or_insert(coordinator) == coordinator
    }

    fn status(&self) -> Status {
        let NodeLoad {
            children,
            sent_bytes,
            ..
        } = self.node.load();
        let cap = self
            .booted
            .parameters
            .byte_cap
            .min(self.booted.order.byte_cap);
        Status {
            order: self.booted.order_id,
            children,
            sent_bytes,
            bytes_left: cap.saturating_sub(sent_bytes),
            lease_end: self.booted.parameters.lease_end,
        }
    }

    /// The coordinator's control link: edges come from here alone.
    async fn control(&self, link: &Link, mut channel: Channel) {
        let (Some(run), true) = (self.node.run(), Some(link.peer) == self.coordinator()) else {
            link.close(Reason::PermitMissing);
            return;
        };
        link.admit();
        let claim = CapacityClaim {
            scope: run.scope.clone(),
            node: self.booted.binding.spki,
            upload_bps: self.booted.parameters.rate_bps,
            issued: self.clock.unix(),
        };
        let claim = certs::sign(&self.booted.identity.key, &claim);
        let mut reports = self.reports.subscribe();
        if channel.send(&Up::Ready(Ready { claim })).await.is_err() {
            return;
        }
        let mut tick = tokio::time::interval(Duration::from_millis(LOAD_MS));
        let mut rate = SendRate::default();
        let mut measuring = Measuring::default();
        let (mut up, mut down) = channel.split::<Down>();
        let mut leaving = false;
        let ending = self.end.nearly_reached();
        tokio::pin!(ending);
        loop {
            // Its children are handed over before it takes its leave.
            let empty = leaving && self.node.load().children == 0;
            let sent = tokio::select! {
                message = down.recv() => match message {
                    Ok(Some(message)) => self.obey(message),
                    Ok(None) => return,
                    Err(e) => return close_for_nonsense(link, &e),
                },
                report = reports.recv() => match report {
                    Ok(report) => up.send(&report).await,
                    Err(_) => continue,
                },
                _ = tick.tick(), if !empty => {
                    let now_ms = self.clock.mono_ms();
                    let lines = measuring.report(now_ms, link.minor, self.node.paths());
                    match lines.map(Up::Lines) {
                        Some(lines) => up.send(&lines).await,
                        None => up.send(&self.load_report(&mut rate)).await,
                    }
                }
                reason = self.end.announced(), if !leaving => {
                    tracing::info!(%reason, "the end was announced");
                    leaving = true;
                    up.send(&Up::Leaving(Empty {})).await
                }
                () = async { if !empty { ending.as_mut().await; } } => {
                    let _ = up.send(&Up::Leave(Empty {})).await;
                    return std::future::pending().await;
                }
            };
            if let Err(e) = sent {
                tracing::warn!("control: {e}");
                link.close(e.wire_reason());
                return;
            }
        }
    }

    fn load_report(&self, rate: &mut SendRate) -> Up {
        let NodeLoad {
            children,
            sent_bytes,
            ..
        } = self.node.load();
        rate.update(self.clock.mono_ms(), sent_bytes);
        Up::Load(Load {
            children,
            sent_bytes,
            sent_bps: rate.bps(),
            // It plays nothing: a delay is a viewer's.
            delay_ms: 0,
        })
    }

    fn obey(&self, message: Down) -> Result<(), link::Error> {
        match message {
            Down::Edge(order) => self.node.order_edge(*order),
            Down::EdgeEnd(end) => {
                let (other, child) = (end.other, end.child);
                self.node
                    .end_one_edge(other, child, end.rendition, end.reason);
                Ok(())
            }
            Down::Revoked(revocation) => self.node.revoke(&revocation),
            Down::Beacon(beacon) => self.node.take_beacon(&beacon),
            Down::Equivocation(proof) => self.node.take_equivocation(&proof),
            Down::Tree(_) => Ok(()),
            _ => Err(link::Error::OutOfTurn("not for a relay")),
        }
    }

    fn report(&self, event: NodeEvent) {
        let up = match event {
            NodeEvent::EdgeUp {
                other,
                child,
                rendition,
                stripes,
                ..
            } => Up::EdgeUp(EdgeReport {
                other: other.spki,
                child,
                rendition,
                stripes,
            }),
            NodeEvent::EdgeDown {
                other,
                child,
                rendition,
                reason,
                name,
                refusal,
                ..
            } => {
                if refusal {
                    let fields = json!({"reason": name, "other": other.to_hex()});
                    self.emit.tell("attack_refused", fields);
                }
                Up::EdgeDown(EdgeFailure {
                    other,
                    child,
                    rendition,
                    reason,
                })
            }
            NodeEvent::Withheld {
                from,
                rendition,
                stripes,
                ..
            } => Up::Withheld(Withheld {
                parent: from,
                rendition,
                stripes,
            }),
            NodeEvent::ByteCapReached => {
                self.end.announce(Reason::ByteCapReached);
                return;
            }
            NodeEvent::LeftOut { child, dropped } => {
                let fields = link::left_out_fields(child, &dropped);
                self.emit.tell("child_left_out", fields);
                return;
            }
            NodeEvent::SenderEquivocated {
                proof, found: true, ..
            } => Up::Equivocation(*proof),
            NodeEvent::SenderEquivocated { .. }
            | NodeEvent::RelayVerified { .. }
            | NodeEvent::RelayExpired { .. }
            | NodeEvent::RelayUnresponsive { .. }
            | NodeEvent::NeighbourUp { .. }
            | NodeEvent::NeighbourDown { .. }
            | NodeEvent::Chunk { .. }
            | NodeEvent::Dropped { .. }
            | NodeEvent::Beacon(_) => return,
        };
        // Without a coordinator on the line nobody needs the report.
        let _ = self.reports.send(up);
    }
}

/// A link whose other end talks nonsense is closed with that code; a failed
/// one is closed already, and an answer that is late may come again.
fn close_for_nonsense(link: &Link, error: &link::Error) {
    if error.wire_reason() == Reason::Nonsense {
        link.close(Reason::Nonsense);
    }
}

/// Waits until standard input ends: a local relay ends with its desk.
async fn desk_gone<R>(mut input: R)
where
    R: tokio::io::AsyncBufRead + Unpin,
{
    let mut line = String::new();
    loop {
        line.clear();
        match input.read_line(&mut line).await {
            Ok(n) if n > 0 => {}
            _ => return,
        }
    }
}
