//! The station: publishes the stream and coordinates the tree.

mod admission;
mod control;
mod coordinator;
mod doubt;
mod edges;
mod ingest;
mod keys;
mod membership;
mod rounds;
mod tree;

use crate::viewer::Shared;
use crate::{Error, input, page_view};
use certs::receipt::ReceiptCheck;
use certs::seal::Publisher;
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
use wire::{Digest, Reason, Rendition, Sequence};
use zeroize::Zeroizing;

/// Head room of a slot over the stream's average rate, in percent: key frames
/// and framing.
const SLOT_PERCENT: u64 = 125;
/// How long the last chunks may take to the viewers before the end.
const LAST_CHUNKS_MS: u64 = 300;
/// The rate assumed for standard input when none is given, in bit/s.
const STDIN_RATE_BPS: u64 = 5_000_000;

/// Where the stream comes from.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

pub use membership::MEMBERSHIP_MS;
pub(crate) use rounds::verified_fields;

/// How `broadcast` was called.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the stream comes from.
    pub input: Input,
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
    /// How long a membership lasts; no switch, [`MEMBERSHIP_MS`] but for tests.
    pub membership_ms: u64,
    /// How receipts are checked; no switch, by their MACs but for tests.
    pub receipts: ReceiptCheck,
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
    let input_is_stdin = matches!(options.input, Input::Stdin);
    let station = Station::start(options).await?;
    let quit = commands(station.remote(), input_is_stdin);
    station.broadcast(quit).await
}

/// A station that is on: it admits members, and waits for its input.
pub struct Station {
    options: Options,
    emit: Emitter,
    endpoint: Arc<Endpoint>,
    ingest: ingest::Ingest,
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
}

impl Station {
    /// Makes a run and opens the station for members.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let clock = Clock::new();
        let shared = &options.shared;
        let emit = Emitter::new(&shared.name, shared.audience.clone());
        tracing::info!(?options, "called");
        if let Some(banner) = &shared.trust.banner {
            emit.say(banner);
        }
        let stream_bps = stream_rate(&options)?;
        let (keys, chunk_key) = Keys::make(&shared.data, &shared.name, clock.unix())?;
        #[cfg(feature = "ablation")]
        let exposed = keys.dangerously_exposed(&chunk_key);
        let endpoint = Arc::new(Endpoint::bind(shared.listen, &keys.identity)?);
        let settings = settings(&options, &keys, stream_bps, advertised(endpoint.address()?));
        let invite = settings.invite.clone();
        let (node, node_events) = start_node(&options, &keys, &endpoint, clock.clone());
        let feed = page::Feed::new();
        let page = page_view::start(shared.page, feed.clone()).await?;
        announce(&emit, page.as_ref(), &keys, &settings);
        let (events, inbox) = mpsc::unbounded_channel();
        let (epochs, epoch_changes) = mpsc::unbounded_channel();
        let (published, head) = watch::channel(None);
        let publisher = publisher(chunk_key, &keys)?;
        let output = ingest::Output {
            node: node.clone(),
            page: feed,
            epochs: epoch_changes,
            published,
        };
        let ingest = ingest::Ingest::new(publisher, output, clock.clone(), emit.clone(), &options)?;
        let parts = Parts {
            node: node.clone(),
            endpoint: endpoint.clone(),
            trust: shared.trust.relays.clone(),
            epochs,
            head,
            events: events.clone(),
            page,
        };
        let coordinator = Coordinator::new(keys, settings, parts, clock, emit.clone());
        let coordinating = tokio::spawn(coordinator.run(inbox));
        let links = control::accept_links(endpoint.clone(), node, events.clone());
        tokio::spawn(links);
        tokio::spawn(forward_node_events(node_events, events.clone()));
        Ok(Self {
            options,
            emit,
            endpoint,
            ingest,
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

    /// Broadcasts until the input ends or `quit` does; then the run ends for
    /// everybody. The result is the exit code.
    ///
    /// # Errors
    /// The input or its copy failed.
    pub async fn broadcast(mut self, quit: impl Future<Output = ()>) -> Result<u8, Error> {
        let outcome = tokio::select! {
            outcome = self.ingest.run(&self.options) => outcome,
            () = quit => Ok(()),
        };
        // The last chunks still have to reach the viewers.
        tokio::time::sleep(std::time::Duration::from_millis(LAST_CHUNKS_MS)).await;
        let _ = self.remote.0.send(Event::End);
        let _ = self.coordinating.await;
        self.endpoint.close(Reason::RunEnded).await;
        self.emit.tell("ended", json!({}));
        outcome.map(|()| 0)
    }
}

fn publisher(chunk_key: keys::ChunkKey, keys: &Keys) -> Result<Publisher, Error> {
    Ok(Publisher::new(
        chunk_key.0,
        &keys.run,
        keys.epoch,
        &keys.epoch_secret,
        Rendition(0),
        (1, 0),
    )?)
}

fn settings(options: &Options, keys: &Keys, stream_bps: u64, address: SocketAddr) -> Settings {
    let slot_bps = (stream_bps.saturating_mul(SLOT_PERCENT) / 100).max(1);
    let invite = Invite {
        stream: keys.run.scope.stream,
        secret: keys.audience.clone(),
        addresses: vec![address],
    };
    Settings {
        name: options.shared.name.clone(),
        address,
        stream_bps,
        slot_bps,
        // Only whole slots: half a stream is of no use to a child.
        slots: u32::try_from(options.upload_bps / slot_bps).unwrap_or(u32::MAX),
        ask_deadline_ms: options.ask_deadline_ms,
        ask_interval_ms: options.ask_interval_ms,
        banner: options.shared.trust.banner.clone(),
        upload_bps: options.upload_bps,
        membership_ms: options.membership_ms,
        receipts: options.receipts,
        invite: invite.to_uri(),
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
    node.enter_run(keys.run.clone());
    (node, events)
}

fn stream_rate(options: &Options) -> Result<u64, Error> {
    match (options.stream_bps, &options.input, options.raw) {
        (Some(bps), _, _) => Ok(bps.max(1)),
        (None, Input::File(path), false) => ingest::file_rate_bps(path),
        _ => Ok(STDIN_RATE_BPS),
    }
}

fn announce(emit: &Emitter, page: Option<&page::Running>, keys: &Keys, settings: &Settings) {
    let uri = &settings.invite;
    let page = page.map(|p| p.link().reveal());
    if emit.json() {
        emit.tell(
            "station_ready",
            json!({
                "invite": **uri,
                "page": page,
                "stream": keys.run.scope.stream.to_hex(),
                "run": keys.run.scope.run.to_hex(),
                "spki": keys.identity.spki().to_hex(),
                "stream_bps": settings.stream_bps,
                "slot_bps": settings.slot_bps,
                "slots": settings.slots,
                "listen": settings.address.to_string(),
            }),
        );
        return;
    }
    println!("{}", **uri);
    emit.say("Give this invite to your viewers, and to nobody else.");
    if std::io::stdout().is_terminal()
        && let Ok(code) = qrcode::QrCode::new(uri.as_bytes())
    {
        println!(
            "{}",
            code.render::<qrcode::render::unicode::Dense1x2>().build()
        );
    }
    if let Some(page) = page {
        emit.say(&format!("Your page: {page}"));
    }
    emit.say(&format!(
        "The stream has {:.1} Mbit/s; your upload serves {} viewers.",
        as_mbps(settings.stream_bps),
        settings.slots
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

/// Lines on standard input; returns on `quit`.
async fn commands(remote: Remote, input_is_stdin: bool) {
    if input_is_stdin {
        return std::future::pending().await;
    }
    let mut lines = input::Lines::new();
    while let Some(line) = lines.next().await {
        match line.split_once(' ') {
            Some(("evict", name)) => remote.evict(name),
            _ if line == "quit" => return,
            _ => eprintln!("commands: quit, evict NAME"),
        }
    }
    // Input from a file or a closed terminal: the stream goes on.
    std::future::pending::<()>().await;
}
