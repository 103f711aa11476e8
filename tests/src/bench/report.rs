//! The result: what was seen, and whether the goals are met.

use super::Error;
use super::plan::{Contender, Point, Received};
use serde_json::{Value, json};
use std::fmt;
use std::path::Path;

const SCHEMA: &str = "roundcast.relay-bench/1";
/// CPU per byte, relay to bare fan-out.
const RATIO_GOAL: f64 = 1.15;
/// Memory per child, in KB, where there are many.
const CHILD_KB_GOAL: f64 = 100.0;
/// How many are many.
const MANY: usize = 200;
/// Above this share of its cores the load says more about itself than about
/// the contender.
const LOAD_BUSY_MAX: f64 = 0.9;
/// Blocks that must have arrived.
const DELIVERED_MIN: f64 = 0.999;

/// One round.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) cpu_ns: u64,
    pub(super) window_us: u64,
    pub(super) idle_bytes: u64,
    pub(super) loaded_bytes: u64,
    /// Block bytes that the relay keeps for children that resume; a fan-out
    /// keeps none. They do not grow with the children.
    pub(super) kept_bytes: u64,
    pub(super) expected_blocks: u64,
    /// Share of its cores that the load used.
    pub(super) load_busy: f64,
    pub(super) received: Received,
}

impl Figures {
    /// CPU seconds per 10^9 bytes of blocks that were received.
    fn cpu_s_per_gb(&self) -> f64 {
        self.cpu_ns as f64 / self.received.bytes.max(1) as f64
    }

    fn delivered(&self) -> f64 {
        self.received.blocks as f64 / self.expected_blocks.max(1) as f64
    }

    fn grown_kb(&self) -> f64 {
        self.loaded_bytes.saturating_sub(self.idle_bytes) as f64 / 1_000.0
    }

    fn kept_kb(&self) -> f64 {
        self.kept_bytes as f64 / 1_000.0
    }

    fn complete(&self) -> bool {
        self.delivered() >= DELIVERED_MIN && self.received.lost == 0
    }

    fn json(&self) -> Value {
        json!({
            "cpu_s": round(self.cpu_ns as f64 / 1e9),
            "cpu_s_per_gb": round(self.cpu_s_per_gb()),
            "egress_mbps": round(self.received.bytes as f64 * 8.0 / self.window_us.max(1) as f64),
            "latency_ms_p50": round(self.received.latency_us_p50 as f64 / 1e3),
            "latency_ms_p99": round(self.received.latency_us_p99 as f64 / 1e3),
            "rss_idle_kb": self.idle_bytes / 1_000,
            "rss_loaded_kb": self.loaded_bytes / 1_000,
            "delivered": round(self.delivered()),
            "links_lost": self.received.lost,
            "load_busy": round(self.load_busy),
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} CPU-s/GB, {:.1}/{:.1} ms, {:.0} KB grown, {:.1} % delivered, load {:.0} % busy",
            self.cpu_s_per_gb(),
            self.received.latency_us_p50 as f64 / 1e3,
            self.received.latency_us_p99 as f64 / 1e3,
            self.grown_kb(),
            self.delivered() * 100.0,
            self.load_busy * 100.0,
        )
    }
}

/// Both contenders at one point.
#[derive(Debug)]
pub(super) struct Measured {
    point: Point,
    relay: Vec<Figures>,
    bare: Vec<Figures>,
}

impl Measured {
    pub(super) fn new(point: Point) -> Self {
        Self {
            point,
            relay: Vec::new(),
            bare: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, contender: Contender, figures: Figures) {
        match contender {
            Contender::Relay => self.relay.push(figures),
            Contender::Bare => self.bare.push(figures),
        }
    }

    fn ratio(&self) -> f64 {
        let mean_of = |rounds: &[Figures]| mean(rounds, Figures::cpu_s_per_gb);
        mean_of(&self.relay) / mean_of(&self.bare).max(f64::MIN_POSITIVE)
    }

    fn child_kb(&self, rounds: &[Figures], kb: impl Fn(&Figures) -> f64) -> f64 {
        mean(rounds, kb) / self.point.children.max(1) as f64
    }

    fn all(&self, test: impl Fn(&Figures) -> bool) -> bool {
        self.relay.iter().chain(&self.bare).all(test)
    }

    fn side(&self, rounds: &[Figures]) -> Value {
        let ms = |us: fn(&Received) -> u64| mean(rounds, |f| us(&f.received) as f64 / 1e3);
        json!({
            "cpu_s_per_gb": round(mean(rounds, Figures::cpu_s_per_gb)),
            "latency_ms_p50": round(ms(|r| r.latency_us_p50)),
            "latency_ms_p99": round(ms(|r| r.latency_us_p99)),
            "kb_per_child": round(self.child_kb(rounds, Figures::grown_kb)),
            "kb_per_child_of_kept_chunks": round(self.child_kb(rounds, Figures::kept_kb)),
            "rounds": rounds.iter().map(Figures::json).collect::<Vec<_>>(),
        })
    }

    fn json(&self) -> Value {
        let many = self.point.children >= MANY;
        let kb = self.child_kb(&self.relay, Figures::grown_kb);
        json!({
            "children": self.point.children,
            "stream_mbps": self.point.stream_bps / 1_000_000,
            "relay": self.side(&self.relay),
            "bare": self.side(&self.bare),
            "cpu_ratio": round(self.ratio()),
            "cpu_goal_met": self.ratio() <= RATIO_GOAL,
            "memory_goal_met": many.then_some(kb <= CHILD_KB_GOAL),
            "complete": self.all(Figures::complete),
            "load_was_the_limit": !self.all(|f| f.load_busy <= LOAD_BUSY_MAX),
        })
    }
}

/// The whole run.
#[derive(Debug)]
pub(super) struct Report {
    head: Value,
    measured: Vec<Measured>,
}

impl Report {
    pub(super) fn new(commit: Option<&str>, relay: &Path) -> Result<Self, Error> {
        let relay = relay.canonicalize().map_err(Error::Start)?;
        let profile = relay.parent().and_then(Path::file_name);
        let profile = profile.map(|name| name.to_string_lossy().into_owned());
        let head = json!({
            "schema": SCHEMA,
            "commit": commit,
            "profile": profile,
            "processor": processor(),
            "block_bytes": wire::limits::BLOCK_BYTES_MAX,
            "goals": {"cpu_ratio_max": RATIO_GOAL, "kb_per_child_max": CHILD_KB_GOAL, "kb_from_children": MANY},
        });
        Ok(Self {
            head,
            measured: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, measured: Measured) {
        self.measured.push(measured);
    }

    /// Whether everything that was sent has arrived.
    pub(super) fn complete(&self) -> bool {
        self.measured.iter().all(|m| m.all(Figures::complete))
    }

    pub(super) fn json(&self) -> Value {
        let mut report = self.head.clone();
        if let Value::Object(fields) = &mut report {
            let points = self.measured.iter().map(Measured::json).collect();
            fields.insert("points".into(), Value::Array(points));
            fields.insert("complete".into(), self.complete().into());
        }
        report
    }
}

/// The processor's name, as Linux tells it.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(": ").map(|(_, name)| name.to_owned())
}

fn mean(rounds: &[Figures], value: impl Fn(&Figures) -> f64) -> f64 {
    rounds.iter().map(value).sum::<f64>() / rounds.len().max(1) as f64
}

/// Three digits after the point are more than the figures are worth.
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(cpu_ns: u64, blocks: u64) -> Figures {
        Figures {
            cpu_ns,
            window_us: 1_000_000,
            idle_bytes: 1_000_000,
            loaded_bytes: 21_000_000,
            kept_bytes: 0,
            expected_blocks: 1_000,
            load_busy: 0.5,
            received: Received {
                blocks,
                bytes: 1_000_000_000,
                latency_us_p50: 1_500,
                latency_us_p99: 3_000,
                lost: 0,
            },
        }
    }

    fn measured(relay: Figures, bare: Figures) -> Measured {
        let mut measured = Measured::new(Point {
            children: 200,
            stream_bps: 5_000_000,
        });
        measured.add(Contender::Relay, relay);
        measured.add(Contender::Bare, bare);
        measured
    }

    #[test]
    fn figures_are_per_gigabyte_and_per_child() {
        let json = measured(figures(1_200_000_000, 1_000), figures(1_000_000_000, 1_000)).json();
        assert_eq!(json["relay"]["cpu_s_per_gb"], 1.2);
        assert_eq!(json["relay"]["kb_per_child"], 100.0);
        assert_eq!(json["cpu_ratio"], 1.2);
        assert_eq!(json["cpu_goal_met"], false);
        assert_eq!(json["memory_goal_met"], true);
    }

    #[test]
    fn lost_blocks_make_the_run_incomplete() {
        let json = measured(figures(1, 990), figures(1, 1_000)).json();
        assert_eq!(json["complete"], false);
    }
}
