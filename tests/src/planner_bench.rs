//! The planner alone, on one core: joins and leaves per second in an audience
//! of a given size, bytes per viewer, and what the trees look like then. Every
//! edge works at once, so the figures hold what the driver's reports cost too.

use clap::Parser;
use overlay::planner::{Action, Config, Peer, Planner};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::process::ExitCode;
use wire::Stripes;

/// Viewers that the station feeds at the full rate.
const STATION_SLOTS: u32 = 40;
/// Slots of a viewer are drawn from 0 to 3 alike: half as much again as is
/// needed.
const SLOTS: u64 = 4;
/// Members that come and go per point of the curve, at most.
const CHURN_MAX: u32 = 100_000;

/// Measure the planner; prints JSON (roundcast.planner-bench/1).
#[derive(Debug, Parser)]
#[command(name = "planner-bench", version)]
pub struct Arguments {
    /// Sizes of the audience, one point each.
    #[arg(long, value_name = "N", value_delimiter = ',',
          default_values_t = [1_000, 10_000, 100_000, 1_000_000])]
    pub viewers: Vec<u32>,
    /// Data and parity stripes.
    #[arg(long, default_value = "4+1")]
    pub stripes: Stripes,
    /// Decides who has how much upload and who leaves.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The commit that is measured, for the report.
    #[arg(long)]
    pub commit: Option<String>,
}

/// One size of the audience.
#[derive(Debug, Serialize)]
pub struct Point {
    viewers: u32,
    /// From the first to the last viewer, per second of processor time.
    joins_per_s: f64,
    /// At this size, one coming for each that goes.
    churn_joins_per_s: f64,
    churn_leaves_per_s: f64,
    /// Of the resident memory, names of four bytes included.
    bytes_per_viewer: f64,
    depth_max: u32,
    guaranteed_share: f64,
    edges_attached_per_event: f64,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: &'a str,
    commit: Option<&'a str>,
    stripes: String,
    seed: u64,
    curve: Vec<Point>,
}

/// Runs the bench.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    let point = |viewers: &u32| measure(*viewers, arguments.stripes, arguments.seed);
    let report = Report {
        schema: "roundcast.planner-bench/1",
        commit: arguments.commit.as_deref(),
        stripes: arguments.stripes.to_string(),
        seed: arguments.seed,
        curve: arguments.viewers.iter().map(point).collect(),
    };
    match serde_json::to_string_pretty(&report) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("planner-bench: the report could not be written: {e}");
            ExitCode::FAILURE
        }
    }
}

struct Bench {
    planner: Planner<u32>,
    random: u64,
    edges_per_slot: u32,
    next: u32,
    members: Vec<u32>,
    attached: u64,
    now_ms: u64,
}

impl Bench {
    fn new(stripes: Stripes, seed: u64) -> Self {
        let edges_per_slot = u32::from(stripes.count());
        let config = Config {
            stripes,
            ..Config::default()
        };
        let edges = STATION_SLOTS.saturating_mul(edges_per_slot);
        Self {
            planner: Planner::new(0, edges, config, seed),
            random: seed,
            edges_per_slot,
            next: 0,
            members: Vec::new(),
            attached: 0,
            now_ms: 0,
        }
    }

    /// SplitMix64 (Steele et al., 2014).
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }

    fn join(&mut self) {
        self.next = self.next.saturating_add(1);
        self.now_ms = self.now_ms.saturating_add(1);
        let slots = u32::try_from(self.below(SLOTS)).unwrap_or(0);
        let peer = Peer {
            edges: slots.saturating_mul(self.edges_per_slot),
            ..Peer::default()
        };
        if self.planner.join(self.now_ms, self.next, peer).is_ok() {
            self.members.push(self.next);
        }
        self.drain();
    }

    fn leave(&mut self) {
        let len = self.members.len();
        let at = usize::try_from(self.below(len as u64)).unwrap_or(0);
        if at < len {
            let node = self.members.swap_remove(at);
            let _ = self.planner.leave(self.now_ms, node);
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.planner.poll_action() {
            if let Action::Attach {
                stripe,
                child,
                parent,
                ..
            } = action
            {
                self.planner.edge_up(child, parent, stripe);
                self.attached = self.attached.saturating_add(1);
            }
        }
    }
}

fn measure(viewers: u32, stripes: Stripes, seed: u64) -> Point {
    let before = resident_bytes();
    let mut bench = Bench::new(stripes, seed);
    bench.members.reserve(viewers as usize);
    let joined_in = timed(|| (0..viewers).for_each(|_| bench.join()));
    let bytes = resident_bytes().saturating_sub(before);
    let churn = viewers.min(CHURN_MAX);
    // In small steps, so that the audience keeps its size.
    let (mut leaves_s, mut joins_s) = (0.0, 0.0);
    let step = (viewers / 100).max(1);
    let mut done = 0;
    while done < churn {
        leaves_s += timed(|| (0..step).for_each(|_| bench.leave()));
        joins_s += timed(|| (0..step).for_each(|_| bench.join()));
        done += step;
    }
    let (sure, all) = bench.planner.guaranteed();
    let view = bench.planner.view();
    let events = f64::from(viewers) + 2.0 * f64::from(done);
    Point {
        viewers,
        joins_per_s: f64::from(viewers) / joined_in,
        churn_joins_per_s: f64::from(done) / joins_s,
        churn_leaves_per_s: f64::from(done) / leaves_s,
        // The bench's own list of members is no part of the planner.
        bytes_per_viewer: bytes as f64 / f64::from(viewers) - 4.0,
        depth_max: view.iter().filter_map(|v| v.depth).max().unwrap_or(0),
        guaranteed_share: f64::from(sure) / f64::from(all.max(1)),
        edges_attached_per_event: bench.attached as f64 / events,
    }
}

/// Seconds of this thread's processor time: what else runs does not count.
fn timed(work: impl FnOnce()) -> f64 {
    let seconds = || {
        let at = clock_gettime(ClockId::ThreadCPUTime);
        at.tv_sec as f64 + at.tv_nsec as f64 / 1e9
    };
    let begun = seconds();
    work();
    seconds() - begun
}

/// The process's resident memory (proc(5), status), 0 where there is none.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0u64).saturating_mul(1024)
}
