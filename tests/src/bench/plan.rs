//! What is measured.

use super::Arguments;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use wire::limits::BLOCK_BYTES_MAX;

/// Children, and the stream's rate in Mbit/s: a handful as at home, what one
/// small relay is sold for, and many of a thin stream.
const POINTS: [(usize, u64); 4] = [(10, 5), (100, 10), (200, 5), (500, 2)];
/// Media time of a chunk: the fragments that encoders make for live streams.
const CHUNK_US: u64 = 200_000;
/// Chunks of a group of pictures.
pub(super) const GROUP_CHUNKS: u64 = 5;

/// Who fans the stream out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Contender {
    /// The relay program.
    Relay,
    /// The bare fan-out.
    Bare,
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relay => "relay",
            Self::Bare => "bare",
        })
    }
}

/// One load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    /// Children.
    pub(super) children: usize,
    /// The stream, in bit/s.
    pub(super) stream_bps: u64,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} x {} Mbit/s",
            self.children,
            self.stream_bps / 1_000_000
        )
    }
}

impl Point {
    /// Time between two full blocks, in microseconds.
    pub(super) fn block_us(&self) -> u64 {
        (BLOCK_BYTES_MAX as u64 * 8 * 1_000_000)
            .checked_div(self.stream_bps)
            .unwrap_or(u64::MAX)
    }

    /// Full blocks of a chunk.
    pub(super) fn chunk_blocks(&self) -> u64 {
        let half = self.block_us() / 2;
        let blocks = CHUNK_US.saturating_add(half).checked_div(self.block_us());
        blocks.unwrap_or(1).max(1)
    }
}

/// The points, and how long each is looked at.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) points: Vec<Point>,
    /// Each contender's turns.
    pub(super) rounds: u32,
    pub(super) warm_up: Duration,
    pub(super) window: Duration,
}

impl Plan {
    pub(super) fn new(arguments: &Arguments) -> Self {
        let (count, rounds, warm_up, window) = if arguments.smoke {
            (1, 1, 1, 3)
        } else {
            (POINTS.len(), 2, 2, 10)
        };
        let points = POINTS.into_iter().take(count);
        Self {
            points: points
                .filter(|(children, _)| arguments.children.is_none_or(|c| c == *children))
                .map(|(children, mbps)| Point {
                    children,
                    stream_bps: mbps * 1_000_000,
                })
                .collect(),
            rounds,
            warm_up: Duration::from_secs(warm_up),
            window: Duration::from_secs(window),
        }
    }
}

/// What the children's process is told first, as one line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Casting {
    pub(super) contender: Contender,
    pub(super) address: String,
    /// SPKI hash of whom they dial.
    pub(super) parent: String,
    pub(super) members: Vec<MemberLine>,
}

/// One child: seed of its key, certificate and permit, in hexadecimal.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MemberLine {
    pub(super) seed: String,
    pub(super) certificate: String,
    /// Empty for the bare fan-out, which asks for none.
    pub(super) permit: String,
}

/// What it is told next: the part of the stream that counts, by the planned
/// times of the blocks, in microseconds of the monotonic clock.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Window {
    pub(super) from_us: u64,
    pub(super) until_us: u64,
}

/// What it answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Received {
    /// Blocks of the window, over all children.
    pub(super) blocks: u64,
    /// Block bytes that arrived while the window lasted.
    pub(super) bytes: u64,
    pub(super) latency_us_p50: u64,
    pub(super) latency_us_p99: u64,
    /// Children whose link ended.
    pub(super) lost: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_chunks_fit_the_rate() {
        let point = Point {
            children: 1,
            stream_bps: 10_000_000,
        };
        assert_eq!(point.block_us(), 13_107);
        assert_eq!(point.chunk_blocks(), 15);
    }
}
