//! Why an evening could not be played to its end.

use crate::process::ProcessError;
use crate::programs::ProgramsError;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What went wrong; [`Error::reason`] is its stable name.
#[derive(Debug, Error)]
pub enum Error {
    /// The programs could not be had.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    /// A process could not be handled.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A file or folder could not be used.
    #[error("use {}: {source}; check the folder's permissions and space", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The evening's release could not be made.
    #[error("make the evening's release: {0} failed; check the source of randomness")]
    Release(&'static str),
    /// A step did not come about in time.
    #[error("{awaited}: nothing within {seconds} s; the last that happened: {last_seen}")]
    Timeout {
        /// What was awaited.
        awaited: String,
        /// For how long.
        seconds: u64,
        /// The newest event.
        last_seen: String,
    },
    /// A process ended before its time.
    #[error("{awaited}: {name} ended before its time; the end of its log:\n{log}")]
    Died {
        /// What was awaited.
        awaited: String,
        /// Which.
        name: String,
        /// The end of its log.
        log: String,
    },
    /// A command of the preparations failed.
    #[error("{step}: it ended with {exit}; the end of its log:\n{log}")]
    Command {
        /// The step.
        step: &'static str,
        /// How it ended.
        exit: String,
        /// The end of its log.
        log: String,
    },
    /// An event lacks a field that the evening needs.
    #[error("read the event {kind} of {source_name}: it has no good `{field}`")]
    Event {
        /// The event.
        kind: &'static str,
        /// Whose.
        source_name: String,
        /// What is missing.
        field: &'static str,
    },
    /// A member has not the slots that its role needs.
    #[error(
        "give {name} its role: it has {found} slots and needs {needed}; the stream's rate or the upload does not fit"
    )]
    Slots {
        /// Who.
        name: String,
        /// How many it has.
        found: u64,
        /// How many it has to have.
        needed: u64,
    },
    /// The relay's process could not be killed.
    #[error("kill the relay's process {pid}: {source}")]
    Kill {
        /// Its id.
        pid: u64,
        /// Why.
        source: io::Error,
    },
    /// Somebody pressed Ctrl-C.
    #[error("the evening was broken off; nothing of it is left running")]
    Interrupted,
}

impl Error {
    /// The stable name.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Programs(error) => error.reason(),
            Self::Process(error) => error.reason(),
            Self::Folder { .. } => "folder_unusable",
            Self::Release(_) => "release_not_made",
            Self::Timeout { .. } => "step_timeout",
            Self::Died { .. } => "process_died",
            Self::Command { .. } => "command_failed",
            Self::Event { .. } => "event_incomplete",
            Self::Slots { .. } => "slots_mismatch",
            Self::Kill { .. } => "kill_failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// A file or folder that could not be used.
    #[must_use]
    pub fn folder(path: &Path, source: io::Error) -> Self {
        Self::Folder {
            path: path.to_owned(),
            source,
        }
    }
}
