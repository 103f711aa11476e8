//! Why the bench cannot go on.

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Failures of the bench. Each names its step.
#[derive(Debug, Error)]
pub enum Error {
    /// The event loop or the own executable.
    #[error("start: {0}")]
    Start(io::Error),
    /// There is no relay to measure.
    #[error("find the relay: {} is no file; build it with the same profile: cargo build --release -p relay-vm", .0.display())]
    RelayMissing(PathBuf),
    /// moq-relay or its load is not where it was said to be.
    #[error("find {}: it is no file; tests/steps/bench.sh builds it", .0.display())]
    MoqMissing(PathBuf),
    /// Contender and load would disturb each other.
    #[error("pin: the relay needs a core for itself, and this process may use {0} core(s) only")]
    TooFewCores(usize),
    /// The system refuses a core.
    #[error("pin: {0}; allow this process to choose its cores")]
    Pin(io::Error),
    /// A process did not start or say what it must.
    #[error("{what}: {source}")]
    Process {
        /// The step.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A process or the relay said something else than it must.
    #[error("{0}: the answer is not the expected one; see the messages above")]
    Answer(&'static str),
    /// Something did not happen in time.
    #[error("{0}: nothing happened in time; is the machine busy?")]
    Timeout(&'static str),
    /// /proc does not tell what a process used.
    #[error("measure: /proc/{pid} does not tell its use ({what}); this needs Linux")]
    Usage {
        /// The process.
        pid: u32,
        /// Which part.
        what: &'static str,
    },
    /// Links.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// Keys, certificates, chunks.
    #[error("keys: {0}")]
    Certs(#[from] certs::Error),
    /// The desk's statement.
    #[error("boot: {0}")]
    Attest(#[from] attest::Error),
    /// A value is over its bound.
    #[error("messages: {0}")]
    Decode(#[from] wire::DecodeError),
    /// Lines between the bench's processes.
    #[error("lines between the bench's processes: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// The stable name.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Start(_) => "start_failed",
            Self::RelayMissing(_) => "relay_missing",
            Self::MoqMissing(_) => "moq_missing",
            Self::TooFewCores(_) => "too_few_cores",
            Self::Pin(_) => "pin_refused",
            Self::Process { .. } => "process_failed",
            Self::Answer(_) => "answer_unexpected",
            Self::Timeout(_) => "timeout",
            Self::Usage { .. } => "usage_unknown",
            Self::Link(e) => e.reason(),
            Self::Certs(e) => e.reason(),
            Self::Attest(e) => e.reason(),
            Self::Decode(_) | Self::Json(_) => "nonsense",
        }
    }
}
