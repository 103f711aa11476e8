//! The viewer: joins, verifies, plays, passes on.

mod admission;
mod control;
mod controls;
mod doubt;
mod equivocation;
mod evidence;
mod guarantee;
mod leaving;
mod line;
mod membership;
mod neighbours;
mod out;
mod path;
mod playout;
mod receipts;
mod renditions;
mod report;
mod sponsoring;
mod stream;
mod switching;
mod typed;
mod waiting;

use crate::{Error, Trust, input, page_view, sponsor};
use admission::Membership;
use control::Parts;
pub(crate) use control::Session;
pub use controls::{Controls, LinkCheck};
pub(crate) use evidence::Refused;
use link::{Audience, Clock, Emitter, Endpoint, Identity, Node, NodeConfig, Verification};
pub(crate) use path::{Path, PathHop};
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use wire::Reason;
use wire::invite::Invite;
use wire::message::control::NodeKind;

/// What broadcast and watch share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Who hears what happens.
    pub audience: Audience,
    /// How others see this node.
    pub name: String,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the page listens, if there is one.
    pub page: Option<SocketAddr>,
    /// Where state is kept.
    pub data: PathBuf,
    /// One event per chunk.
    pub trace_chunks: bool,
    /// Roots and policy.
    pub trust: Trust,
}

/// How `watch` was called.
#[derive(Debug, Clone)]
pub struct Options {
    /// The invite.
    pub invite: Invite,
    /// What this viewer gives to others, in bit/s.
    pub share_bps: u64,
    /// Station and relays only.
    pub relay_only: bool,
    /// Whether to be asked.
    pub mode: sponsor::Mode,
    /// The viewer's own desk.
    pub desk: Option<voucher::DeskUri>,
    /// How much of the stream is kept for those below, and may be caught up
    /// with after a pause, in milliseconds.
    pub kept_ms: u64,
    /// What comes later than this behind the sender is done without, in
    /// milliseconds; if not set, everything is waited for.
    pub live_delay_ms: Option<u64>,
    /// Where the evidence of verified relays goes.
    pub save_evidence: Option<PathBuf>,
    /// Where the stream goes, besides the page.
    pub out: Option<PathBuf>,
    /// What the station's words are checked with; no switch, all but for tests.
    pub controls: Controls,
    /// The rest.
    pub shared: Shared,
}

/// Watches until the stream or the user ends it.
///
/// # Errors
/// The step that failed, or why the station refused.
pub async fn run(options: Options) -> Result<u8, Error> {
    let clock = Clock::new();
    let shared = &options.shared;
    let emit = Emitter::new(&shared.name, shared.audience.clone());
    tracing::info!(?options, "called");
    if let Some(banner) = &shared.trust.banner {
        emit.say(banner);
    }
    emit.say(&choices(&options));
    let archive = options.save_evidence.as_deref();
    let archive = archive.map(evidence::Archive::open).transpose()?;
    let identity = admission::stranger()?;
    let endpoint = Arc::new(Endpoint::bind(shared.listen, &identity)?);
    let address = crate::station::advertised(endpoint.address()?);
    let feed = page::Feed::new();
    let page = page_view::start(shared.page, feed.clone()).await?;
    announce(&emit, page.as_ref(), &identity, address, &options);
    let (membership, channel) = admission::join(&endpoint, identity, address, &options, &clock)
        .await
        .inspect_err(|e| {
            emit.tell("refused", json!({"reason": e.reason()}));
        })?;
    let out = out::Out::open(options.out.as_deref())?;
    let (node, node_events) = start_node(&options, &membership, &endpoint, clock.clone());
    tokio::spawn(accept_links(endpoint.clone(), node.clone()));
    let (lines, typed) = mpsc::channel(16);
    tokio::spawn(read_lines(lines));
    let parts = Parts {
        node,
        endpoint: endpoint.clone(),
        clock,
        emit: emit.clone(),
        playout: playout::Playout::new(out, feed),
        page,
        archive,
    };
    let session = Session::new(options.clone(), membership, parts);
    let outcome = session.run(channel, node_events, typed).await;
    endpoint.close(Reason::Done).await;
    outcome
}

fn announce(
    emit: &Emitter,
    page: Option<&page::Running>,
    identity: &Identity,
    address: SocketAddr,
    options: &Options,
) {
    let live = page.map(|p| p.live_link().reveal());
    let page = page.map(|p| p.link().reveal());
    let spki = identity.spki().to_hex();
    emit.tell(
        "viewer_ready",
        json!({
            "spki": spki, "listen": address.to_string(), "page": page, "live": live,
            "banner": options.shared.trust.banner, "relay_only": options.relay_only,
            "share_bps": options.share_bps,
        }),
    );
    if !emit.json() {
        page_view::say_links(emit, page.as_deref(), live.as_deref());
    }
}

/// What is chosen before anybody hears of this viewer: who sees its address,
/// and what it gives.
fn choices(options: &Options) -> String {
    let seen = if options.relay_only {
        "Your address: seen by the station and relays alone (--relay-only)."
    } else {
        "Your address: seen by other viewers too (--relay-only shows it to the station and \
         relays alone)."
    };
    let mbps = crate::station::as_mbps(options.share_bps);
    format!("{seen} Your upload: at most {mbps:.1} Mbit/s for others (--share-mbps N).")
}

fn start_node(
    options: &Options,
    membership: &Membership,
    endpoint: &Arc<Endpoint>,
    clock: Clock,
) -> (Arc<Node>, mpsc::UnboundedReceiver<link::NodeEvent>) {
    let config = NodeConfig {
        me: membership.identity.spki(),
        kind: NodeKind::Peer,
        upload_bps: options.share_bps,
        byte_cap: None,
        forwarder: overlay::forwarder::Config {
            kept_ms_max: options.kept_ms,
            ..Default::default()
        },
        verification: Verification::Full(options.shared.trust.relays.clone()),
        private_networks: true,
    };
    let controls = link::Controls {
        heads: options.controls.heads,
        ..link::Controls::default()
    };
    let (node, events) = Node::with_controls(config, controls, endpoint.clone(), clock);
    node.enter_run(membership.run.clone());
    if membership.pull_only {
        node.pull_only();
    }
    if let Some(delay_ms) = options.live_delay_ms {
        node.play_live(delay_ms);
    }
    // Permits from before this member was let in are not for it.
    node.raise_epoch(membership.secrets.epoch);
    (node, events)
}

/// Edges that other viewers dial.
async fn accept_links(endpoint: Arc<Endpoint>, node: Arc<Node>) {
    while let Some(accepting) = endpoint.accept().await {
        let node = node.clone();
        tokio::spawn(async move {
            let Ok(link) = accepting.finish().await else {
                return;
            };
            match link.first_channel().await {
                Ok((wire::message::StreamKind::Edge, channel)) => {
                    node.accept_edge(link, channel).await;
                }
                Ok((wire::message::StreamKind::Mesh, channel)) => {
                    node.accept_mesh(link, channel).await;
                }
                Ok(_) => link.close(Reason::UnknownMessage),
                // Closed already, by name.
                Err(_) => {}
            }
        });
    }
}

async fn read_lines(lines: mpsc::Sender<String>) {
    let mut input = input::Lines::stdin();
    while let Some(line) = input.next().await {
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

/// A key and a self-signed certificate for it.
pub(crate) fn self_signed(key: Arc<certs::SigningKey>) -> Result<Identity, Error> {
    let certificate = certs::x509::self_signed(&key, Vec::new())?;
    Ok(Identity { key, certificate })
}
