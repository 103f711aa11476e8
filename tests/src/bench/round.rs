//! One contender under one load, once.

use super::cores::Cores;
use super::parent::{Schedule, Source, feed};
use super::part::Process;
use super::plan::{Casting, Contender, MemberLine, Point, Received, Window};
use super::relay::{Relay, attach, coordinate};
use super::report::Figures;
use super::stream::{Stream, order};
use super::usage::{cpu_ns, mono_us, resident_bytes, until};
use super::{Error, bare};
use link::{Channel, Clock, Endpoint, Identity, Link, Patience};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use wire::Encode;
use wire::message::control::NodeKind;

/// What hundreds of handshakes on busy cores may take.
const LINKS_MS_MAX: u64 = 60_000;
/// The window, and what is waited for late blocks after it.
const REPORT_MS_MAX: u64 = 60_000;
/// From the plan to the first block, in microseconds.
const LEAD_US: u64 = 200_000;

pub(super) struct Round<'a> {
    pub(super) point: Point,
    pub(super) contender: Contender,
    pub(super) warm_up: Duration,
    pub(super) window: Duration,
    pub(super) relay: &'a Path,
    pub(super) cores: &'a Cores,
}

/// The contender, linked to its parent; children may dial.
struct Stage {
    process: Process,
    address: SocketAddr,
    /// SPKI of whom the children dial; in the bare fan-out nobody asks.
    parent: String,
    idle_bytes: u64,
    members: Vec<MemberLine>,
    link: Link,
    source: Source,
    held: Vec<Held>,
}

/// Links and sockets that must live as long as the round.
#[allow(dead_code, reason = "held for their lives alone")]
enum Held {
    Link(Link),
    Channel(Channel),
    Socket(Arc<Endpoint>),
}

impl Round<'_> {
    pub(super) async fn run(&self) -> Result<Figures, Error> {
        let stream = Stream::begin()?;
        let mut stage = match self.contender {
            Contender::Relay => self.relay_stage(&stream).await?,
            Contender::Bare => self.bare_stage(&stream).await?,
        };
        let mut children = self.children(&mut stage).await?;
        let start_us = mono_us().saturating_add(LEAD_US);
        let from_us = start_us.saturating_add(us(self.warm_up));
        let window = Window {
            from_us,
            until_us: from_us.saturating_add(us(self.window)),
        };
        let schedule = Schedule {
            start_us,
            end_us: window.until_us.saturating_add(LEAD_US),
            point: self.point,
        };
        let feeding = tokio::spawn(feed(stage.link, schedule, stage.source));
        children.say(&serde_json::to_string(&window)?).await?;
        let pids = [stage.process.pid(), children.pid(), std::process::id()];
        until(window.from_us).await;
        let [contender, load, own] = used(pids)?;
        until(window.until_us).await;
        let [contender_after, load_after, own_after] = used(pids)?;
        let loaded_bytes = resident_bytes(stage.process.pid())?;
        let report = children.hear(Duration::from_millis(REPORT_MS_MAX)).await?;
        let received: Received = serde_json::from_str(&report)?;
        feeding.await.map_err(|_| Error::Answer("feed"))??;
        stage.process.end().await?;
        children.end().await?;
        drop(stage.held);
        let load_ns = (load_after - load).saturating_add(own_after - own);
        let cores_ns = us(self.window) * 1_000 * u64::from(self.cores.load_count());
        Ok(Figures {
            cpu_ns: contender_after - contender,
            window_us: us(self.window),
            idle_bytes: stage.idle_bytes,
            loaded_bytes,
            kept_bytes: self.kept_bytes(),
            expected_blocks: schedule.count(window) * self.point.children as u64,
            load_busy: load_ns as f64 / cores_ns as f64,
            received,
        })
    }

    /// What the relay keeps of the stream at the end of the window.
    fn kept_bytes(&self) -> u64 {
        if self.contender == Contender::Bare {
            return 0;
        }
        let kept = Duration::from_millis(overlay::forwarder::Config::default().kept_ms_max);
        let kept_us = us(kept.min(self.warm_up.saturating_add(self.window)));
        self.point.stream_bps / 8 * kept_us / 1_000_000
    }

    async fn relay_stage(&self, stream: &Stream) -> Result<Stage, Error> {
        let start = |command| self.start(command, "start the relay");
        let relay = Relay::start(stream, self.relay, start).await?;
        let idle_bytes = resident_bytes(relay.process.pid())?;
        let station = stream.station.spki();
        let now = Clock::new().unix();
        let upward = stream.permit(station, relay.spki, now);
        let mut orders = vec![order(upward.clone(), station, NodeKind::Station)?];
        let mut members = Vec::with_capacity(self.point.children);
        for _ in 0..self.point.children {
            let member = stream.member()?;
            let permit = stream.permit(relay.spki, member.spki(), now);
            orders.push(order(permit.clone(), member.spki(), NodeKind::Peer)?);
            members.push(line(&member, &permit.to_bytes()));
        }
        let endpoint = socket(&stream.station)?;
        let control = coordinate(&endpoint, &relay, orders).await?;
        let (link, channel) = attach(&endpoint, &relay, upward).await?;
        let held = vec![
            Held::Link(control),
            Held::Channel(channel),
            Held::Socket(endpoint),
        ];
        Ok(Stage {
            address: relay.address,
            parent: relay.spki.to_hex(),
            process: relay.process,
            idle_bytes,
            members,
            link,
            source: Source::signed(stream.publisher()?),
            held,
        })
    }

    async fn bare_stage(&self, stream: &Stream) -> Result<Stage, Error> {
        let start = |command| self.start(command, "start the bare fan-out");
        let (process, address) = bare::start(stream, start).await?;
        let idle_bytes = resident_bytes(process.pid())?;
        let mut members = Vec::with_capacity(self.point.children);
        for _ in 0..self.point.children {
            members.push(line(&stream.member()?, &[]));
        }
        let endpoint = socket(&stream.station)?;
        let link = endpoint.dial(address, None, Patience::Control).await?;
        Ok(Stage {
            process,
            address,
            parent: stream.station.spki().to_hex(),
            idle_bytes,
            members,
            link,
            source: Source::Plain,
            held: vec![Held::Socket(endpoint)],
        })
    }

    fn start(&self, command: Command, what: &'static str) -> Result<Process, Error> {
        self.cores.on_contender(|| Process::start(command, what))
    }

    /// Starts the children's process and waits until all are linked.
    async fn children(&self, stage: &mut Stage) -> Result<Process, Error> {
        let own = std::env::current_exe().map_err(Error::Start)?;
        let mut command = Command::new(own);
        command.arg("children");
        let mut children = Process::start(command, "link the children")?;
        let casting = Casting {
            contender: self.contender,
            address: stage.address.to_string(),
            parent: stage.parent.clone(),
            members: std::mem::take(&mut stage.members),
        };
        children.say(&serde_json::to_string(&casting)?).await?;
        let word = children.hear(Duration::from_millis(LINKS_MS_MAX)).await?;
        if word == "ready" {
            Ok(children)
        } else {
            Err(Error::Answer("link the children"))
        }
    }
}

fn socket(identity: &Identity) -> Result<Arc<Endpoint>, Error> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Ok(Arc::new(Endpoint::bind(any, identity)?))
}

fn line(member: &Identity, permit: &[u8]) -> MemberLine {
    MemberLine {
        seed: hex::encode(member.key.seed()),
        certificate: hex::encode(&member.certificate),
        permit: hex::encode(permit),
    }
}

fn used(pids: [u32; 3]) -> Result<[u64; 3], Error> {
    let [a, b, c] = pids;
    Ok([cpu_ns(a)?, cpu_ns(b)?, cpu_ns(c)?])
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
