//! The result: what was seen, and whether the goals are met.

use super::Error;
use super::plan::{Against, Contender, Point, Received};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// CPU per byte, relay to bare fan-out.
const RATIO_GOAL: f64 = 1.15;
/// Memory per child, in KB, where there are many.
const CHILD_KB_GOAL: f64 = 100.0;
/// How many are many.
const MANY: usize = 200;
/// CPU per byte, relay to moq-relay as it comes, from so many children on.
const MOQ_RATIO_GOAL: f64 = 0.5;
/// The 99th percentile of the added latency, likewise.
const MOQ_P99_RATIO_GOAL: f64 = 0.6;
const MOQ_CHILDREN: usize = 50;
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
    /// Share of the bench's cores that other programs of the machine used.
    pub(super) others_busy: f64,
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
            "others_busy": round(self.others_busy),
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} CPU-s/GB, {:.1}/{:.1} ms, {:.0} KB grown, {:.1} % delivered, load {:.0} % busy, others {:.0} %",
            self.cpu_s_per_gb(),
            self.received.latency_us_p50 as f64 / 1e3,
            self.received.latency_us_p99 as f64 / 1e3,
            self.grown_kb(),
            self.delivered() * 100.0,
            self.load_busy * 100.0,
            self.others_busy * 100.0,
        )
    }
}

/// All contenders at one point.
#[derive(Debug)]
pub(super) struct Measured {
    point: Point,
    sides: BTreeMap<Contender, Vec<Figures>>,
}

impl Measured {
    pub(super) fn new(point: Point) -> Self {
        Self {
            point,
            sides: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, contender: Contender, figures: Figures) {
        self.sides.entry(contender).or_default().push(figures);
    }

    fn of(&self, contender: Contender) -> &[Figures] {
        self.sides.get(&contender).map_or(&[], Vec::as_slice)
    }

    /// The relay's mean of `value` to the other's.
    fn ratio(&self, other: Contender, value: impl Fn(&Figures) -> f64) -> f64 {
        let own = mean(self.of(Contender::Relay), &value);
        own / mean(self.of(other), &value).max(f64::MIN_POSITIVE)
    }

    fn cpu_ratio(&self, other: Contender) -> f64 {
        self.ratio(other, Figures::cpu_s_per_gb)
    }

    fn p99_ratio(&self, other: Contender) -> f64 {
        self.ratio(other, |f| f.received.latency_us_p99 as f64)
    }

    fn child_kb(&self, rounds: &[Figures], kb: impl Fn(&Figures) -> f64) -> f64 {
        mean(rounds, kb) / self.point.children.max(1) as f64
    }

    fn all(&self, test: impl Fn(&Figures) -> bool) -> bool {
        self.sides.values().flatten().all(test)
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

    fn json(&self, against: Against) -> Value {
        let many = self.point.children >= MANY;
        let kb = self.child_kb(self.of(Contender::Relay), Figures::grown_kb);
        let mut fields = Map::new();
        fields.insert("children".into(), self.point.children.into());
        let mbps = self.point.stream_bps / 1_000_000;
        fields.insert("stream_mbps".into(), mbps.into());
        let stripes = self.point.stripes.to_string();
        fields.insert("stripes".into(), stripes.into());
        for (contender, rounds) in &self.sides {
            fields.insert(contender.name().into(), self.side(rounds));
        }
        let compared = match against {
            Against::Bare => self.beside_bare(),
            Against::Moq => self.beside_moq(),
        };
        fields.extend(compared);
        let met = many.then_some(kb <= CHILD_KB_GOAL);
        fields.insert("memory_goal_met".into(), met.into());
        let complete = self.all(Figures::complete);
        fields.insert("complete".into(), complete.into());
        let limit = !self.all(|f| f.load_busy <= LOAD_BUSY_MAX);
        fields.insert("load_was_the_limit".into(), limit.into());
        Value::Object(fields)
    }

    fn beside_bare(&self) -> Map<String, Value> {
        let ratio = self.cpu_ratio(Contender::Bare);
        Map::from_iter([
            ("cpu_ratio".into(), round(ratio).into()),
            ("cpu_goal_met".into(), (ratio <= RATIO_GOAL).into()),
        ])
    }

    /// The goals are beside moq-relay as it comes.
    fn beside_moq(&self) -> Map<String, Value> {
        let counts = self.point.children >= MOQ_CHILDREN;
        let cpu = self.cpu_ratio(Contender::Moq);
        let p99 = self.p99_ratio(Contender::Moq);
        let cpu_tuned = self.cpu_ratio(Contender::MoqTuned);
        let p99_tuned = self.p99_ratio(Contender::MoqTuned);
        let cpu_met = counts.then_some(cpu <= MOQ_RATIO_GOAL);
        let p99_met = counts.then_some(p99 <= MOQ_P99_RATIO_GOAL);
        Map::from_iter([
            ("cpu_ratio".into(), round(cpu).into()),
            ("cpu_ratio_tuned".into(), round(cpu_tuned).into()),
            ("p99_ratio".into(), round(p99).into()),
            ("p99_ratio_tuned".into(), round(p99_tuned).into()),
            ("cpu_goal_met".into(), cpu_met.into()),
            ("p99_goal_met".into(), p99_met.into()),
        ])
    }
}

/// The whole run.
#[derive(Debug)]
pub(super) struct Report {
    against: Against,
    head: Value,
    measured: Vec<Measured>,
}

impl Report {
    pub(super) fn new(against: Against, commit: Option<&str>, relay: &Path) -> Result<Self, Error> {
        let relay = relay.canonicalize().map_err(Error::Start)?;
        let profile = relay.parent().and_then(Path::file_name);
        let profile = profile.map(|name| name.to_string_lossy().into_owned());
        let head = json!({
            "schema": schema(against),
            "commit": commit,
            "profile": profile,
            "processor": processor(),
            "block_bytes": wire::limits::BLOCK_BYTES_MAX,
            "goals": goals(against),
        });
        Ok(Self {
            against,
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
            let point = |measured: &Measured| measured.json(self.against);
            let points = self.measured.iter().map(point).collect();
            fields.insert("points".into(), Value::Array(points));
            fields.insert("complete".into(), self.complete().into());
        }
        report
    }
}

fn schema(against: Against) -> &'static str {
    match against {
        Against::Bare => "roundcast.relay-bench/1",
        Against::Moq => "roundcast.moq-bench/1",
    }
}

fn goals(against: Against) -> Value {
    match against {
        Against::Bare => json!({
            "cpu_ratio_max": RATIO_GOAL,
            "kb_per_child_max": CHILD_KB_GOAL,
            "kb_from_children": MANY,
        }),
        Against::Moq => json!({
            "cpu_ratio_max": MOQ_RATIO_GOAL,
            "p99_ratio_max": MOQ_P99_RATIO_GOAL,
            "ratios_from_children": MOQ_CHILDREN,
            "kb_per_child_max": CHILD_KB_GOAL,
            "kb_from_children": MANY,
        }),
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
            others_busy: 0.0,
            received: Received {
                blocks,
                bytes: 1_000_000_000,
                latency_us_p50: 1_500,
                latency_us_p99: 3_000,
                lost: 0,
            },
        }
    }

    fn measured(children: usize, sides: Vec<(Contender, Figures)>) -> Measured {
        let mut measured = Measured::new(Point {
            children,
            stream_bps: 5_000_000,
            stripes: wire::Stripes::SINGLE,
        });
        for (contender, figures) in sides {
            measured.add(contender, figures);
        }
        measured
    }

    fn beside_bare(relay: Figures, bare: Figures) -> Value {
        let sides = vec![(Contender::Relay, relay), (Contender::Bare, bare)];
        measured(200, sides).json(Against::Bare)
    }

    #[test]
    fn figures_are_per_gigabyte_and_per_child() {
        let json = beside_bare(figures(1_200_000_000, 1_000), figures(1_000_000_000, 1_000));
        assert_eq!(json["relay"]["cpu_s_per_gb"], 1.2);
        assert_eq!(json["relay"]["kb_per_child"], 100.0);
        assert_eq!(json["cpu_ratio"], 1.2);
        assert_eq!(json["cpu_goal_met"], false);
        assert_eq!(json["memory_goal_met"], true);
    }

    #[test]
    fn lost_blocks_make_the_run_incomplete() {
        let json = beside_bare(figures(1, 990), figures(1, 1_000));
        assert_eq!(json["complete"], false);
    }

    /// A relay that takes half of the processor time and most of the delay.
    fn beside_moq(children: usize) -> Value {
        let sides = vec![
            (Contender::Relay, figures(1_000_000_000, 1_000)),
            (Contender::Moq, figures(2_000_000_000, 1_000)),
            (Contender::MoqTuned, figures(1_600_000_000, 1_000)),
        ];
        measured(children, sides).json(Against::Moq)
    }

    #[test]
    fn the_goals_beside_moq_relay_are_those_of_many_children() {
        let json = beside_moq(50);
        assert_eq!(json["cpu_ratio"], 0.5);
        assert_eq!(json["cpu_ratio_tuned"], 0.625);
        assert_eq!(json["p99_ratio"], 1.0);
        assert_eq!(json["cpu_goal_met"], true);
        assert_eq!(json["p99_goal_met"], false);
        assert_eq!(beside_moq(10)["cpu_goal_met"], Value::Null);
    }
}
