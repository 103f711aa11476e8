//! How long a node's links are and what they lose, by QUIC's own figures: the
//! links of edges and of neighbours, while they are up.

use crate::Link;
use crate::node::{Node, lock};
use std::collections::BTreeMap;
use std::sync::Mutex;
use wire::codec::List;
use wire::limits::LINES_MAX;
use wire::message::lines::{Line, Lines};
use wire::{Minor, SpkiHash};

/// From one report to the next, at least; receipts come as often.
const REPORT_MS: u64 = 5_000;
/// Round trips are told again if they have changed by so much, in microseconds,
/// and by an eighth.
const CHANGED_US: u64 = 2_000;
/// Losses are told from this on, in lost packets of a thousand; once more when
/// they are over.
const TOLD_PERMILLE: u64 = 10;

/// The links that are up, by who is at the other end; two nodes may have more
/// than one.
#[derive(Debug, Default)]
pub(crate) struct Paths(Mutex<BTreeMap<(SpkiHash, usize), quinn::Connection>>);

impl Paths {
    /// The link is up until what is returned is dropped.
    pub(crate) fn enter(&self, link: &Link) -> Entered<'_> {
        let key = (link.peer, link.connection.stable_id());
        lock(&self.0).insert(key, link.connection.clone());
        Entered { paths: self, key }
    }
}

/// See [`Paths::enter`].
pub(crate) struct Entered<'a> {
    paths: &'a Paths,
    key: (SpkiHash, usize),
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        lock(&self.paths.0).remove(&self.key);
    }
}

/// One link as QUIC sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The least round trip so far, in microseconds.
    pub rtt_us: u64,
    /// Packets that were sent, and of them lost, since the link began.
    pub sent: u64,
    /// See `sent`.
    pub lost: u64,
}

impl Path {
    fn of(connection: &quinn::Connection) -> Self {
        let path = connection.stats().path;
        Self {
            rtt_us: u64::try_from(path.min_rtt.as_micros()).unwrap_or(u64::MAX),
            sent: path.sent_packets,
            lost: path.lost_packets,
        }
    }
}

impl Link {
    /// This link as QUIC sees it.
    #[must_use]
    pub fn path(&self) -> Path {
        Path::of(&self.connection)
    }
}

impl Node {
    /// The links of edges and neighbours that are up. Of two with one node, the
    /// shorter round trip, and the packets of both.
    #[must_use]
    pub fn paths(&self) -> BTreeMap<SpkiHash, Path> {
        let mut all: BTreeMap<SpkiHash, Path> = BTreeMap::new();
        for ((other, _), connection) in lock(&self.paths.0).iter() {
            let path = Path::of(connection);
            all.entry(*other)
                .and_modify(|both| {
                    both.rtt_us = both.rtt_us.min(path.rtt_us);
                    both.sent = both.sent.saturating_add(path.sent);
                    both.lost = both.lost.saturating_add(path.lost);
                })
                .or_insert(path);
        }
        all
    }
}

/// What a node has told its coordinator of its links; begins anew with each
/// control link.
#[derive(Debug, Default)]
pub struct Measuring {
    last_ms: Option<u64>,
    told: BTreeMap<SpkiHash, Path>,
    /// The last report spoke of losses.
    lossy: bool,
}

impl Measuring {
    /// What there is to tell at `now_ms`, over a control link of this version;
    /// none if nothing has changed, or the last report is too fresh.
    pub fn report(
        &mut self,
        now_ms: u64,
        minor: Minor,
        paths: BTreeMap<SpkiHash, Path>,
    ) -> Option<Lines> {
        let rests = |last_ms| now_ms.saturating_sub(last_ms) < REPORT_MS;
        if minor < Minor::LINES || self.last_ms.is_some_and(rests) {
            return None;
        }
        self.last_ms = Some(now_ms);
        let mut lines: Vec<Line> = paths.iter().map(|(o, p)| self.line(*o, p)).collect();
        let lossy = lines.iter().any(is_lossy);
        let ended = self.told.keys().any(|other| !paths.contains_key(other));
        let is_news = |line: &Line| self.differs(line);
        if !(lossy || self.lossy || ended || lines.iter().any(is_news)) {
            // Packets go on being counted; what was told of them is past.
            self.keep_counts(&paths);
            return None;
        }
        self.lossy = lossy;
        // A relay has more links than fit: what is new waits for its turn.
        lines.sort_by_key(|line| (!is_lossy(line), !self.differs(line)));
        lines.truncate(LINES_MAX);
        self.told.retain(|other, _| paths.contains_key(other));
        let said = lines.iter().filter_map(|l| paths.get_key_value(&l.other));
        self.told.extend(said.map(|(other, path)| (*other, *path)));
        Some(Lines {
            lines: List::new(lines).unwrap_or_default(),
        })
    }

    fn line(&self, other: SpkiHash, path: &Path) -> Line {
        let before = self.told.get(&other).filter(|told| told.sent <= path.sent);
        Line {
            other,
            rtt_us: path.rtt_us,
            sent: path.sent.saturating_sub(before.map_or(0, |b| b.sent)),
            lost: path.lost.saturating_sub(before.map_or(0, |b| b.lost)),
        }
    }

    fn differs(&self, line: &Line) -> bool {
        self.told.get(&line.other).is_none_or(|told| {
            let most = (told.rtt_us / 8).saturating_add(CHANGED_US);
            line.rtt_us.abs_diff(told.rtt_us) > most
        })
    }

    fn keep_counts(&mut self, paths: &BTreeMap<SpkiHash, Path>) {
        for (other, told) in &mut self.told {
            if let Some(path) = paths.get(other) {
                (told.sent, told.lost) = (path.sent, path.lost);
            }
        }
    }
}

const fn is_lossy(line: &Line) -> bool {
    let least = line.sent.saturating_mul(TOLD_PERMILLE);
    line.lost > 0 && line.lost.saturating_mul(1_000) >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: SpkiHash = SpkiHash([7; 32]);

    fn paths(rtt_us: u64, sent: u64, lost: u64) -> BTreeMap<SpkiHash, Path> {
        BTreeMap::from([(OTHER, Path { rtt_us, sent, lost })])
    }

    #[test]
    fn only_news_are_told_and_not_too_often() {
        let mut measuring = Measuring::default();
        let mut tell = |ms, paths| {
            measuring
                .report(ms, Minor::LINES, paths)
                .map(|l| l.lines.len())
        };
        assert_eq!(tell(0, paths(40_000, 10, 0)), Some(1), "a new link");
        assert_eq!(tell(1_000, paths(90_000, 20, 0)), None, "too soon");
        assert_eq!(tell(5_000, paths(41_000, 30, 0)), None, "nothing new");
        assert_eq!(tell(10_000, paths(60_000, 40, 0)), Some(1), "another way");
        assert_eq!(tell(15_000, BTreeMap::new()), Some(0), "it has ended");
    }

    #[test]
    fn losses_are_told_by_the_interval_and_once_more_when_they_are_over() {
        let mut measuring = Measuring::default();
        let mut tell = |ms, sent, lost| {
            let lines = measuring.report(ms, Minor::LINES, paths(40_000, sent, lost))?;
            let line = lines.lines.iter().next()?;
            Some((line.sent, line.lost))
        };
        assert_eq!(tell(0, 100, 0), Some((100, 0)));
        assert_eq!(tell(5_000, 200, 0), None);
        assert_eq!(tell(10_000, 300, 20), Some((100, 20)));
        assert_eq!(tell(15_000, 400, 20), Some((100, 0)));
        assert_eq!(tell(20_000, 500, 20), None);
    }

    #[test]
    fn of_many_links_each_gets_its_turn_and_the_lossy_ones_first() {
        let path = |lost| Path {
            rtt_us: 40_000,
            sent: 1_000,
            lost,
        };
        let name = |n: u8| SpkiHash([n; 32]);
        let many = (0..100).map(|n| (name(n), path(if n == 99 { 200 } else { 0 })));
        let many: BTreeMap<SpkiHash, Path> = many.collect();
        let mut measuring = Measuring::default();
        let mut told = std::collections::BTreeSet::new();
        for ms in [0, 5_000, 10_000, 15_000] {
            let lines = measuring.report(ms, Minor::LINES, many.clone());
            let lines = lines.map(|lines| lines.lines).unwrap_or_default();
            assert!(ms > 0 || lines.iter().next().map(|l| l.other) == Some(name(99)));
            told.extend(lines.iter().map(|line| line.other));
        }
        assert_eq!(told.len(), 100);
        assert_eq!(measuring.report(25_000, Minor::LINES, many), None);
    }

    #[test]
    fn a_coordinator_of_an_older_version_is_told_nothing() {
        let mut measuring = Measuring::default();
        assert!(measuring.report(0, Minor(0), paths(1, 1, 0)).is_none());
    }
}
