//! The lines of the bench: JSON objects, one per line. The bench's own are in
//! `tests/src/bench/plan.rs`; times are microseconds of the monotonic clock.

use crate::error::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

/// What subscribers are told first.
#[derive(Debug, Deserialize)]
pub(crate) struct Casting {
    /// Where the relay listens, `IP:port`.
    pub(crate) address: String,
    /// How many subscribers.
    pub(crate) children: usize,
}

/// The part of the stream that counts, by the planned times of the blocks.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Window {
    pub(crate) from_us: u64,
    pub(crate) until_us: u64,
}

/// What subscribers have received of it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Received {
    /// Blocks of the window, over all subscribers.
    pub(crate) blocks: u64,
    /// Block bytes that arrived while the window lasted.
    pub(crate) bytes: u64,
    pub(crate) latency_us_p50: u64,
    pub(crate) latency_us_p99: u64,
    /// Subscribers whose link or subscription ended.
    pub(crate) lost: u64,
}

/// What the publisher is told first.
#[derive(Debug, Deserialize)]
pub(crate) struct Stage {
    /// Where the relay listens, `IP:port`.
    pub(crate) address: String,
}

/// What the publisher is told next: when which block leaves.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Schedule {
    pub(crate) start_us: u64,
    pub(crate) end_us: u64,
    /// From one block to the next.
    pub(crate) block_us: u64,
    /// Length of a block.
    pub(crate) block_bytes: usize,
    /// Blocks of a group.
    pub(crate) group_blocks: u64,
}

/// Standard input, line by line.
pub(crate) struct Input(Lines<BufReader<Stdin>>);

impl Input {
    pub(crate) fn new() -> Self {
        Self(BufReader::new(tokio::io::stdin()).lines())
    }

    /// The next line, which must come.
    pub(crate) async fn hear<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let line = self.0.next_line().await.map_err(Error::Lines)?;
        Ok(serde_json::from_str(&line.ok_or(Error::End)?)?)
    }

    /// Waits until the bench says no more.
    pub(crate) async fn end(mut self) {
        while let Ok(Some(_)) = self.0.next_line().await {}
    }
}

impl Schedule {
    /// When block `number` leaves.
    pub(crate) fn at_us(&self, number: u64) -> u64 {
        let after = number.saturating_mul(self.block_us);
        self.start_us.saturating_add(after)
    }
}
