//! What is measured.

use super::Arguments;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use wire::Stripes;
use wire::limits::BLOCK_BYTES_MAX;

/// Children, and the stream's rate in Mbit/s: a handful as at home, what one
/// small relay is sold for, and many of a thin stream.
const POINTS: [(usize, u64); 4] = [(10, 5), (100, 10), (200, 5), (500, 2)];
/// The same beside another relay, with the fewest children of its goal.
const POINTS_AGAINST_MOQ: [(usize, u64); 5] = [(10, 5), (50, 10), (100, 10), (200, 5), (500, 2)];
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
    /// moq-relay as it comes.
    Moq,
    /// moq-relay with the flags that suit this load best.
    MoqTuned,
}

impl Contender {
    /// Its load at this point.
    pub(super) fn point(self, point: Point) -> Point {
        match self {
            Self::Relay | Self::Bare => point,
            Self::Moq | Self::MoqTuned => point.without_parity(),
        }
    }

    /// Its name in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Bare => "bare",
            Self::Moq => "moq",
            Self::MoqTuned => "moq_tuned",
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the relay is measured beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    /// The least that its transport costs.
    Bare,
    /// What people would take instead.
    Moq,
}

impl Against {
    /// Who takes turns, in this order.
    pub(super) fn contenders(self) -> &'static [Contender] {
        match self {
            Self::Bare => &[Contender::Relay, Contender::Bare],
            Self::Moq => &[Contender::Relay, Contender::Moq, Contender::MoqTuned],
        }
    }

    fn points(self) -> &'static [(usize, u64)] {
        match self {
            Self::Bare => &POINTS,
            Self::Moq => &POINTS_AGAINST_MOQ,
        }
    }
}

/// One load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    /// Children.
    pub(super) children: usize,
    /// The stream without parity, in bit/s.
    pub(super) stream_bps: u64,
    /// What it is divided into; each child takes all of them.
    pub(super) stripes: Stripes,
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
    /// Time between two full blocks of the stream without parity, in
    /// microseconds.
    fn data_block_us(&self) -> u64 {
        (BLOCK_BYTES_MAX as u64 * 8 * 1_000_000)
            .checked_div(self.stream_bps)
            .unwrap_or(u64::MAX)
    }

    /// Rows of a chunk: one full block of each stripe.
    fn chunk_rows(&self) -> u64 {
        let row_us = self
            .data_block_us()
            .saturating_mul(u64::from(self.stripes.k()));
        let rows = CHUNK_US.saturating_add(row_us / 2).checked_div(row_us);
        rows.unwrap_or(1).max(1)
    }

    /// Full blocks of data in a chunk.
    pub(super) fn chunk_data_blocks(&self) -> u64 {
        self.chunk_rows()
            .saturating_mul(u64::from(self.stripes.k()))
    }

    /// Full blocks of a chunk, parity included.
    pub(super) fn chunk_blocks(&self) -> u64 {
        let width = u64::from(self.stripes.k()) + u64::from(self.stripes.m());
        self.chunk_rows().saturating_mul(width)
    }

    /// Time between two full blocks, parity included, in microseconds.
    pub(super) fn block_us(&self) -> u64 {
        let chunk_us = self
            .chunk_data_blocks()
            .saturating_mul(self.data_block_us());
        chunk_us
            .checked_div(self.chunk_blocks())
            .unwrap_or(u64::MAX)
    }

    /// The same load for who knows no parity.
    pub(super) fn without_parity(self) -> Self {
        Self {
            stripes: Stripes::SINGLE,
            ..self
        }
    }
}

/// The points, and how long each is looked at.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) against: Against,
    pub(super) points: Vec<Point>,
    /// Each contender's turns.
    pub(super) rounds: u32,
    pub(super) warm_up: Duration,
    pub(super) window: Duration,
}

impl Plan {
    pub(super) fn new(arguments: &Arguments) -> Self {
        let against = arguments.against();
        let points = against.points();
        let (count, rounds, warm_up, window) = if arguments.smoke {
            (1, 1, 1, 3)
        } else {
            (points.len(), 2, 2, 10)
        };
        let points = points.iter().take(count);
        Self {
            against,
            points: points
                .filter(|(children, _)| arguments.children.is_none_or(|c| c == *children))
                .map(|(children, mbps)| Point {
                    children: *children,
                    stream_bps: mbps * 1_000_000,
                    stripes: arguments.stripes,
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

/// What moq-load's subscribers are told first.
#[derive(Debug, Serialize)]
pub(super) struct MoqCasting {
    pub(super) address: String,
    pub(super) children: usize,
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
            stripes: Stripes::SINGLE,
        };
        assert_eq!(point.block_us(), 13_107);
        assert_eq!(point.chunk_blocks(), 15);
    }

    #[test]
    fn parity_comes_on_top_of_the_stream() {
        let point = Point {
            children: 1,
            stream_bps: 10_000_000,
            stripes: Stripes::new(4, 1).unwrap(),
        };
        assert_eq!((point.chunk_data_blocks(), point.chunk_blocks()), (16, 20));
        assert_eq!(point.block_us(), 13_107 * 4 / 5);
        assert_eq!(point.without_parity().chunk_blocks(), 15);
    }
}
