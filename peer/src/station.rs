//! The station: publishes the stream and coordinates the tree.

mod admission;
mod beacon;
mod blame;
mod commands;
mod control;
mod controls;
mod coordinator;
mod doubt;
mod edges;
mod ending;
mod equivocation;
mod eviction;
mod failing;
mod feeds;
mod guarantee;
mod ingest;
mod introductions;
mod keys;
mod lateness;
mod membership;
mod nearness;
mod neighbours;
mod permits;
mod picture;
mod rate;
mod receipts;
mod regions;
mod relay_line;
mod renditions;
mod resuming;
mod returning;
mod room;
mod rounds;
mod rungs;
mod sampling;
mod saved;
mod saving;
#[cfg(test)]
mod scene;
mod spreading;
mod stream_rate;
mod traffic;
mod tree;

use crate::signals::Interrupts;
use crate::viewer::Shared;
use crate::{Error, clock, output, page_view};
use certs::SigningKey;
use certs::receipt::ReceiptCheck;
use certs::seal::{Head, Heads, Publisher};
use coordinator::{Coordinator, Event, Parts, Settings};
use keys::Keys;
use link::{Clock, Emitter, Endpoint, Node, NodeConfig, NodeEvent, Verification};
use serde_json::json;
use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use wire::invite::Invite;
use wire::message::control::NodeKind;
use wire::{Digest, Reason, Rendition, Sequence, Stripes, UnixMs};
use zeroize::Zeroizing;

/// Head room of a slot over the stream's average rate, in percent: key frames
/// and framing.
const SLOT_PERCENT: u64 = 125;
/// Messages of members that wait for the coordinator; more wait with those
/// who send them.
const MESSAGES_MAX: usize = 256;
/// The rate assumed where none is said and none can be read off the input, in
/// bit/s, until it is measured.
const ASSUMED_RATE_BPS: u64 = 5_000_000;

/// Where the stream comes from.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

pub use controls::{JoinCheck, Judging, LatenessCheck, MessageCheck, SavingCheck, SilenceCheck};
pub use keys::RUN_MS;
pub use membership::MEMBERSHIP_MS;
pub(crate) use rounds::{VerifiedOn, verified_fields};
pub use rungs::WhenFull;

/// How `broadcast` was called.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the stream comes from.
    pub input: Input,
    /// Smaller renditions of it, the best first; files alone.
    pub smaller: Vec<PathBuf>,
    /// What becomes of those for whom the trees have no place.
    pub when_full: WhenFull,
    /// Begin again at the end.
    pub looped: bool,
    /// Any bytes.
    pub raw: bool,
    /// What may be uploaded, in bit/s.
    pub upload_bps: u64,
    /// The stream's rate in bit/s, if it was said.
    pub stream_bps: Option<u64>,
    /// Time to answer an ask.
    pub ask_deadline_ms: u64,
    /// Shortest time between two asks of one cause to one member.
    pub ask_interval_ms: u64,
    /// How much of the stream is kept.
    pub kept_ms: u64,
    /// A copy of what is published.
    pub keep: Option<PathBuf>,
    /// Take up the run that was cut short.
    pub resume: bool,
    /// How long a membership lasts; no switch, [`MEMBERSHIP_MS`] but for tests.
    pub membership_ms: u64,
    /// How long the run lasts at most; no switch, [`RUN_MS`] but for tests.
    pub run_ms: u64,
    /// How the stream is cut into trees.
    pub stripes: Stripes,
    /// No trees: members pull from each other and from the station.
    pub mesh: bool,
    /// How receipts are checked; no switch, by their MACs but for tests.
    pub receipts: ReceiptCheck,
    /// Whether the run is saved; no switch, but for tests.
    pub saving: SavingCheck,
    /// What members are judged by; no switch, but for tests.
    pub judging: Judging,
    /// The rest.
    pub shared: Shared,
}

/// The newest published chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published {
    pub(crate) head: Sequence,
    pub(crate) header: Digest,
}

/// Broadcasts until the input ends or the user quits.
///
/// # Errors
/// The step that failed.
pub async fn run(options: Options) -> Result<u8, Error> {
    let stdin_is_media = matches!(options.input, Input::Stdin);
    let station = Station::start(options).await?;
    let mut signals = Interrupts::listen();
    let quit = commands::until_quit(station.remote(), stdin_is_media, signals.clone());
    let remote = station.remote();
    let broadcast = station.broadcast(quit);
    tokio::pin!(broadcast);
    tokio::select! {
        ended = &mut broadcast => return ended,
        () = signals.heard(2) => remote.end_now(),
    }
    broadcast.await
}

/// Where the planned rate of the stream comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// The broadcaster or the file says so.
    Said,
    /// Nobody does: it is measured.
    Assumed,
}

/// A station that is on: it admits members, and waits for its input.
pub struct Station {
    options: Options,
    emit: Emitter,
    endpoint: Arc<Endpoint>,
    ingest: ingest::Ingest,
    smaller: renditions::Smaller,
    rate_bps: u64,
    clock: Clock,
    run_end: UnixMs,
    coordinating: tokio::task::JoinHandle<()>,
    invite: Zeroizing<String>,
    remote: Remote,
    #[cfg(feature = "ablation")]
    exposed: Vec<(&'static str, [u8; 32])>,
}

impl std::fmt::Debug for Station {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Station({})", self.options.shared.name)
    }
}

/// What the broadcaster may do while the stream runs.
#[derive(Debug, Clone)]
pub struct Remote(mpsc::UnboundedSender<Event>);

impl Remote {
    /// Throws the member of this name out.
    pub fn evict(&self, name: &str) {
        let _ = self.0.send(Event::Evict(name.trim().to_owned()));
    }

    /// Once the last chunk is out: waits for nobody any more.
    fn end_now(&self) {
        let _ = self.0.send(Event::End);
    }
}

impl Station {
    /// Makes a run and opens the station for members.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn start(mut options: Options) -> Result<Self, Error> {
        let clock = Clock::new();
        let emit = Emitter::new(&options.shared.name, options.shared.audience.clone());
        tracing::info!(?options, "called");
        say_banner(&options, &emit);
        clock::check(clock.unix())?;
        let rate = stream_rate(&options)?;
        let smaller_bps = renditions::rates(&options, rate.0)?;
        let begun = resuming::begin(&mut options, &clock, &emit)?;
        let shared = &options.shared;
        let (keys, chunk_key, past) = (begun.keys, begun.chunk_key, begun.published);
        let run_end = keys.run.end;
        #[cfg(feature = "ablation")]
        let exposed = keys.dangerously_exposed(&chunk_key);
        let endpoint = Arc::new(Endpoint::bind(shared.listen, &keys.identity)?);
        let address = advertised(endpoint.address()?);
        let settings = settings(&options, &keys, (rate, smaller_bps), address);
        let invite = settings.invite.clone();
        let (node, node_events) = start_node(&options, &keys, &endpoint, clock.clone());
        let feed = page::Feed::new();
        let page = page_view::start(shared.page, feed.clone()).await?;
        announce(&emit, page.as_ref(), &keys, &settings);
        resuming::publish_again(&node, &past)?;
        let (events, inbox) = mpsc::unbounded_channel();
        let (messages, said) = mpsc::channel(MESSAGES_MAX);
        let (epochs, epoch_changes) = mpsc::unbounded_channel();
        let (published, head) = watch::channel(past.heads.media.map(Published::from));
        let publisher = publisher(chunk_key.0.clone(), &keys, Rendition(0), past.heads)?;
        let output = ingest::Output {
            page: page.is_some().then_some(feed),
            journal: begun.journal,
            past,
            ..ingest::Output::new(&node, epoch_changes, published, &events)
        };
        let ingest = ingest::Ingest::new(publisher, output, clock.clone(), emit.clone(), &options)?;
        let mut parts = Parts {
            node,
            endpoint: endpoint.clone(),
            trust: shared.trust.relays.clone(),
            epochs: vec![epochs],
            head,
            events: events.clone(),
            messages,
            page,
            traffic: Arc::default(),
            store: begun.store,
        };
        let (own, told) = ((&keys, &chunk_key.0), (&clock, &emit));
        let smaller = renditions::Smaller::new(&options, own, &mut parts, told)?;
        let desk = control::Desk::beside(&parts, clock.clone(), settings.judging.messages);
        let mut coordinator = Coordinator::new(keys, settings, parts, clock.clone(), emit.clone());
        coordinator.take_up(begun.saved);
        let coordinating = tokio::spawn(coordinator.run(inbox, said));
        serve(&endpoint, desk, node_events, &events);
        Ok(Self {
            options,
            emit,
            endpoint,
            ingest,
            smaller,
            rate_bps: rate.0,
            clock,
            run_end,
            coordinating,
            invite,
            remote: Remote(events),
            #[cfg(feature = "ablation")]
            exposed,
        })
    }

    /// The secrets of this run by name, for looking whether one of them is
    /// printed anywhere (threat F5).
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_exposed(&self) -> Vec<(&'static str, [u8; 32])> {
        let _ = certs::ablation::marker();
        self.exposed.clone()
    }

    /// What lets viewers in: a bearer secret.
    #[must_use]
    pub fn invite(&self) -> &str {
        &self.invite
    }

    /// What can be done while [`Station::broadcast`] runs.
    #[must_use]
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Broadcasts until the input ends, `quit` does, or the run's keys do.
    /// Viewers play to the last chunk and leave; then the run ends for who is
    /// left. The result is the exit code.
    ///
    /// # Errors
    /// The input or its copy failed; [`Error::RunOver`].
    pub async fn broadcast(mut self, quit: impl Future<Output = ()>) -> Result<u8, Error> {
        let keys_over = ending::keys_over(self.clock.clone(), self.run_end, self.emit.clone());
        let best = self.ingest.run(&self.options, self.rate_bps);
        let outcome = tokio::select! {
            outcome = self.smaller.beside(best) => outcome,
            () = quit => Ok(()),
            over = keys_over => Err(over),
        };
        let outcome = outcome.and(self.ingest.finish());
        let _ = self.remote.0.send(Event::End);
        let _ = self.coordinating.await;
        self.endpoint.close(Reason::RunEnded).await;
        self.emit.tell("ended", json!({}));
        outcome.map(|()| 0)
    }
}

/// Lets members in, and tells the coordinator what its own node sees.
fn serve(
    endpoint: &Arc<Endpoint>,
    desk: control::Desk,
    node_events: mpsc::UnboundedReceiver<NodeEvent>,
    events: &mpsc::UnboundedSender<Event>,
) {
    tokio::spawn(control::accept_links(endpoint.clone(), desk));
    tokio::spawn(forward_node_events(node_events, events.clone()));
}

fn say_banner(options: &Options, emit: &Emitter) {
    if let Some(banner) = &options.shared.trust.banner {
        emit.say(banner);
    }
}

impl From<Head> for Published {
    fn from(head: Head) -> Self {
        Self {
            head: head.sequence,
            header: head.header,
        }
    }
}

fn publisher(
    chunk_key: SigningKey,
    keys: &Keys,
    rendition: Rendition,
    heads: Heads,
) -> Result<Publisher, Error> {
    Ok(Publisher::resume(
        chunk_key,
        &keys.run,
        keys.epoch,
        &keys.epoch_secret,
        rendition,
        heads,
    )?)
}

fn settings(
    options: &Options,
    keys: &Keys,
    ((stream_bps, basis), smaller_bps): ((u64, Basis), Vec<u64>),
    address: SocketAddr,
) -> Settings {
    let edge_bps = stream_rate::edge_bps(stream_bps, keys.run.stripes);
    let invite = Invite {
        stream: keys.run.scope.stream,
        secret: keys.audience.clone(),
        addresses: vec![address],
    };
    Settings {
        name: options.shared.name.clone(),
        address,
        stream_bps,
        smaller_bps,
        when_full: options.when_full,
        edge_bps,
        edges: stream_rate::edges(options.upload_bps, edge_bps),
        stripes: keys.run.stripes,
        ask_deadline_ms: options.ask_deadline_ms,
        ask_interval_ms: options.ask_interval_ms,
        banner: options.shared.trust.banner.clone(),
        upload_bps: options.upload_bps,
        membership_ms: options.membership_ms,
        kept_ms: options.kept_ms,
        mesh: options.mesh,
        basis,
        receipts: options.receipts,
        judging: options.judging,
        invite: invite.to_uri(),
        controls: controls::Controls::default(),
    }
}

fn start_node(
    options: &Options,
    keys: &Keys,
    endpoint: &Arc<Endpoint>,
    clock: Clock,
) -> (Arc<Node>, mpsc::UnboundedReceiver<NodeEvent>) {
    let config = NodeConfig {
        me: keys.identity.spki(),
        kind: NodeKind::Station,
        upload_bps: options.upload_bps,
        byte_cap: None,
        forwarder: overlay::forwarder::Config {
            kept_ms_max: options.kept_ms,
            ..overlay::forwarder::Config::default()
        },
        verification: Verification::Full(options.shared.trust.relays.clone()),
        private_networks: true,
    };
    let (node, events) = Node::new(config, endpoint.clone(), clock);
    if options.mesh {
        node.pull_only();
    }
    node.enter_run(keys.run.clone());
    (node, events)
}

fn stream_rate(options: &Options) -> Result<(u64, Basis), Error> {
    let known = match (options.stream_bps, &options.input, options.raw) {
        (Some(bps), _, _) => Some(bps.max(1)),
        (None, Input::File(path), false) => ingest::file_rate_bps(path)?,
        _ => None,
    };
    Ok(match known {
        Some(bps) => (bps, Basis::Said),
        None => (ASSUMED_RATE_BPS, Basis::Assumed),
    })
}

fn announce(emit: &Emitter, page: Option<&page::Running>, keys: &Keys, settings: &Settings) {
    let uri = &settings.invite;
    let live = page.map(|p| p.live_link().reveal());
    let page = page.map(|p| p.link().reveal());
    if emit.json() {
        emit.tell(
            "station_ready",
            json!({
                "invite": **uri,
                "resumed": keys.lives > 0,
                "page": page,
                "live": live,
                "banner": settings.banner,
                "stream": keys.run.scope.stream.to_hex(),
                "run": keys.run.scope.run.to_hex(),
                "spki": keys.identity.spki().to_hex(),
                "stream_bps": settings.stream_bps,
                "slot_bps": settings.slot_bps(),
                "slots": settings.slots(settings.edges),
                "stripes": settings.stripes.to_string(),
                "listen": settings.address.to_string(),
            }),
        );
        return;
    }
    output::line(uri);
    emit.say("Give this invite to your viewers, and to nobody else.");
    if std::io::stdout().is_terminal()
        && let Ok(code) = qrcode::QrCode::new(uri.as_bytes())
    {
        output::line(&code.render::<qrcode::render::unicode::Dense1x2>().build());
    }
    page_view::say_links(emit, page.as_deref(), live.as_deref());
    let how = match settings.basis {
        Basis::Said => "has",
        Basis::Assumed => "is not measured yet, and taken for",
    };
    emit.say(&format!(
        "The stream {how} {:.1} Mbit/s; your upload serves {} viewers.",
        as_mbps(settings.stream_bps),
        settings.slots(settings.edges)
    ));
}

/// For people: bit/s in Mbit/s.
pub(crate) fn as_mbps(bps: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let bps = bps as f64;
    bps / 1e6
}

/// The address that others can dial: of the interface that leads outward, if
/// the socket listens on all.
pub(crate) fn advertised(bound: SocketAddr) -> SocketAddr {
    if !bound.ip().is_unspecified() {
        return bound;
    }
    // Connecting a UDP socket sends nothing; it only asks the routing table.
    // The address is one that is reserved for documentation (RFC 5737).
    let outward = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let ip = outward.map_or(IpAddr::from([127, 0, 0, 1]), |a| a.ip());
    SocketAddr::new(ip, bound.port())
}

async fn forward_node_events(
    mut from: mpsc::UnboundedReceiver<NodeEvent>,
    to: mpsc::UnboundedSender<Event>,
) {
    while let Some(event) = from.recv().await {
        if to.send(Event::Node(event)).is_err() {
            return;
        }
    }
}
