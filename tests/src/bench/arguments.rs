//! The command line.

use super::Error;
use super::plan::Against;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use wire::Stripes;

/// Measure what the relay costs beside a bare QUIC fan-out, or beside
/// moq-relay; prints JSON (roundcast.relay-bench/1, roundcast.moq-bench/1).
/// Exits 1 if data were lost.
#[derive(Debug, Parser)]
#[command(name = "relay-bench", version)]
pub struct Arguments {
    /// One small point and one round, to see that it works.
    #[arg(long)]
    pub smoke: bool,
    /// The relay's executable; default: beside this one.
    #[arg(long, value_name = "FILE")]
    pub relay: Option<PathBuf>,
    /// Beside this executable of moq-relay instead of the bare fan-out.
    #[arg(long, value_name = "FILE", requires = "moq_load")]
    pub moq_relay: Option<PathBuf>,
    /// The executable of tests/moq, which loads it.
    #[arg(long, value_name = "FILE", requires = "moq_relay")]
    pub moq_load: Option<PathBuf>,
    /// Data and parity stripes of the relay's stream: every child takes all.
    #[arg(long, value_name = "K+M", default_value_t = Stripes::SINGLE)]
    pub stripes: Stripes,
    /// This point alone.
    #[arg(long, value_name = "CHILDREN")]
    pub children: Option<usize>,
    /// The commit that is measured, for the report.
    #[arg(long)]
    pub commit: Option<String>,
    /// What this process is in the bench.
    #[command(subcommand)]
    pub part: Option<Part>,
}

/// Parts of the bench that run in processes of their own.
#[derive(Debug, Subcommand)]
pub enum Part {
    /// All children; told what to do on standard input.
    #[command(hide = true)]
    Children,
    /// The bare fan-out.
    #[command(hide = true)]
    Bare {
        /// SPKI hash of the node whose streams are fanned out.
        #[arg(long)]
        parent: String,
    },
}

impl Arguments {
    /// What the relay is measured beside.
    pub(super) fn against(&self) -> Against {
        if self.moq_relay.is_some() {
            Against::Moq
        } else {
            Against::Bare
        }
    }

    /// Both programs of the other relay, if it is measured.
    pub(super) fn moq(&self) -> Option<(PathBuf, PathBuf)> {
        self.moq_relay.clone().zip(self.moq_load.clone())
    }

    /// Where the relay's executable is.
    ///
    /// # Errors
    /// [`Error::RelayMissing`].
    pub fn relay(&self) -> Result<PathBuf, Error> {
        let path = match &self.relay {
            Some(path) => path.clone(),
            None => std::env::current_exe()
                .map_err(Error::Start)?
                .with_file_name("roundcast-relay"),
        };
        if path.is_file() {
            Ok(path)
        } else {
            Err(Error::RelayMissing(path))
        }
    }
}
