//! Why a simulation cannot begin, or what it broke.

use std::path::PathBuf;
use thiserror::Error;

/// Failures of a simulation.
#[derive(Debug, Error)]
pub enum Error {
    /// A scenario's file cannot be read.
    #[error("read the scenario {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A scenario's file says something else than a scenario.
    #[error("read the scenario: {0}")]
    Scenario(#[from] toml::de::Error),
    /// A value that cannot be.
    #[error("read the scenario: {0}")]
    Value(&'static str),
    /// The result cannot be written.
    #[error("write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The stream could not be made.
    #[error("make the stream: {0}")]
    Stream(#[from] certs::Error),
    /// A message could not be made to be measured.
    #[error("measure a message: {0}")]
    Message(#[from] wire::DecodeError),
    /// An invariant does not hold.
    #[error("{0}")]
    Broken(#[from] super::check::Broken),
}
