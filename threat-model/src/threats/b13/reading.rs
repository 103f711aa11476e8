//! The other half of B13: who has taken over the relay's process reads what
//! lies on the machine, or starts a shell on it.
//!
//! The control is the relay's own confinement. It is left out in the process
//! that the attacker has.

use crate::Control;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

/// What the copy of this test does.
const DEED: &str = "ROUNDCAST_TEST_DEED";
/// Whether it is confined before.
const CONFINED: &str = "ROUNDCAST_TEST_CONFINED";
/// The signal by which the kernel ends a process for a forbidden call.
const SIGSYS: i32 = 31;
const DEEDS: [&str; 2] = ["read", "shell"];

/// Does nothing unless it is the process that was taken over.
#[test]
fn deed() {
    let Ok(deed) = std::env::var(DEED) else {
        return;
    };
    if std::env::var_os(CONFINED).is_some() {
        relay_vm::guest::confine().unwrap();
    }
    let done = match deed.as_str() {
        "read" => std::fs::read("/proc/self/maps").is_ok_and(|bytes| !bytes.is_empty()),
        _ => {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", "true"]);
            shell.status().is_ok_and(|status| status.success())
        }
    };
    std::process::exit(i32::from(!done));
}

/// Runs the deed in a process of its own.
fn taken_over(deed: &str, control: Control) -> ExitStatus {
    let mut copy = Command::new(std::env::current_exe().unwrap());
    copy.args(["--exact", "threats::b13::reading::deed", "--nocapture"])
        .args(["--test-threads", "1"])
        .env(DEED, deed)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if control.is_on() {
        copy.env(CONFINED, "1");
    }
    copy.status().unwrap()
}

#[test]
fn reading_ends_the_confined_process() {
    for deed in DEEDS {
        let status = taken_over(deed, Control::On);
        assert_eq!(status.signal(), Some(SIGSYS), "{deed}: {status}");
    }
}

#[test]
fn reading_succeeds_without_the_confinement() {
    for deed in DEEDS {
        let status = taken_over(deed, Control::Removed);
        assert_eq!(status.code(), Some(0), "{deed}: {status}");
    }
}
