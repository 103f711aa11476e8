//! What came out of a run, over the viewers.

use super::measure::{Class, quantile};
use super::node::Id;
use super::playout::Seen;
use super::world::World;

/// How long who joins may wait for a first picture before what he does not
/// see counts as missed.
const PATIENCE_US: u64 = 3_000_000;
/// The span after the event that is looked at on its own.
const AFTER_US: u64 = 60_000_000;

/// Continuity over viewers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Continuity {
    pub(super) viewers: usize,
    pub(super) mean: f64,
    pub(super) median: f64,
    pub(super) p1: f64,
}

/// Figures of one run.
pub(super) struct Outcome {
    pub(super) overall: Option<Continuity>,
    pub(super) classes: Vec<(Class, Option<Continuity>)>,
    /// Of those who were there, in the minute after the event.
    pub(super) after: Option<Continuity>,
    /// Of the same, the longest run of missed chunks, and who missed any.
    pub(super) gap_ms_after: u64,
    pub(super) missed_after: usize,
    pub(super) join_ms: Vec<u64>,
    pub(super) never_played: usize,
    pub(super) gap_ms: Vec<u64>,
    /// By second, over all viewers.
    pub(super) timeline: Vec<Option<f64>>,
    pub(super) control_bytes_per_viewer_s: f64,
}

/// The value of a sorted list below which `permille` lie.
pub(super) fn ranked<T: Copy>(sorted: &[T], permille: usize) -> Option<T> {
    let last = sorted.len().checked_sub(1)?;
    sorted
        .get((sorted.len() * permille / 1_000).min(last))
        .copied()
}

fn continuity(mut shares: Vec<f64>) -> Option<Continuity> {
    shares.sort_by(f64::total_cmp);
    Some(Continuity {
        viewers: shares.len(),
        mean: shares.iter().sum::<f64>() / shares.len().max(1) as f64,
        median: ranked(&shares, 500)?,
        p1: ranked(&shares, 10)?,
    })
}

impl World {
    fn due_us(&self, sequence: u64) -> u64 {
        let stream = &self.scenario.stream;
        (sequence * stream.chunk_ms + stream.playout_delay_ms) * 1_000
    }

    fn seen(&self, id: Id, span_us: (u64, u64)) -> Seen {
        let playout = &self.node(id).playout;
        playout.seen(self.stream.head(), span_us, PATIENCE_US, |n| self.due_us(n))
    }

    /// Who was turned away before he saw anything is counted as refused, and
    /// not as somebody who missed the stream.
    fn watched(&self, id: Id) -> bool {
        let node = self.node(id);
        !(node.refused && node.playout.first.is_none())
    }

    pub(super) fn outcome(&self) -> Outcome {
        let end_us = self.scenario.seconds * 1_000_000;
        let viewers: Vec<Id> = self.viewers().filter(|id| self.watched(*id)).collect();
        let mut all = Vec::new();
        let mut by_class: Vec<(Class, f64)> = Vec::new();
        let mut gap_ms = Vec::new();
        for id in &viewers {
            let seen = self.seen(*id, (0, end_us));
            if let Some(share) = seen.continuity() {
                all.push(share);
                by_class.push((self.class(*id), share));
                gap_ms.push(seen.gap * self.scenario.stream.chunk_ms);
            }
        }
        gap_ms.sort_unstable();
        let shares_of = |class: Class| {
            let of = by_class.iter().filter(|(c, _)| *c == class);
            of.map(|(_, share)| *share).collect()
        };
        let seen = self.seen_after(&viewers, end_us);
        let gap = seen.iter().map(|seen| seen.gap).max().unwrap_or(0);
        let shares = seen.iter().filter_map(Seen::continuity).collect();
        let (join_ms, never_played) = self.joins(&viewers, end_us);
        Outcome {
            overall: continuity(all),
            classes: Class::ALL.map(|c| (c, continuity(shares_of(c)))).to_vec(),
            after: self.scenario.event.and_then(|_| continuity(shares)),
            gap_ms_after: gap * self.scenario.stream.chunk_ms,
            missed_after: seen.iter().filter(|seen| seen.gap > 0).count(),
            join_ms,
            never_played,
            gap_ms,
            timeline: self.timeline(&viewers),
            control_bytes_per_viewer_s: self.control_rate(end_us),
        }
    }

    /// What those saw in the minute after the event who were there then.
    fn seen_after(&self, viewers: &[Id], end_us: u64) -> Vec<Seen> {
        let Some(event) = self.scenario.event else {
            return Vec::new();
        };
        let from_us = event.at_ms * 1_000;
        let span_us = (from_us, end_us.min(from_us + AFTER_US));
        let there = |id: &&Id| {
            let left_us = self.node(**id).playout.left_us;
            left_us.is_none_or(|left| left > from_us)
        };
        let there = viewers.iter().filter(there);
        there.map(|id| self.seen(*id, span_us)).collect()
    }

    /// From the wish to the first picture; who waits in vain waits to the end.
    fn joins(&self, viewers: &[Id], end_us: u64) -> (Vec<u64>, usize) {
        let mut join_ms = Vec::new();
        let mut never = 0;
        for id in viewers {
            let playout = &self.node(*id).playout;
            let left_us = playout.left_us.unwrap_or(end_us);
            match playout.first {
                Some((_, at_us)) => join_ms.push((at_us - playout.joined_us) / 1_000),
                None if left_us > playout.joined_us + PATIENCE_US => {
                    never += 1;
                    join_ms.push((left_us - playout.joined_us) / 1_000);
                }
                None => {}
            }
        }
        join_ms.sort_unstable();
        (join_ms, never)
    }

    fn timeline(&self, viewers: &[Id]) -> Vec<Option<f64>> {
        let seconds = 0..self.scenario.seconds;
        let share = |second: u64| {
            let span_us = (second * 1_000_000, (second + 1) * 1_000_000);
            let mut sum = Seen::default();
            for id in viewers {
                let seen = self.seen(*id, span_us);
                sum.due += seen.due;
                sum.in_time += seen.in_time;
            }
            sum.continuity()
        };
        seconds.map(share).collect()
    }

    fn control_rate(&self, end_us: u64) -> f64 {
        let (mut bytes, mut viewer_us) = (0, 0);
        for id in self.viewers() {
            let node = self.node(id);
            let left_us = node.playout.left_us.unwrap_or(end_us);
            bytes += node.control_bytes;
            viewer_us += left_us - node.playout.joined_us;
        }
        bytes as f64 * 1e6 / viewer_us.max(1) as f64
    }

    /// Delay at the viewers, in ms.
    pub(super) fn delay_ms(&self, permille: u64) -> u64 {
        quantile(&self.measure.delays, permille)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_of_the_sorted() {
        let sorted: Vec<u32> = (0..100).collect();
        assert_eq!(ranked(&sorted, 10), Some(1));
        assert_eq!(ranked(&sorted, 500), Some(50));
        assert_eq!(ranked(&sorted, 1_000), Some(99));
        assert_eq!(ranked::<u32>(&[], 500), None);
        let one = continuity(vec![0.5]).unwrap();
        assert_eq!((one.mean, one.median, one.p1), (0.5, 0.5, 0.5));
        assert_eq!(continuity(Vec::new()), None);
    }
}
