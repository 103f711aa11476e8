//! What an earlier desk left running, ended before this one begins.

use super::pidfile::Processes;
use crate::Error;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long killed processes may take to go, in ms: an emulator gives back
/// half a gigabyte.
const GONE_MS_MAX: u64 = 10_000;
/// How often to look, in ms.
const LOOK_MS: u64 = 20;

/// Ends every process that a pid file in a folder of `orders` names, and
/// waits until they are gone.
///
/// # Errors
/// [`Error::Leftover`] if one cannot be ended: its folder must not be taken
/// from under it. [`Error::File`] if `orders` cannot be read.
pub fn end(orders: &Path) -> Result<(), Error> {
    let failed = || Error::file("look for relays of an earlier desk in", orders);
    let deadline = Instant::now() + Duration::from_millis(GONE_MS_MAX);
    for entry in std::fs::read_dir(orders).map_err(failed())? {
        let folder = entry.map_err(failed())?.path();
        let Some(found) = Processes::read(&folder) else {
            continue;
        };
        for process in found.processes {
            if process.runs() {
                tracing::warn!(pid = process.pid, "end a process of an earlier desk");
            }
            process.kill().map_err(|_| Error::Leftover(process.pid))?;
            while process.runs() {
                if Instant::now() > deadline {
                    return Err(Error::Leftover(process.pid));
                }
                std::thread::sleep(Duration::from_millis(LOOK_MS));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::process::Process;
    use super::*;

    #[test]
    fn what_a_folder_names_is_ended_and_nothing_else() {
        let orders = tempfile::tempdir().unwrap();
        let folder = orders.path().join("order");
        std::fs::create_dir(&folder).unwrap();
        std::fs::create_dir(orders.path().join("of_another_provider")).unwrap();
        let start = || {
            let mut sleep = std::process::Command::new("sleep");
            sleep.arg("600").spawn().unwrap()
        };
        let (mut named, mut reused) = (start(), start());
        let mut earlier = Process::of(reused.id()).unwrap();
        earlier.start_ticks -= 1;
        let processes = vec![Process::of(named.id()).unwrap(), earlier];
        Processes { processes }.write(&folder).unwrap();
        end(orders.path()).unwrap();
        assert!(named.try_wait().unwrap().is_some());
        assert!(reused.try_wait().unwrap().is_none());
        reused.kill().unwrap();
        reused.wait().unwrap();
    }
}
