//! The relay program, with this process as its desk, holder and coordinator.

use super::Error;
use super::part::Process;
use super::stream::{self, Stream, text};
use attest::software::{PlatformStatement, certify};
use certs::SigningKey;
use link::{Channel, Clock, Endpoint, Identity, Link, Patience, open_channel};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use wire::message::StreamKind;
use wire::message::command::{Command as Order, CommandReply, Serve};
use wire::message::control::{Down, EdgeOrder, Up};
use wire::message::edge::Edge;
use wire::order;
use wire::statement::BatchedPermit;
use wire::{Digest, Encode, PublicKey, SpkiHash};

/// What each step of the boot may take.
const BOOT_MS_MAX: u64 = 10_000;
/// More than any round sends: the relay must not be the one who slows down.
const RATE_BPS: u64 = 100_000_000_000;
const CAP_BYTES: u64 = 1 << 50;
const LEASE_MS: u64 = 3_600_000;
/// The bench judges no release: the relay carries it, its members would.
const RELEASE: &str = "{}";

/// A relay that serves the stream.
pub(super) struct Relay {
    pub(super) process: Process,
    pub(super) address: SocketAddr,
    pub(super) spki: SpkiHash,
}

impl Relay {
    /// Boots the program for an order of a new holder, who has it serve
    /// `stream`.
    pub(super) async fn start(
        stream: &Stream,
        path: &Path,
        start: impl FnOnce(Command) -> Result<Process, Error>,
    ) -> Result<Self, Error> {
        let (desk, holder) = (stream::key()?, stream::stranger()?);
        let order = order::Order {
            holder_key: holder.key.public(),
            voucher_nonce: Digest(stream::random()?),
            class: text("bench")?,
            channel: text("stable")?,
            desk_key: desk.public(),
            lease_ms: LEASE_MS,
            byte_cap: CAP_BYTES,
        };
        let mut command = Command::new(path);
        command.args(["--boot-stdio", "--json"]);
        let mut process = start(command)?;
        let (address, spki) = boot(&mut process, &desk, &order).await?;
        serve(stream, &holder, address, spki).await?;
        Ok(Self {
            process,
            address,
            spki,
        })
    }
}

/// The desk's side of the boot.
async fn boot(
    process: &mut Process,
    desk: &SigningKey,
    order: &order::Order,
) -> Result<(SocketAddr, SpkiHash), Error> {
    let what = "boot the relay";
    let patience = Duration::from_millis(BOOT_MS_MAX);
    let now = Clock::new().unix();
    let parameters = order::Parameters {
        listen: text("127.0.0.1:0")?,
        rate_bps: RATE_BPS,
        lease_end: now.plus_ms(LEASE_MS),
        byte_cap: CAP_BYTES,
        private_networks: true,
    };
    let line = json!({
        "schema": "roundcast.boot/1",
        "order": hex::encode(order.to_bytes()),
        "parameters": hex::encode(parameters.to_bytes()),
        "release": RELEASE,
    });
    process.say(&line.to_string()).await?;
    let request: Value = serde_json::from_str(&process.hear(patience).await?)?;
    let field = |value: &Value, name| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let boot_key = field(&request, "boot_key").and_then(|hex| PublicKey::from_hex(&hex));
    let spki = field(&request, "spki").and_then(|hex| SpkiHash::from_hex(&hex));
    let (boot_key, spki) = boot_key.zip(spki).ok_or(Error::Answer(what))?;
    let executable = std::fs::read(format!("/proc/{}/exe", process.pid()))
        .map_err(|source| Error::Process { what, source })?;
    let statement = PlatformStatement {
        executable_sha256: sha256(&executable),
        order: certs::order::id(order),
        parameters: certs::order::parameters_digest(&parameters),
        release: sha256(RELEASE.as_bytes()),
        boot_key,
        issued: now,
    };
    let platform = certify(desk, &statement)?;
    let line = json!({"platform": hex::encode(platform.to_bytes())});
    process.say(&line.to_string()).await?;
    let ready: Value = serde_json::from_str(&process.hear(patience).await?)?;
    let address = field(&ready, "address").and_then(|address| address.parse().ok());
    Ok((address.ok_or(Error::Answer(what))?, spki))
}

fn sha256(bytes: &[u8]) -> Digest {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    Digest(digest.as_ref().try_into().unwrap_or([0; 32]))
}

/// The holder's command.
async fn serve(
    stream: &Stream,
    holder: &Identity,
    address: SocketAddr,
    relay: SpkiHash,
) -> Result<(), Error> {
    let endpoint = Endpoint::bind(SocketAddr::from(([127, 0, 0, 1], 0)), holder)?;
    let link = endpoint
        .dial(address, Some(relay), Patience::Control)
        .await?;
    let mut channel = open_channel(&link, StreamKind::Command).await?;
    let serve = Serve {
        run: stream.signed_run.clone(),
        coordinator: stream.run.coordinator,
        rate_bps_max: RATE_BPS,
    };
    channel.send(&Order::Serve(serve)).await?;
    match channel.expect("no reply to serve").await? {
        CommandReply::Done(_) => Ok(()),
        _ => Err(Error::Answer("have the relay serve the stream")),
    }
}

/// Coordinates: orders the edges and listens to the reports until the link
/// ends.
pub(super) async fn coordinate(
    endpoint: &Endpoint,
    relay: &Relay,
    orders: Vec<EdgeOrder>,
) -> Result<Link, Error> {
    let link = endpoint
        .dial(relay.address, Some(relay.spki), Patience::Control)
        .await?;
    let mut channel = open_channel(&link, StreamKind::Control).await?;
    // The relay serves a stream when it is opened, which a message does.
    let Up::Ready(_) = channel.expect("no ready").await? else {
        return Err(Error::Answer("coordinate the relay"));
    };
    for order in orders {
        channel.send(&Down::Edge(Box::new(order))).await?;
    }
    let (sender, mut reports) = channel.split::<Up>();
    tokio::spawn(async move {
        let _held = sender;
        while let Ok(Some(_)) = reports.recv().await {}
    });
    Ok(link)
}

/// Links as the relay's parent, and waits until it wants the stream.
pub(super) async fn attach(
    endpoint: &Arc<Endpoint>,
    relay: &Relay,
    permit: BatchedPermit,
) -> Result<(Link, Channel), Error> {
    let link = endpoint
        .dial(relay.address, Some(relay.spki), Patience::Edge)
        .await?;
    let mut channel = open_channel(&link, StreamKind::Edge).await?;
    channel.send(&Edge::Hello(permit)).await?;
    for _ in 0..2 {
        match channel.expect("no welcome").await? {
            Edge::Welcome(_) => {}
            Edge::Start(_) => return Ok((link, channel)),
            _ => break,
        }
    }
    Err(Error::Answer("attach the relay to its parent"))
}
