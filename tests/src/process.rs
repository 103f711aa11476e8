//! Programs as child processes: started with a log file, told lines on their
//! standard input, read as events, and never left behind.

use crate::event::{Event, EventError};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

/// A line of a program, in bytes: the longest event carries an invite and a
/// picture of the tree.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// After SIGTERM: what closing files and saying goodbye takes at most.
const TERM_GRACE: Duration = Duration::from_secs(5);
/// Lines of a log that an error shows.
const TAIL_LINES: usize = 12;

/// What can go wrong with a child process.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("start {name} ({}): {source}; build the programs and try again", program.display())]
    Start {
        /// The process.
        name: String,
        /// Its executable.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its log could not be made.
    #[error("open the log {}: {source}; check the folder's permissions and space", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not read its standard input any more.
    #[error("tell {name} {line:?}: {source}; it has probably ended, see its log")]
    Tell {
        /// The process.
        name: String,
        /// What it was to be told.
        line: String,
        /// Why.
        source: io::Error,
    },
    /// It could not be waited for or signalled.
    #[error("end {name}: {source}")]
    End {
        /// The process.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl ProcessError {
    /// The stable name.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Start { .. } => "process_not_started",
            Self::Log { .. } => "process_log_not_opened",
            Self::Tell { .. } => "process_not_told",
            Self::End { .. } => "process_not_ended",
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match status.code() {
            Some(code) => Self::Code(code),
            None => Self::Signal(status.signal().unwrap_or(0)),
        }
    }
}

/// What a process said, in the order in which it said it.
#[derive(Debug)]
pub enum Output {
    /// An event.
    Event(Event),
    /// A line that is none.
    Stray {
        /// The process.
        source: String,
        /// The line.
        line: String,
        /// What is wrong with it.
        error: EventError,
    },
    /// It has closed its standard output: it ends.
    Closed {
        /// The process.
        source: String,
    },
}

/// How to start a program.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Where its standard error goes.
    pub log: PathBuf,
}

impl Launch {
    /// `program` without arguments, logging to `log`.
    #[must_use]
    pub fn new(program: &Path, log: PathBuf) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            log,
        }
    }

    /// With one more argument.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<OsString>) -> Self {
        self.arguments.push(flag.into());
        self
    }

    /// With an option and its value.
    #[must_use]
    pub fn option(self, name: &str, value: impl Into<OsString>) -> Self {
        self.flag(name).flag(value)
    }

    fn command(&self) -> Result<Command, ProcessError> {
        let log = File::create(&self.log).map_err(|source| ProcessError::Log {
            path: self.log.clone(),
            source,
        })?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        Ok(command)
    }
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it says goes to `outputs`.
    ///
    /// # Errors
    /// [`ProcessError::Log`], [`ProcessError::Start`].
    pub fn start(
        name: &str,
        launch: &Launch,
        outputs: UnboundedSender<Output>,
    ) -> Result<Self, ProcessError> {
        let mut command = launch.command()?;
        command.stdin(Stdio::piped());
        let mut child = command.spawn().map_err(|source| ProcessError::Start {
            name: name.to_owned(),
            program: launch.program.clone(),
            source,
        })?;
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(read(name.to_owned(), stdout, outputs));
        }
        Ok(Self {
            name: name.to_owned(),
            stdin: child.stdin.take(),
            child,
            log: launch.log.clone(),
        })
    }

    /// Writes one line to its standard input.
    ///
    /// # Errors
    /// [`ProcessError::Tell`].
    pub async fn tell(&mut self, line: &str) -> Result<(), ProcessError> {
        let failed = |source| ProcessError::Tell {
            name: self.name.clone(),
            line: line.to_owned(),
            source,
        };
        let Some(stdin) = self.stdin.as_mut() else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        let bytes = format!("{line}\n");
        stdin.write_all(bytes.as_bytes()).await.map_err(failed)?;
        stdin.flush().await.map_err(failed)
    }

    /// Waits for its end, at most `patience`.
    ///
    /// # Errors
    /// [`ProcessError::End`].
    pub async fn exit_within(&mut self, patience: Duration) -> Result<Option<Exit>, ProcessError> {
        match timeout(patience, self.child.wait()).await {
            Ok(Ok(status)) => Ok(Some(status.into())),
            Ok(Err(source)) => Err(self.end_error(source)),
            Err(_) => Ok(None),
        }
    }

    /// Waits for its end, and brings it about if it takes longer than
    /// `patience`: SIGTERM first, then SIGKILL.
    ///
    /// # Errors
    /// [`ProcessError::End`].
    pub async fn end(&mut self, patience: Duration) -> Result<Exit, ProcessError> {
        if let Some(exit) = self.exit_within(patience).await? {
            return Ok(exit);
        }
        self.terminate()?;
        if let Some(exit) = self.exit_within(TERM_GRACE).await? {
            return Ok(exit);
        }
        let killed = self.child.kill().await;
        killed.map_err(|source| self.end_error(source))?;
        let status = self.child.wait().await;
        status
            .map(Exit::from)
            .map_err(|source| self.end_error(source))
    }

    /// Sends it SIGTERM, if it has not ended.
    ///
    /// # Errors
    /// [`ProcessError::End`].
    pub fn terminate(&self) -> Result<(), ProcessError> {
        match self.child.id() {
            Some(pid) => signal(pid, Signal::TERM).map_err(|source| self.end_error(source)),
            None => Ok(()),
        }
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }

    fn end_error(&self, source: io::Error) -> ProcessError {
        ProcessError::End {
            name: self.name.clone(),
            source,
        }
    }
}

/// Sends a signal to one process by its id.
///
/// # Errors
/// The system's, among them that there is no such process.
pub fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    // 0 and negative ids would mean whole groups of processes.
    let pid = i32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 1)
        .and_then(Pid::from_raw)
        .ok_or(io::ErrorKind::InvalidInput)?;
    kill_process(pid, signal).map_err(io::Error::from)
}

/// Runs a program to its end and gives what it printed.
///
/// # Errors
/// [`ProcessError`]; one that outlives `patience` is killed and reported as
/// timed out.
pub async fn run(
    name: &str,
    launch: &Launch,
    patience: Duration,
) -> Result<(Exit, String), ProcessError> {
    let mut command = launch.command()?;
    command.stdin(Stdio::null());
    let output = timeout(patience, command.output())
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|source| ProcessError::Start {
            name: name.to_owned(),
            program: launch.program.clone(),
            source,
        })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output.status.into(), text))
}

/// The last lines of a log file; empty if it cannot be read.
#[must_use]
pub fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(TAIL_LINES);
    lines
        .into_iter()
        .skip(skipped)
        .collect::<Vec<_>>()
        .join("\n")
}

async fn read(source: String, stdout: ChildStdout, outputs: UnboundedSender<Output>) {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let read = (&mut reader)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .await;
        if !matches!(read, Ok(1..)) {
            break;
        }
        let line = String::from_utf8_lossy(&line);
        let output = match Event::parse(&source, line.trim_end()) {
            Ok(event) => Output::Event(event),
            Err(error) => Output::Stray {
                source: source.clone(),
                line: line.trim_end().to_owned(),
                error,
            },
        };
        // Nobody listens any more: the demo is over, and this process with it.
        if outputs.send(output).is_err() {
            return;
        }
    }
    let _ = outputs.send(Output::Closed { source });
}
