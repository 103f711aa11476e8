//! A process of the bench that speaks in lines.

use super::Error;
use std::io;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// What a process needs to end by itself once nobody speaks to it.
const END_MS_MAX: u64 = 5_000;

/// A running process; killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    what: &'static str,
    pid: u32,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts `command` where the calling thread is; `what` names the step.
    pub(super) fn start(mut command: Command, what: &'static str) -> Result<Self, Error> {
        let failed = |source| Error::Process { what, source };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or(failed(io::ErrorKind::BrokenPipe.into()))?;
        let pid = child.id();
        Ok(Self {
            what,
            pid: pid.ok_or(failed(io::ErrorKind::NotFound.into()))?,
            stdin: child.stdin.take(),
            lines: BufReader::new(stdout).lines(),
            child,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Tells it one line.
    pub(super) async fn say(&mut self, line: &str) -> Result<(), Error> {
        let what = self.what;
        let failed = |source| Error::Process { what, source };
        let gone = || failed(io::ErrorKind::BrokenPipe.into());
        let stdin = self.stdin.as_mut().ok_or_else(gone)?;
        let line = format!("{line}\n");
        stdin.write_all(line.as_bytes()).await.map_err(failed)?;
        stdin.flush().await.map_err(failed)
    }

    /// Its next line, within this time.
    pub(super) async fn hear(&mut self, patience: Duration) -> Result<String, Error> {
        let what = self.what;
        let line = tokio::time::timeout(patience, self.lines.next_line())
            .await
            .map_err(|_| Error::Timeout(what))?
            .map_err(|source| Error::Process { what, source })?;
        line.ok_or(Error::Answer(what))
    }

    /// Ends a process that does not listen to its standard input.
    pub(super) async fn kill(mut self) -> Result<(), Error> {
        let what = self.what;
        let killed = self.child.kill().await;
        killed.map_err(|source| Error::Process { what, source })
    }

    /// Closes its standard input and waits for its end.
    pub(super) async fn end(mut self) -> Result<(), Error> {
        self.stdin = None;
        tokio::time::timeout(Duration::from_millis(END_MS_MAX), self.child.wait())
            .await
            .map_err(|_| Error::Timeout(self.what))?
            .map_err(|source| Error::Process {
                what: self.what,
                source,
            })?;
        Ok(())
    }
}
