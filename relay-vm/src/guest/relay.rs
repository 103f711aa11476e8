//! The relay's own process: the same program once more, as a user without
//! rights, on pipes.

use super::tpm;
use crate::Error;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// This program.
const PROGRAM: &str = "/proc/self/exe";
/// Executed by all, written by none; the image keeps it for root alone.
const PROGRAM_MODE: u32 = 0o555;
/// A user and a group that own nothing but the TPM's device.
const NOBODY: u32 = 65_534;

/// A started relay.
pub(super) struct Relay {
    child: Child,
}

impl Relay {
    /// Starts it; its `--guest` makes it take the TPM and confine itself.
    ///
    /// # Errors
    /// There is no TPM, or the kernel refuses.
    pub(super) fn start() -> Result<Self, Error> {
        let step = "opening the program to its user";
        std::fs::set_permissions(PROGRAM, Permissions::from_mode(PROGRAM_MODE))
            .map_err(Error::system(step))?;
        chown(tpm::DEVICE, Some(NOBODY), Some(NOBODY))
            .map_err(Error::system("handing the TPM over"))?;
        let child = Command::new(PROGRAM)
            .args(["--boot-stdio", "--json", "--guest"])
            .env_clear()
            .current_dir("/")
            .uid(NOBODY)
            .gid(NOBODY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::system("starting the relay"))?;
        Ok(Self { child })
    }

    /// Its input and output.
    pub(super) fn pipes(&mut self) -> Result<(ChildStdin, ChildStdout), Error> {
        let pipes = self.child.stdin.take().zip(self.child.stdout.take());
        pipes.ok_or(Error::Guest("the relay has no pipes"))
    }

    /// Waits for its end, and names it.
    pub(super) fn wait(&mut self) -> &'static str {
        self.child
            .wait()
            .map_or("relay_lost", |status| name(status))
    }
}

fn name(status: ExitStatus) -> &'static str {
    match (status.success(), status.signal()) {
        (true, _) => "relay_ended",
        (_, Some(libc::SIGSYS)) => "relay_broke_confinement",
        (_, Some(_)) => "relay_killed",
        (_, None) => "relay_failed",
    }
}
