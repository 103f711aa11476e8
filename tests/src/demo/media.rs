//! What a viewer received, held against what the station published.

use super::cast::STATION;
use super::log::Log;
use crate::event::Event;
use std::collections::BTreeMap;

/// What was published less than this before a viewer was told to leave may
/// still have been on its way, in microseconds: a chunk's length and a few
/// hops. A viewer that is further behind plays on to the newest beacon's head
/// before it leaves.
pub const ON_THE_WAY_US: u64 = 300_000;

/// A piece of the stream: its init segment or a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// SHA-256 of the plain bytes, in hexadecimal digits.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// Whether a player can begin with it.
    pub key: bool,
    /// When it was published, or put out.
    pub mono_us: u64,
}

/// What one program published, or put out.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// The init segment.
    pub init: Option<Piece>,
    /// The chunks in the order of the program's events.
    pub chunks: Vec<(u64, Piece)>,
}

impl Stream {
    /// What the station published.
    #[must_use]
    pub fn published(log: &Log) -> Self {
        Self::of(log.of(STATION, "chunk_published"))
    }

    /// What a viewer verified, opened and put out.
    #[must_use]
    pub fn received(log: &Log, viewer: &str) -> Self {
        Self::of(log.of(viewer, "chunk_received"))
    }

    fn of<'a>(events: impl Iterator<Item = &'a Event>) -> Self {
        let mut stream = Self::default();
        for event in events {
            let Some(piece) = piece(event) else { continue };
            if event.flag("init") {
                stream.init.get_or_insert(piece);
            } else if let Some(sequence) = event.number("sequence") {
                stream.chunks.push((sequence, piece));
            }
        }
        stream
    }

    /// Bytes of all pieces.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let chunks = self.chunks.iter().map(|(_, piece)| piece);
        chunks.chain(&self.init).map(|piece| piece.bytes).sum()
    }
}

fn piece(event: &Event) -> Option<Piece> {
    Some(Piece {
        sha256: event.text("sha256")?.to_owned(),
        bytes: event.number("bytes")?,
        key: event.flag("key"),
        mono_us: event.mono_us,
    })
}

/// How many chunks a viewer is behind the station; 0 before its first one.
#[must_use]
pub fn behind_chunks(log: &Log, viewer: &str) -> u64 {
    let newest = |source, kind| {
        let told = log.of(source, kind);
        let media = told.filter(|event| !event.flag("init"));
        media.filter_map(|event| event.number("sequence")).last()
    };
    let published = newest(STATION, "chunk_published").unwrap_or_default();
    let received = newest(viewer, "chunk_received");
    received.map_or(0, |received| published.saturating_sub(received))
}

/// How a viewer was served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Chunks from the viewer's first to its leaving.
    pub chunks_due: u64,
    /// Those that it put out.
    pub chunks_verified: u64,
    /// Bytes that it put out.
    pub bytes: u64,
    /// The longest time between two chunks.
    pub longest_gap_ms: u64,
    /// From publishing to putting out, in the middle.
    pub delay_ms_p50: u64,
    /// The same for the slowest hundredth.
    pub delay_ms_p99: u64,
    /// Init segment and chunks are those that were published, in their order,
    /// from a key frame to the leaving, none missing.
    pub identical: bool,
}

/// Compares a viewer's stream with the published one. `left_us` is when the
/// viewer was told to leave, on the clock of all events.
#[must_use]
pub fn compare(published: &Stream, received: &Stream, left_us: u64) -> Service {
    let Some((first, first_piece)) = received.chunks.first() else {
        return Service::default();
    };
    let last = received
        .chunks
        .last()
        .map_or(*first, |(sequence, _)| *sequence);
    let due: BTreeMap<u64, &Piece> = published
        .chunks
        .iter()
        .filter(|(sequence, piece)| {
            let arrived_or_late =
                *sequence <= last || piece.mono_us.saturating_add(ON_THE_WAY_US) <= left_us;
            sequence >= first && arrived_or_late
        })
        .map(|(sequence, piece)| (*sequence, piece))
        .collect();
    let same = |(got, piece): &&(u64, Piece)| {
        let original = due.get(got);
        original.is_some_and(|o| o.sha256 == piece.sha256 && o.bytes == piece.bytes)
    };
    let verified = received.chunks.iter().filter(same).count();
    let in_order = received
        .chunks
        .iter()
        .map(|(sequence, _)| sequence)
        .eq(due.keys());
    let delays = delays_ms(&due, &received.chunks);
    Service {
        chunks_due: count(due.len()),
        chunks_verified: count(verified),
        bytes: received.bytes(),
        longest_gap_ms: longest_gap_ms(&received.chunks),
        delay_ms_p50: percentile(&delays, 50),
        delay_ms_p99: percentile(&delays, 99),
        identical: same_init(published, received)
            && first_piece.key
            && in_order
            && verified == received.chunks.len(),
    }
}

fn same_init(published: &Stream, received: &Stream) -> bool {
    match (&published.init, &received.init) {
        (Some(published), Some(received)) => published.sha256 == received.sha256,
        _ => false,
    }
}

fn delays_ms(due: &BTreeMap<u64, &Piece>, chunks: &[(u64, Piece)]) -> Vec<u64> {
    let delay = |(sequence, piece): &(u64, Piece)| {
        let published_us = due.get(sequence)?.mono_us;
        Some(piece.mono_us.saturating_sub(published_us) / 1000)
    };
    let mut delays: Vec<u64> = chunks.iter().filter_map(delay).collect();
    delays.sort_unstable();
    delays
}

fn longest_gap_ms(chunks: &[(u64, Piece)]) -> u64 {
    let pairs = chunks.iter().zip(chunks.iter().skip(1));
    let gaps = pairs.map(|((_, a), (_, b))| b.mono_us.saturating_sub(a.mono_us) / 1000);
    gaps.max().unwrap_or(0)
}

/// The nearest-rank percentile of sorted values; 0 without any.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn stream(sequences: impl Iterator<Item = u64>, lag_us: u64) -> Stream {
        let piece = |sha: String, mono_us, key| Piece {
            sha256: sha,
            bytes: 100,
            key,
            mono_us,
        };
        Stream {
            init: Some(piece("init".into(), lag_us, false)),
            chunks: sequences
                .map(|n| (n, piece(format!("c{n}"), n * 200_000 + lag_us, n % 5 == 0)))
                .collect(),
        }
    }

    #[test]
    fn a_late_viewer_with_everything_from_a_key_frame_is_identical() {
        let service = compare(&stream(0..50, 0), &stream(10..50, 30_000), 10_000_000);
        assert!(service.identical);
        assert_eq!((service.chunks_due, service.chunks_verified), (40, 40));
        assert_eq!((service.delay_ms_p50, service.delay_ms_p99), (30, 30));
        assert_eq!((service.longest_gap_ms, service.bytes), (200, 4_100));
    }

    #[test]
    fn every_single_deviation_is_seen() {
        let published = stream(0..50, 0);
        let good = stream(10..50, 30_000);
        let deviations: [fn(&mut Stream); 8] = [
            |s| s.init = None,
            |s| s.init.as_mut().unwrap().sha256.push('0'),
            |s| drop(s.chunks.remove(3)),
            |s| s.chunks[3].1.sha256.push('0'),
            |s| s.chunks[3].1.bytes += 1,
            |s| s.chunks.swap(3, 4),
            |s| drop(s.chunks.remove(0)),
            |s| s.chunks.insert(3, s.chunks[3].clone()),
        ];
        for (number, deviate) in deviations.iter().enumerate() {
            let mut bad = good.clone();
            deviate(&mut bad);
            // The deviation at the front makes the first chunk no key frame.
            assert!(!compare(&published, &bad, 10_000_000).identical, "{number}");
        }
    }

    #[test]
    fn a_missing_end_counts_unless_it_may_have_been_on_its_way() {
        let published = stream(0..50, 0);
        let short = stream(10..45, 30_000);
        // Chunk 45 was published at 9.0 s.
        let service = compare(&published, &short, 9_200_000);
        assert!(service.identical);
        assert_eq!(service.chunks_due, 35);
        let service = compare(&published, &short, 9_400_000);
        assert!(!service.identical);
        assert_eq!((service.chunks_due, service.chunks_verified), (36, 35));
    }

    #[test]
    fn gaps_are_the_longest_between_two_chunks() {
        let mut received = stream(10..50, 0);
        for (_, piece) in received.chunks.iter_mut().skip(7) {
            piece.mono_us += 1_300_000;
        }
        let service = compare(&stream(0..50, 0), &received, 10_000_000);
        assert_eq!(service.longest_gap_ms, 1_500);
        assert_eq!((service.delay_ms_p50, service.delay_ms_p99), (1_300, 1_300));
    }

    #[test]
    fn who_received_nothing_is_not_identical() {
        let service = compare(&stream(0..50, 0), &Stream::default(), 1);
        assert_eq!(service, Service::default());
        assert!(!service.identical);
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(
            (percentile(&values, 50), percentile(&values, 99)),
            (100, 198)
        );
        assert_eq!((percentile(&[7], 99), percentile(&[], 50)), (7, 0));
    }
}
