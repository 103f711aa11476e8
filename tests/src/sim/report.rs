//! A run as JSON (`roundcast.sim/1`), as a few lines, and as a picture.

use super::measure::Sample;
use super::outcome::{Continuity, Outcome, ranked};
use super::svg::{Line, Panel, draw};
use super::world::World;
use overlay::mesh::Pulled;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So long after the last arrival, or what happened to all at once, the trees
/// should be at rest: every edge that was in doubt by then has another parent.
const REST_S: u64 = overlay::planner::HANDOVER_MS_MAX / 1_000;

fn round(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

fn continuity(continuity: Option<&Continuity>) -> Value {
    continuity.map_or(Value::Null, |c| {
        json!({
            "viewers": c.viewers, "mean": round(c.mean), "median": round(c.median),
            "p1": round(c.p1),
        })
    })
}

impl World {
    /// The whole report. `wall_s` is how long the run took here.
    pub(super) fn json(&self, outcome: &Outcome, commit: Option<&str>, wall_s: f64) -> Value {
        let scenario = &self.scenario;
        let classes: BTreeMap<&str, Value> = outcome
            .classes
            .iter()
            .map(|(class, c)| (class.name(), continuity(c.as_ref())))
            .collect();
        json!({
            "schema": "roundcast.sim/1",
            "scenario": scenario.name,
            "about": scenario.about,
            "commit": commit,
            "seed": scenario.seed,
            "viewers": scenario.viewers,
            "seconds": scenario.seconds,
            "stripes": scenario.stripes,
            "stream_bps": scenario.stream.rate_bps,
            "playout_delay_ms": scenario.stream.playout_delay_ms,
            "continuity": {
                "overall": continuity(outcome.overall.as_ref()),
                "minute_after_event": continuity(outcome.after.as_ref()),
                "by_class": classes,
            },
            "join_ms": {
                "p50": ranked(&outcome.join_ms, 500), "p95": ranked(&outcome.join_ms, 950),
                "never": outcome.never_played,
            },
            "near": self.near_json(),
            "delay_ms": { "p50": self.delay_ms(500), "p99": self.delay_ms(990) },
            "longest_gap_ms": {
                "p50": ranked(&outcome.gap_ms, 500), "p99": ranked(&outcome.gap_ms, 990),
            },
            "depth": self.depth(),
            "edges": self.edges_json(),
            "guaranteed": self.guaranteed_json(),
            "control": {
                "bytes_per_viewer_s": round(outcome.control_bytes_per_viewer_s),
                "up_bytes": self.measure.counts.control_up_bytes,
                "down_bytes": self.measure.counts.control_down_bytes,
            },
            "repair": self.repair_json(),
            "audience": self.audience_json(),
            "steps": self.steps,
            "steps_per_wall_s": (self.steps as f64 / wall_s.max(1e-9)).round(),
            "wall_s": round(wall_s),
            "digest": self.digest.to_hex(),
            "promise": self.promise(),
            "timeline": self.timeline_json(outcome),
        })
    }

    /// The deepest viewer in the worst second after everybody had come, and what
    /// the same capacities would have allowed then; and the same at rest, from
    /// [`REST_S`] after that and after the event.
    fn depth(&self) -> Value {
        let come_s = self.scenario.arrivals.over_ms / 1_000;
        let event_s = self.scenario.event.map_or(0, |e| e.at_ms / 1_000);
        let (worst, rest_s) = (self.deepest(come_s), come_s.max(event_s) + REST_S);
        let at_rest = self.deepest(rest_s);
        worst.map_or(Value::Null, |(ratio, sample)| {
            json!({
                "max": sample.depth_max, "optimum": sample.depth_optimum, "ratio": round(ratio),
                "at_rest": {"from_s": rest_s, "ratio": at_rest.map(|(ratio, _)| round(ratio))},
            })
        })
    }

    /// Of the seconds from `from_s` on, that with the greatest depth as a multiple of
    /// the optimum.
    fn deepest(&self, from_s: u64) -> Option<(f64, Sample)> {
        let skipped = usize::try_from(from_s).unwrap_or(usize::MAX);
        let samples = self.measure.samples.iter().skip(skipped);
        let ratio = |s: &Sample| f64::from(s.depth_max) / f64::from(s.depth_optimum.max(1));
        samples
            .map(|s| (ratio(s), *s))
            .max_by(|a, b| a.0.total_cmp(&b.0))
    }

    fn edges_json(&self) -> Value {
        let last = self.measure.samples.last().copied().unwrap_or_default();
        let counts = &self.measure.counts;
        let duplicates = counts.duplicate_bytes as f64 / counts.block_bytes.max(1) as f64;
        json!({
            "made": counts.attached,
            "orphaned": counts.orphaned,
            "at_end": last.edges, "used_at_end": last.edges_used,
            "silence_reports": counts.silent_reports,
            "lateness_reports": counts.late_reports,
            "left_out_chunks": counts.left_out,
            "duplicate_share": round(duplicates),
            "used_share_at_ask_min": counts.used_share_at_ask.map(round),
        })
    }

    /// Whether places are chosen by round trip, and how long the planned ways
    /// are at the end by the lines alone.
    fn near_json(&self) -> Value {
        let ways = self.ways_ms();
        json!({
            "nears_max": self.scenario.rules.nears_max,
            "way_ms": { "p50": ranked(&ways, 500), "p99": ranked(&ways, 990) },
        })
    }

    /// Viewers whom no single node's end makes miss a chunk, of all, at the end.
    fn guaranteed_json(&self) -> Value {
        let last = self.measure.samples.last().copied().unwrap_or_default();
        json!({ "viewers": last.guaranteed, "of": last.viewers })
    }

    /// What was pulled from neighbours, by everybody.
    fn repair_json(&self) -> Value {
        let mut all = Pulled::default();
        for node in &self.nodes {
            let pulled = node.puller.pulled();
            all.asked += pulled.asked;
            all.repaired += pulled.repaired;
            all.wasted += pulled.wasted;
            all.refused += pulled.refused;
            all.unanswered += pulled.unanswered;
        }
        let bytes = self.measure.counts.mesh;
        let viewer_s: u64 = self
            .measure
            .samples
            .iter()
            .map(|s| u64::from(s.viewers))
            .sum();
        let said = bytes.said_bytes as f64 / viewer_s.max(1) as f64;
        json!({
            "asked": all.asked, "repaired": all.repaired, "wasted": all.wasted,
            "refused": all.refused, "unanswered": all.unanswered,
            "answered_bytes": bytes.answered_bytes,
            "said_bytes_per_viewer_s": round(said),
        })
    }

    fn audience_json(&self) -> Value {
        let counts = &self.measure.counts;
        let mut asked = BTreeMap::new();
        for ((cause, step), count) in &counts.asked {
            asked.insert(format!("{cause}/{step}"), count);
        }
        let by_class: BTreeMap<&str, u64> = counts
            .asked_class
            .iter()
            .map(|(class, count)| (class.name(), *count))
            .collect();
        json!({
            "joined": counts.joined, "refused": counts.refused, "lost_at_once": counts.lost,
            "times_short": counts.short, "granted": counts.granted, "relays": counts.relays,
            "asked": asked, "asked_by_class": by_class,
        })
    }

    fn promise(&self) -> Value {
        let promise = &self.scenario.promise;
        json!({
            "continuity_min": promise.continuity_min,
            "continuity_after_min": promise.continuity_after_min,
            "join_ms_p95_max": promise.join_ms_p95_max,
            "depth_ratio_max": promise.depth_ratio_max,
            "sponsor_over_free_rider_min": promise.sponsor_over_free_rider_min,
            "refused_permille_max": promise.refused_permille_max,
            "used_share_at_ask_min": promise.used_share_at_ask_min,
        })
    }

    fn column(&self, value: impl Fn(&Sample) -> f64) -> Vec<Option<f64>> {
        self.measure
            .samples
            .iter()
            .map(|s| Some(value(s)))
            .collect()
    }

    fn timeline_json(&self, outcome: &Outcome) -> Value {
        let samples = &self.measure.samples;
        let column = |value: fn(&Sample) -> u64| samples.iter().map(value).collect::<Vec<u64>>();
        json!({
            "continuity": outcome.timeline.iter().map(|c| c.map(round)).collect::<Vec<_>>(),
            "viewers": column(|s| u64::from(s.viewers)),
            "waiting": column(|s| u64::from(s.waiting)),
            "guaranteed": column(|s| u64::from(s.guaranteed)),
            "depth": column(|s| u64::from(s.depth_max)),
            "delay_ms_p50": column(|s| s.delay_ms_p50),
            "delay_ms_p99": column(|s| s.delay_ms_p99),
            "control_bytes": column(|s| s.control_bytes),
        })
    }

    /// A few lines for people.
    pub(super) fn summary(&self, outcome: &Outcome) -> String {
        let share = |c: &Option<Continuity>| {
            c.as_ref()
                .map_or_else(|| "-".to_owned(), |c| format!("{:.4}", c.mean))
        };
        format!(
            "{}: continuity {} (after the event {}), join p95 {} ms, gap p99 {} ms, \
             delay p50 {} ms, depth {}, {} refused, {} relays, {:.0} control bytes/s a viewer",
            self.scenario.name,
            share(&outcome.overall),
            share(&outcome.after),
            ranked(&outcome.join_ms, 950).unwrap_or(0),
            ranked(&outcome.gap_ms, 990).unwrap_or(0),
            self.delay_ms(500),
            self.measure.samples.last().map_or(0, |s| s.depth_max),
            self.measure.counts.refused,
            self.measure.counts.relays,
            outcome.control_bytes_per_viewer_s,
        )
    }

    /// The run as an SVG.
    pub(super) fn svg(&self, outcome: &Outcome) -> String {
        let scenario = &self.scenario;
        let line = |name, color, values| Line {
            name,
            color,
            values,
        };
        let viewers = |s: &Sample| f64::from(s.viewers.max(1));
        let shown = outcome.timeline.iter().flatten().copied();
        let lowest = shown.fold(1.0, f64::min);
        let panels = [
            Panel {
                title: format!(
                    "continuity, {} ms after publishing",
                    scenario.stream.playout_delay_ms
                ),
                from: (lowest * 10.0).floor() / 10.0,
                to: Some(1.0),
                lines: vec![line("all viewers", "#06c", outcome.timeline.clone())],
            },
            Panel {
                title: "depth of the tree".to_owned(),
                from: 0.0,
                to: None,
                lines: vec![
                    line("deepest", "#06c", self.column(|s| f64::from(s.depth_max))),
                    line(
                        "optimum",
                        "#999",
                        self.column(|s| f64::from(s.depth_optimum)),
                    ),
                ],
            },
            Panel {
                title: "delay behind the station, ms".to_owned(),
                from: 0.0,
                to: None,
                lines: vec![
                    line("median", "#06c", self.column(|s| s.delay_ms_p50 as f64)),
                    line("p99", "#c60", self.column(|s| s.delay_ms_p99 as f64)),
                ],
            },
            Panel {
                title: "control bytes per viewer and second".to_owned(),
                from: 0.0,
                to: None,
                lines: vec![line(
                    "to and from",
                    "#06c",
                    self.column(|s| s.control_bytes as f64 / viewers(s)),
                )],
            },
        ];
        let title = format!(
            "{}: {} viewers, stripes {}, seed {}",
            scenario.name, scenario.viewers, scenario.stripes, scenario.seed
        );
        let mark_s = scenario.event.map(|e| e.at_ms as f64 / 1e3);
        let seconds = usize::try_from(scenario.seconds).unwrap_or(usize::MAX);
        draw(&title, seconds, mark_s, &panels)
    }
}
