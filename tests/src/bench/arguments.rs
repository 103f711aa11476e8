//! The command line.

use super::Error;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Measure what the relay costs beside a bare QUIC fan-out; prints JSON
/// (roundcast.relay-bench/1). Exits 1 if data were lost.
#[derive(Debug, Parser)]
#[command(name = "relay-bench", version)]
pub struct Arguments {
    /// One small point and one round, to see that it works.
    #[arg(long)]
    pub smoke: bool,
    /// The relay's executable; default: beside this one.
    #[arg(long, value_name = "FILE")]
    pub relay: Option<PathBuf>,
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
