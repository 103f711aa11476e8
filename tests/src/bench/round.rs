//! One contender under one load, once.

use super::cores::Cores;
use super::moq::{self, Programs};
use super::parent::{Schedule, Source, feed};
use super::part::Process;
use super::plan::{Casting, Contender, MemberLine, MoqCasting, Point, Received, Window};
use super::relay::{Relay, attach, coordinate};
use super::report::Figures;
use super::stream::{Stream, order};
use super::usage::{cpu_ns, machine_ns, mono_us, resident_bytes, until};
use super::{Error, bare};
use link::{Channel, Clock, Endpoint, Identity, Link, Patience};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use wire::Encode;
use wire::limits::BLOCK_BYTES_MAX;
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
    /// There, if moq-relay is a contender.
    pub(super) moq: Option<&'a Programs>,
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
    parent_end: ParentEnd,
    held: Vec<Held>,
}

/// Who sends the stream to the contender.
enum ParentEnd {
    /// This process.
    Here(Link, Box<Source>),
    /// A publisher of moq-relay's.
    There(Box<Process>),
}

impl ParentEnd {
    fn pid(&self) -> Option<u32> {
        match self {
            Self::Here(..) => None,
            Self::There(publisher) => Some(publisher.pid()),
        }
    }

    async fn feed(self, schedule: Schedule) -> Result<(), Error> {
        match self {
            Self::Here(link, source) => feed(link, schedule, *source).await,
            Self::There(publisher) => moq::feed(*publisher, schedule).await,
        }
    }
}

/// Links and sockets that must live as long as the round.
#[allow(dead_code, reason = "held for their lives alone")]
enum Held {
    Link(Link),
    Channel(Channel),
    Socket(Arc<Endpoint>),
}

/// What everybody has used until now, in nanoseconds of processor time.
struct Used {
    contender: u64,
    load: u64,
    machine: u64,
}

impl Used {
    fn now(contender: u32, load: &[u32]) -> Result<Self, Error> {
        let mut sum = 0u64;
        for pid in load {
            sum = sum.saturating_add(cpu_ns(*pid)?);
        }
        Ok(Self {
            contender: cpu_ns(contender)?,
            load: sum,
            machine: machine_ns()?,
        })
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            contender: self.contender.saturating_sub(before.contender),
            load: self.load.saturating_sub(before.load),
            machine: self.machine.saturating_sub(before.machine),
        }
    }
}

impl Round<'_> {
    pub(super) async fn run(&self) -> Result<Figures, Error> {
        let mut stage = match self.contender {
            Contender::Relay => {
                self.relay_stage(&Stream::begin(self.point.stripes)?)
                    .await?
            }
            Contender::Bare => self.bare_stage(&Stream::begin(self.point.stripes)?).await?,
            Contender::Moq | Contender::MoqTuned => self.moq_stage().await?,
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
        let mut load = vec![children.pid(), std::process::id()];
        load.extend(stage.parent_end.pid());
        let feeding = tokio::spawn(stage.parent_end.feed(schedule));
        children.say(&serde_json::to_string(&window)?).await?;
        until(window.from_us).await;
        let before = Used::now(stage.process.pid(), &load)?;
        until(window.until_us).await;
        let used = Used::now(stage.process.pid(), &load)?.since(&before);
        let loaded_bytes = resident_bytes(stage.process.pid())?;
        let report = children.hear(Duration::from_millis(REPORT_MS_MAX)).await?;
        let received: Received = serde_json::from_str(&report)?;
        feeding.await.map_err(|_| Error::Answer("feed"))??;
        match self.contender {
            Contender::Relay | Contender::Bare => stage.process.end().await?,
            Contender::Moq | Contender::MoqTuned => stage.process.kill().await?,
        }
        children.end().await?;
        drop(stage.held);
        let core_ns = us(self.window) * 1_000;
        let cores = u64::from(self.cores.load_count());
        let own_ns = used.contender.saturating_add(used.load);
        let others_ns = used.machine.saturating_sub(own_ns);
        Ok(Figures {
            cpu_ns: used.contender,
            window_us: us(self.window),
            idle_bytes: stage.idle_bytes,
            loaded_bytes,
            kept_bytes: self.kept_bytes(),
            expected_blocks: schedule.count(window) * self.point.children as u64,
            load_busy: used.load as f64 / (core_ns * cores) as f64,
            others_busy: others_ns as f64 / (core_ns * (cores + 1)) as f64,
            received,
        })
    }

    /// What the relay keeps of the stream at the end of the window.
    fn kept_bytes(&self) -> u64 {
        if self.contender != Contender::Relay {
            return 0;
        }
        let kept = Duration::from_millis(overlay::forwarder::Config::default().kept_ms_max);
        let kept_us = us(kept.min(self.warm_up.saturating_add(self.window)));
        let block_us = self.point.block_us().max(1);
        kept_us / block_us * BLOCK_BYTES_MAX as u64
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
            parent_end: ParentEnd::Here(link, Box::new(Source::signed(stream.publisher()?))),
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
            parent_end: ParentEnd::Here(link, Box::new(Source::Plain)),
            held: vec![Held::Socket(endpoint)],
        })
    }

    async fn moq_stage(&self) -> Result<Stage, Error> {
        let programs = self.programs()?;
        let start = |command| self.start(command, "start moq-relay");
        let (process, address) = programs.start(self.contender, start)?;
        let publisher = programs.publisher(address).await?;
        Ok(Stage {
            idle_bytes: resident_bytes(process.pid())?,
            process,
            address,
            parent: String::new(),
            members: Vec::new(),
            parent_end: ParentEnd::There(Box::new(publisher)),
            held: Vec::new(),
        })
    }

    fn programs(&self) -> Result<&Programs, Error> {
        self.moq.ok_or(Error::Answer("find moq-relay"))
    }

    fn start(&self, command: Command, what: &'static str) -> Result<Process, Error> {
        self.cores.on_contender(|| Process::start(command, what))
    }

    /// Starts the children's process and waits until all are linked.
    async fn children(&self, stage: &mut Stage) -> Result<Process, Error> {
        let address = stage.address.to_string();
        let (command, casting) = match self.contender {
            Contender::Relay | Contender::Bare => {
                let own = std::env::current_exe().map_err(Error::Start)?;
                let mut command = Command::new(own);
                command.arg("children");
                let casting = Casting {
                    contender: self.contender,
                    address,
                    parent: stage.parent.clone(),
                    members: std::mem::take(&mut stage.members),
                };
                (command, serde_json::to_string(&casting)?)
            }
            Contender::Moq | Contender::MoqTuned => {
                let children = self.point.children;
                let casting = MoqCasting { address, children };
                let command = self.programs()?.subscribers();
                (command, serde_json::to_string(&casting)?)
            }
        };
        let mut children = Process::start(command, "link the children")?;
        children.say(&casting).await?;
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

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
