//! The report of an evening: what `--json` prints (`tests/demo.schema.json`).

use super::attack::Attack;
use super::cast::{self, STATION, VIEWERS};
use super::log::Log;
use super::media::{self, Stream};
use super::provider::Cloud;
use super::relays::{self, RelayReport};
use super::story::{self, What};
use super::verdict;
use crate::event::Event;
use crate::process::Exit;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Name and version of the report's schema.
pub const SCHEMA: &str = "roundcast.demo/1";

/// The kind of a path's first hop as viewers tell it: themselves.
const SELF: &str = "you";

/// An evening that is over: everything that a report is made of.
#[derive(Debug)]
pub struct Evening {
    /// The seed.
    pub seed: u64,
    /// What it had of the cloud.
    pub cloud: Cloud,
    /// When the station was started, on the monotonic clock.
    pub started_us: u64,
    /// When the curtain fell.
    pub ended_us: u64,
    /// Everything that the programs said.
    pub log: Log,
    /// How each process ended, and how it had to.
    pub exits: BTreeMap<String, ExitReport>,
    /// With `--keep`: whether a viewer's file is the published one's part.
    pub kept: BTreeMap<String, bool>,
    /// What went wrong on the way, in words.
    pub failures: Vec<String>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ExitReport {
    /// How it did; none if nobody saw its end.
    #[serde(serialize_with = "exit_or_none")]
    pub got: Option<Exit>,
    /// How it had to.
    #[serde(serialize_with = "exit")]
    pub expected: Exit,
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Code(code) => serializer.serialize_i32(*code),
            Self::Signal(signal) => serializer.serialize_str(&format!("signal {signal}")),
        }
    }
}

/// One numbered entry of the evening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventReport {
    /// From 0 up.
    pub seq: u64,
    /// Milliseconds since the evening's start.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// To whom.
    pub who: String,
}

/// One hop of a viewer's path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Who.
    pub name: String,
    /// `peer`, `relay` or `station`.
    pub kind: String,
    /// `by_me` or `reported`.
    pub verified: String,
}

/// How a viewer was served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ViewerReport {
    /// Who.
    pub name: String,
    /// Chunks from its first key frame to its leaving; 0 if it was refused.
    pub chunks_due: u64,
    /// Those that it verified and put out.
    pub chunks_verified: u64,
    /// Blocks or chunks that it rejected.
    pub chunks_rejected: u64,
    /// Bytes that it put out.
    pub bytes: u64,
    /// From its start to its first chunk; none if it was refused.
    pub first_chunk_ms: Option<u64>,
    /// The longest time between two chunks.
    pub longest_gap_ms: u64,
    /// From publishing to putting out, in the middle.
    pub delay_ms_p50: u64,
    /// The same for the slowest hundredth.
    pub delay_ms_p99: u64,
    /// Whether it got exactly what was published.
    pub media_identical: bool,
    /// Its path to the station when it left, nearest hop first: of several
    /// the one that the first stripe takes.
    pub path: Vec<Hop>,
    /// Every path, and the stripes that take it.
    pub paths: Vec<PathReport>,
}

/// One way of the stream to a viewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathReport {
    /// The stripes that take it.
    pub stripes: Vec<u64>,
    /// From the viewer's parent to the station.
    pub hops: Vec<Hop>,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Whether everything is as it has to be.
    pub ok: bool,
    /// What is not, in words.
    pub problems: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// The stream's public key, as the station says it; empty if it never ran.
    pub stream: String,
    /// How long the evening took.
    pub seconds: f64,
    /// Slots of the station and of the viewers, as measured and claimed.
    pub capacities: BTreeMap<String, u64>,
    /// The attack, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attack: Option<Attack>,
    /// What happened.
    pub events: Vec<EventReport>,
    /// How the viewers were served.
    pub viewers: Vec<ViewerReport>,
    /// The relays that were in the tree.
    pub relays: Vec<RelayReport>,
    /// How the processes ended.
    pub exit_codes: BTreeMap<String, ExitReport>,
}

impl Report {
    /// Reports on an evening.
    #[must_use]
    pub fn of(evening: &Evening) -> Self {
        let log = &evening.log;
        let published = Stream::published(log);
        let viewers: Vec<ViewerReport> = VIEWERS
            .into_iter()
            .map(|name| viewer(evening, &published, name))
            .collect();
        let events = events(evening);
        let problems = verdict::problems(evening, &events, &viewers);
        Self {
            schema: SCHEMA,
            ok: problems.is_empty(),
            problems,
            seed: evening.seed,
            stream: stream(log),
            seconds: seconds(evening.ended_us.saturating_sub(evening.started_us)),
            capacities: capacities(log),
            attack: log.attack,
            relays: relays::reports(log, evening.ended_us),
            events,
            viewers,
            exit_codes: evening.exits.clone(),
        }
    }
}

fn exit<S: Serializer>(exit: &Exit, serializer: S) -> Result<S::Ok, S::Error> {
    exit.serialize(serializer)
}

fn exit_or_none<S: Serializer>(exit: &Option<Exit>, serializer: S) -> Result<S::Ok, S::Error> {
    exit.serialize(serializer)
}

fn seconds(us: u64) -> f64 {
    std::time::Duration::from_millis(us / 1000).as_secs_f64()
}

fn stream(log: &Log) -> String {
    let ready = log.told(STATION, "station_ready", STATION);
    let stream = ready.and_then(|ready| ready.text("stream"));
    stream.unwrap_or_default().to_owned()
}

/// The station's slots by its own measure, a viewer's as the station counts
/// them at its admission.
fn capacities(log: &Log) -> BTreeMap<String, u64> {
    let ready = log.told(STATION, "station_ready", STATION);
    let station = ready.and_then(|ready| ready.number("slots"));
    let members = VIEWERS.into_iter().filter_map(|name| {
        let slots = log.told(STATION, "joined", name)?.number("slots")?;
        Some((name.to_owned(), slots))
    });
    let station = station.map(|slots| (STATION.to_owned(), slots));
    station.into_iter().chain(members).collect()
}

/// The evening's entries up to the fall of the curtain; taking the tree down
/// afterwards is no part of it.
fn events(evening: &Evening) -> Vec<EventReport> {
    let entries = story::entries(&evening.log);
    let entries = entries.into_iter();
    (0..)
        .zip(entries.filter(|entry| entry.mono_us <= evening.ended_us))
        .map(|(seq, entry)| EventReport {
            seq,
            at_ms: entry.mono_us.saturating_sub(evening.started_us) / 1000,
            what: entry.what,
            who: entry.who,
        })
        .collect()
}

fn viewer(evening: &Evening, published: &Stream, name: &str) -> ViewerReport {
    let log = &evening.log;
    let received = Stream::received(log, name);
    let left_us = log.left_us(name).unwrap_or(evening.ended_us);
    let service = media::compare(published, &received, left_us);
    let file_same = evening.kept.get(name).copied().unwrap_or(true);
    let first = log.told(name, "first_chunk", name);
    ViewerReport {
        name: name.to_owned(),
        chunks_due: service.chunks_due,
        chunks_verified: service.chunks_verified,
        chunks_rejected: rejected(log, name),
        bytes: service.bytes,
        first_chunk_ms: first.and_then(|first| first.number("ms")),
        longest_gap_ms: service.longest_gap_ms,
        delay_ms_p50: service.delay_ms_p50,
        delay_ms_p99: service.delay_ms_p99,
        media_identical: service.identical && file_same,
        path: path(log, name, evening.ended_us),
        paths: paths(log, name, evening.ended_us),
    }
}

/// By the viewer's events and by its own count at the end, whichever is more.
fn rejected(log: &Log, name: &str) -> u64 {
    let events = u64::try_from(log.of(name, "chunk_rejected").count()).unwrap_or(u64::MAX);
    let counts = log.of(name, "viewer_report");
    let counted = counts.filter_map(|report| report.number("chunks_rejected"));
    counted.max().unwrap_or(0).max(events)
}

/// The last path that the viewer told of before the curtain fell.
fn path(log: &Log, name: &str, ended_us: u64) -> Vec<Hop> {
    let newest = newest_path(log, name, ended_us);
    let hops = newest.and_then(|path| path.fields.get("hops"));
    hops.map(|told| hops_of(log, told)).unwrap_or_default()
}

fn newest_path<'a>(log: &'a Log, name: &str, ended_us: u64) -> Option<&'a Event> {
    let paths = log.of(name, "path").filter(|path| path.mono_us <= ended_us);
    paths.max_by_key(|path| path.mono_us)
}

fn paths(log: &Log, name: &str, ended_us: u64) -> Vec<PathReport> {
    let newest = newest_path(log, name, ended_us);
    let paths = newest.and_then(|path| path.fields.get("paths")?.as_array());
    let report = |path: &serde_json::Value| {
        let stripes = path.get("stripes")?.as_array()?;
        Some(PathReport {
            stripes: stripes
                .iter()
                .filter_map(serde_json::Value::as_u64)
                .collect(),
            hops: hops_of(log, path.get("hops")?),
        })
    };
    paths
        .map(|paths| paths.iter().filter_map(report).collect())
        .unwrap_or_default()
}

fn hops_of(log: &Log, told: &serde_json::Value) -> Vec<Hop> {
    let hops = told.as_array();
    hops.map(|hops| hops.iter().filter_map(|hop| self::hop(log, hop)).collect())
        .unwrap_or_default()
}

fn hop(log: &Log, hop: &serde_json::Value) -> Option<Hop> {
    let text = |field: &str| hop.get(field).and_then(serde_json::Value::as_str);
    // Relays have no names of their own: the evening's are by their keys.
    let node = text("spki").or_else(|| text("name"))?;
    let kind = text("kind").filter(|kind| *kind != SELF)?;
    Some(Hop {
        name: log.names.name(node).to_owned(),
        kind: kind.to_owned(),
        verified: text("verified")?.to_owned(),
    })
}

/// How a relay's process ended, as its parent process, the desk, saw it.
#[must_use]
pub fn relay_exit(event: &Event) -> Option<Exit> {
    let number = |field| i32::try_from(event.number(field)?).ok();
    let signal = number("signal").map(Exit::Signal);
    let code = || number("code").map(Exit::Code);
    signal.or_else(code).or_else(|| {
        // The reason of an exit with 0 says so; other reasons need the number.
        (event.text("reason") == Some("relay_exited")).then_some(Exit::Code(0))
    })
}

/// How each process of the evening has to end.
#[must_use]
pub fn expected_exit(name: &str, cloud: Cloud) -> Exit {
    match name {
        "R1" if cloud.carries_all() => Exit::Signal(9),
        "D" | "E" if !cloud.carries_all() => Exit::Code(1),
        cast::ATTACKER => Exit::Code(3),
        _ => Exit::Code(0),
    }
}
