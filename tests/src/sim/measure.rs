//! What is counted while time passes.

use super::Error;
use super::check::Invariant;
use super::node::{Id, Kind, STATION, Step};
use super::optimum::optimal_depth;
use super::scenario::Scenario;
use super::world::World;
use std::collections::BTreeMap;
use wire::message::control::NodeKind;
use wire::statement::{Cause, Step as AskStep};

/// Delays are counted by the millisecond up to this one.
const DELAY_MS_MAX: usize = 30_000;

/// Which of the paper's classes a viewer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Sponsor,
    Contributor,
    FreeRider,
}

impl Class {
    pub(super) const ALL: [Self; 3] = [Self::Sponsor, Self::Contributor, Self::FreeRider];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sponsor => "sponsor",
            Self::Contributor => "contributor",
            Self::FreeRider => "free_rider",
        }
    }
}

/// One second of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    pub(super) viewers: u32,
    pub(super) waiting: u32,
    /// Viewers whom no single node's end makes miss a chunk.
    pub(super) guaranteed: u32,
    pub(super) depth_max: u32,
    pub(super) depth_optimum: u32,
    pub(super) edges: u64,
    pub(super) edges_used: u64,
    pub(super) delay_ms_p50: u64,
    pub(super) delay_ms_p99: u64,
    /// To and from all members, in this second.
    pub(super) control_bytes: u64,
}

/// What went over links of neighbours.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MeshBytes {
    /// Maps, pulls and refusals.
    pub(super) said_bytes: u64,
    pub(super) answered_bytes: u64,
}

/// Counters of one run.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) joined: u64,
    pub(super) refused: u64,
    pub(super) lost: u64,
    pub(super) orphaned: u64,
    pub(super) attached: u64,
    pub(super) short: u64,
    pub(super) granted: u64,
    pub(super) relays: u64,
    pub(super) silent_reports: u64,
    pub(super) late_reports: u64,
    pub(super) left_out: u64,
    pub(super) block_bytes: u64,
    pub(super) duplicate_bytes: u64,
    pub(super) control_up_bytes: u64,
    pub(super) control_down_bytes: u64,
    /// Bytes of control by the message's name.
    pub(super) up_kinds: BTreeMap<&'static str, u64>,
    pub(super) down_kinds: BTreeMap<&'static str, u64>,
    pub(super) mesh: MeshBytes,
    /// The least share of all edges that was in use when somebody was asked.
    pub(super) used_share_at_ask: Option<f64>,
    pub(super) asked: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) asked_class: BTreeMap<Class, u64>,
}

#[derive(Debug)]
pub(super) struct Measure {
    pub(super) counts: Counts,
    /// By millisecond; of the whole run, and of this second.
    pub(super) delays: Vec<u64>,
    recent: Vec<u64>,
    pub(super) samples: Vec<Sample>,
    control_before: u64,
}

/// The value below which `permille` of what was counted lies.
pub(super) fn quantile(counts: &[u64], permille: u64) -> u64 {
    let total: u64 = counts.iter().sum();
    let mut rest = total.saturating_mul(permille) / 1_000;
    for (value, count) in (0u64..).zip(counts) {
        if *count > rest {
            return value;
        }
        rest -= count;
    }
    0
}

impl Measure {
    pub(super) fn new(_scenario: &Scenario) -> Self {
        Self {
            counts: Counts::default(),
            delays: vec![0; DELAY_MS_MAX + 1],
            recent: vec![0; DELAY_MS_MAX + 1],
            samples: Vec::new(),
            control_before: 0,
        }
    }

    pub(super) fn delay(&mut self, ms: u64) {
        let at = usize::try_from(ms)
            .unwrap_or(DELAY_MS_MAX)
            .min(DELAY_MS_MAX);
        for counts in [&mut self.delays, &mut self.recent] {
            if let Some(count) = counts.get_mut(at) {
                *count += 1;
            }
        }
    }

    pub(super) const fn joined(&mut self) {
        self.counts.joined += 1;
    }
    pub(super) const fn refused(&mut self) {
        self.counts.refused += 1;
    }
    pub(super) const fn lost(&mut self) {
        self.counts.lost += 1;
    }
    pub(super) const fn orphaned(&mut self) {
        self.counts.orphaned += 1;
    }
    pub(super) const fn attached(&mut self) {
        self.counts.attached += 1;
    }
    pub(super) const fn short(&mut self) {
        self.counts.short += 1;
    }
    pub(super) const fn granted(&mut self) {
        self.counts.granted += 1;
    }
    pub(super) const fn relay_admitted(&mut self) {
        self.counts.relays += 1;
    }
    pub(super) const fn silent(&mut self) {
        self.counts.silent_reports += 1;
    }
    pub(super) const fn late(&mut self) {
        self.counts.late_reports += 1;
    }
    pub(super) const fn left_out(&mut self, chunks: u64) {
        self.counts.left_out += chunks;
    }
    pub(super) fn control_up(&mut self, kind: &'static str, bytes: u64) {
        self.counts.control_up_bytes += bytes;
        *self.counts.up_kinds.entry(kind).or_default() += bytes;
    }
    pub(super) fn control_down(&mut self, kind: &'static str, bytes: u64) {
        self.counts.control_down_bytes += bytes;
        *self.counts.down_kinds.entry(kind).or_default() += bytes;
    }
    pub(super) const fn block(&mut self, fresh: bool, bytes: u64) {
        self.counts.block_bytes += bytes;
        if !fresh {
            self.counts.duplicate_bytes += bytes;
        }
    }
    pub(super) fn asked(&mut self, step: AskStep, cause: Cause) {
        let key = (cause.name(), step.name());
        *self.counts.asked.entry(key).or_default() += 1;
    }
    pub(super) fn asked_at(&mut self, used_share: f64) {
        let least = self.counts.used_share_at_ask.unwrap_or(1.0);
        self.counts.used_share_at_ask = Some(least.min(used_share));
    }
    pub(super) fn asked_class(&mut self, class: Class) {
        *self.counts.asked_class.entry(class).or_default() += 1;
    }
}

impl World {
    /// The class of a viewer, by what he gave so far.
    pub(super) fn class(&self, id: Id) -> Class {
        let node = self.node(id);
        if node.has_paid {
            Class::Sponsor
        } else if node.uplink.rate_bps() >= self.edge_bps {
            Class::Contributor
        } else {
            Class::FreeRider
        }
    }

    /// Looks at everything once a second: what must hold, and what is seen.
    pub(super) fn observe(&mut self) -> Result<(), Error> {
        let seats = self.plan.seats();
        let checked = self.shadow.check_all(&seats);
        checked.map_err(|invariant| self.broken(invariant))?;
        self.check_links()?;
        self.check_uplinks()?;
        let mut sample = Sample {
            guaranteed: self.plan.guaranteed().0,
            ..Sample::default()
        };
        let mut contributors = Vec::new();
        for seat in &seats {
            let used = u64::from(seat.edges_used);
            if seat.depth.is_some() {
                sample.edges += u64::from(seat.edges);
                sample.edges_used += used;
            }
            if seat.node != STATION {
                contributors.push((seat.edges, seat.kind == NodeKind::Relay));
            }
            if seat.kind == NodeKind::Peer {
                sample.viewers += 1;
                sample.waiting += u32::from(seat.waiting);
                sample.depth_max = sample.depth_max.max(seat.depth.unwrap_or(0));
            }
        }
        let station = seats.iter().find(|seat| seat.node == STATION);
        let station_edges = station.map_or(0, |seat| seat.edges);
        sample.depth_optimum = optimal_depth(station_edges, &contributors, self.stripes.count());
        let measure = &mut self.measure;
        sample.delay_ms_p50 = quantile(&measure.recent, 500);
        sample.delay_ms_p99 = quantile(&measure.recent, 990);
        measure.recent.fill(0);
        let control = measure.counts.control_up_bytes + measure.counts.control_down_bytes;
        sample.control_bytes = control - measure.control_before;
        measure.control_before = control;
        measure.samples.push(sample);
        Ok(())
    }

    /// What was sent has arrived, is under way, or came to nobody; and the
    /// forwarder counts as the link does.
    fn check_links(&mut self) -> Result<(), Error> {
        for at in 0..self.edges.len() {
            let Some(edge) = self.edges.get_mut(at) else {
                continue;
            };
            let under_way: u64 = edge.in_flight.iter().map(|f| f.bytes).sum();
            let arrived = edge.arrived_bytes + edge.discarded_bytes;
            let (parent, child) = (edge.parent, edge.child);
            let broken = Invariant::Bytes { parent, child };
            if edge.sent_bytes != arrived + under_way {
                return Err(self.broken(broken));
            }
            if edge.at_parent == Step::Ended && edge.at_child == Step::Ended {
                edge.sent.clear();
            }
            if edge.at_parent != Step::Running || edge.pending.is_some() {
                continue;
            }
            let sent_block_bytes = edge.sent_block_bytes;
            let node = self.node(parent);
            let told = node.forwarder.stats(child).map(|s| s.sent_bytes);
            if node.alive && told != Some(sent_block_bytes) {
                return Err(self.broken(broken));
            }
        }
        Ok(())
    }

    fn check_uplinks(&self) -> Result<(), Error> {
        for (id, node) in (0u32..).zip(&self.nodes) {
            if node.uplink.exceeded() {
                return Err(self.broken(Invariant::Uplink { node: id }));
            }
        }
        Ok(())
    }

    /// The viewers, in the order in which they came.
    pub(super) fn viewers(&self) -> impl Iterator<Item = Id> + '_ {
        (0u32..)
            .zip(&self.nodes)
            .filter(|(_, node)| node.kind == Kind::Viewer)
            .map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_counted() {
        let mut counts = vec![0; 10];
        counts[2] = 98;
        counts[7] = 2;
        assert_eq!(quantile(&counts, 500), 2);
        assert_eq!(quantile(&counts, 990), 7);
        assert_eq!(quantile(&[0; 5], 500), 0);
    }
}
