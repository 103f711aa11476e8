//! A machine under its guard, as the desk holds it.

use crate::error::LaunchFailure;
use crate::guard::{Plan, Told};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long a guard may take to end its programs, in ms.
const END_MS_MAX: u64 = 5_000;

/// How a program under guard ended by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Exit {
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
}

/// A guard that runs. If it is dropped, its input closes, and it ends all
/// that it started.
#[derive(Debug)]
pub(super) struct Guarded {
    guard: Child,
    input: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
}

impl Guarded {
    /// Sets `plan` under a guard in `folder`.
    pub(super) async fn start(
        guard: &Path,
        folder: &Path,
        plan: &Plan,
    ) -> Result<Self, LaunchFailure> {
        let mut child = Command::new(guard)
            .arg("guard")
            .current_dir(folder)
            // Temporary files of the tools stay in the folder; the rest of
            // the desk's environment is none of their business.
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("TMPDIR", ".")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            // Of its own group: who interrupts the desk leaves it to the desk
            // to end its machines.
            .process_group(0)
            .spawn()
            .map_err(|_| LaunchFailure::Spawn)?;
        let mut input = child.stdin.take().ok_or(LaunchFailure::Spawn)?;
        let output = child.stdout.take().ok_or(LaunchFailure::Spawn)?;
        let mut line = serde_json::to_vec(plan).map_err(|_| LaunchFailure::Spawn)?;
        line.push(b'\n');
        input
            .write_all(&line)
            .await
            .map_err(|_| LaunchFailure::Spawn)?;
        Ok(Self {
            guard: child,
            input,
            told: BufReader::new(output).lines(),
        })
    }

    /// Runs a plan to its end. An error if any of its programs failed.
    pub(super) async fn run_through(
        guard: &Path,
        folder: &Path,
        plan: &Plan,
    ) -> Result<(), LaunchFailure> {
        let mut guarded = Self::start(guard, folder, plan).await?;
        let mut left = plan.programs.len();
        while let Some(told) = guarded.next().await {
            match told {
                Told::Ended { code: Some(0), .. } => left = left.saturating_sub(1),
                Told::Failed { .. } | Told::Ended { .. } => break,
                Told::Started { .. } => {}
                Told::Done => break,
            }
            if left == 0 {
                break;
            }
        }
        guarded.end().await;
        if left == 0 {
            Ok(())
        } else {
            Err(LaunchFailure::Spawn)
        }
    }

    /// Waits until the program `name` runs; its process.
    pub(super) async fn started(&mut self, name: &str) -> Result<u32, LaunchFailure> {
        let blamed = |program: &str| {
            if program == name {
                LaunchFailure::Spawn
            } else {
                LaunchFailure::Tpm
            }
        };
        while let Some(told) = self.next().await {
            match told {
                Told::Started { name: other, pid } if other == name => return Ok(pid),
                Told::Ended { code: Some(0), .. } | Told::Started { .. } => {}
                Told::Ended { name: other, .. } | Told::Failed { name: other } => {
                    return Err(blamed(&other));
                }
                Told::Done => break,
            }
        }
        Err(LaunchFailure::Spawn)
    }

    /// Waits until the guard has ended the plan; how the program `name` ended,
    /// if it did so by itself.
    pub(super) async fn ended(&mut self, name: &str) -> Option<Exit> {
        let mut exit = None;
        while let Some(told) = self.next().await {
            match told {
                Told::Ended {
                    name: other,
                    code,
                    signal,
                } if other == name => exit = Some(Exit { code, signal }),
                Told::Done => break,
                Told::Ended { .. } | Told::Started { .. } | Told::Failed { .. } => {}
            }
        }
        exit
    }

    /// Ends everything; when it returns, nothing of the plan runs.
    pub(super) async fn end(self) {
        let Self {
            mut guard, input, ..
        } = self;
        drop(input);
        if timeout(Duration::from_millis(END_MS_MAX), guard.wait())
            .await
            .is_err()
        {
            // The kernel kills the programs with their guard.
            let _ = guard.kill().await;
        }
    }

    /// The guard's next word; `None` when it has ended. Safe to drop: a line
    /// that was read in part is kept.
    async fn next(&mut self) -> Option<Told> {
        let line = self.told.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }
}
