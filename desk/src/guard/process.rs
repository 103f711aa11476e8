//! A process told from a later one that has its number.

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::fs;

/// Where the state and the start time stand in `/proc/PID/stat`, counted from
/// the field behind the program's name (proc_pid_stat(5): fields 3 and 22).
const STATE_FIELD: usize = 0;
const START_FIELD: usize = 19;

/// A process of this machine since its last start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its number, which the kernel gives out again.
    pub pid: u32,
    /// Clock ticks from the machine's start to the process's.
    pub start_ticks: u64,
    /// The kernel's name for this run of the machine.
    pub machine_run: String,
}

impl Process {
    /// The process that has this number now; `None` if there is none, or it
    /// has ended and only waits for its parent to look.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self {
            pid,
            start_ticks: start_ticks(&stat)?,
            machine_run: fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .ok()?
                .trim()
                .to_owned(),
        })
    }

    /// Whether it runs still.
    #[must_use]
    pub fn runs(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Kills it, and never another that has got its number: the handle is
    /// taken first, then the identity is compared, then the handle is used.
    ///
    /// # Errors
    /// What the kernel says; a process that is gone is no error.
    pub fn kill(&self) -> Result<(), Errno> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(());
        };
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => return Ok(()),
            Err(error) => return Err(error),
        };
        if !self.runs() {
            return Ok(());
        }
        match pidfd_send_signal(handle, Signal::KILL) {
            Err(Errno::SRCH) => Ok(()),
            sent => sent,
        }
    }
}

/// The start time in a line of `/proc/PID/stat`; `None` for a process that
/// has ended. The name in it may hold spaces and brackets: it ends at the
/// last one.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.nth(STATE_FIELD)?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(START_FIELD - STATE_FIELD - 1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::Command;

    fn sleeper() -> std::process::Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let line = "7 (a) R 1) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(start_ticks(line), Some(4242));
        assert_eq!(start_ticks(&line.replace(") S", ") Z")), None);
        for end in 0..line.len() - 3 {
            let cut = line.get(..end).unwrap();
            assert_ne!(start_ticks(cut), Some(4242), "{cut}");
        }
    }

    #[test]
    fn it_is_killed_and_then_runs_no_more() {
        let mut child = sleeper();
        let process = Process::of(child.id()).unwrap();
        assert!(process.runs());
        process.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.runs());
        process.kill().unwrap();
    }

    #[test]
    fn another_process_with_its_number_is_left_alone() {
        let mut child = sleeper();
        let process = Process::of(child.id()).unwrap();
        for other in [
            Process {
                start_ticks: process.start_ticks - 1,
                ..process.clone()
            },
            Process {
                machine_run: "another".to_owned(),
                ..process.clone()
            },
        ] {
            other.kill().unwrap();
            assert!(!other.runs());
        }
        assert!(process.runs());
        assert_eq!(child.try_wait().unwrap(), None);
        process.kill().unwrap();
        child.wait().unwrap();
    }
}
