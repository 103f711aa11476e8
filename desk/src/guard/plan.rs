//! What a guard is told, and what it tells: one JSON object per line.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A plan, in bytes: a few command lines.
pub(super) const PLAN_BYTES_MAX: usize = 64 * 1024;
/// Programs of one plan: preparation, TPM and machine, and one to spare.
pub(super) const PROGRAMS_MAX: usize = 4;

/// What to run, the first line of a guard's standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Started in this order, each when the one before is ready.
    pub programs: Vec<Program>,
    /// Milliseconds after which everything is killed, whatever the desk does.
    pub life_ms_max: u64,
}

/// One program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// What it is called in [`Told`].
    pub name: String,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// When the next may start.
    pub ready: Ready,
}

/// When a program is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ready {
    /// When it has ended with success.
    Exits,
    /// When this path exists; it then runs to the end of the plan.
    Path(PathBuf),
    /// At once; it then runs to the end of the plan.
    Started,
}

/// What happened: lines of a guard's standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Told {
    /// A program runs.
    Started {
        /// See [`Program::name`].
        name: String,
        /// Its process.
        pid: u32,
    },
    /// A program cannot be executed, or was not ready in time.
    Failed {
        /// See [`Program::name`].
        name: String,
    },
    /// A program ended by itself. The others are then killed, unless it was
    /// one that is to end with success ([`Ready::Exits`]).
    Ended {
        /// See [`Program::name`].
        name: String,
        /// Its exit code.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
    },
    /// Nothing of the plan runs any more: the last line.
    Done,
}
