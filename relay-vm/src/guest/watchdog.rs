//! The machine's watchdog: it restarts a machine whose pid 1 has stopped. The
//! image brings the kernel's own (`softdog`) for machines without a device.

use crate::Error;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

const DEVICE: &str = "/dev/watchdog";
const FACTS: &str = "/sys/class/watchdog/watchdog0";
/// A timeout that nobody names, in s: the least that drivers begin with.
const TIMEOUT_S_DEFAULT: u64 = 15;
/// The longest pause between two kicks, in s.
const PAUSE_S_MAX: u64 = 5;

/// An armed watchdog.
#[derive(Debug)]
pub(super) struct Watchdog {
    device: File,
    name: String,
    pause: Duration,
}

impl Watchdog {
    /// Opens the device, which arms it. It is never disarmed: a machine that
    /// hangs while it turns off is restarted.
    ///
    /// # Errors
    /// [`Error::Guest`] without a device: a machine that nothing would
    /// restart does not serve. [`Error::System`] for one that is there and
    /// cannot be opened.
    pub(super) fn open() -> Result<Self, Error> {
        let device = device(Path::new(DEVICE))?;
        let fact = |name: &str| std::fs::read_to_string(format!("{FACTS}/{name}")).ok();
        let timeout_s = fact("timeout")
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(TIMEOUT_S_DEFAULT);
        let name = fact("identity").map_or_else(|| "unnamed".to_owned(), |n| n.trim().to_owned());
        Ok(Self {
            device,
            name,
            pause: Duration::from_secs(pause_s(timeout_s)),
        })
    }

    /// The driver's name of itself.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How long to pause between two kicks.
    pub(super) const fn pause(&self) -> Duration {
        self.pause
    }

    /// Puts the restart off. A failed kick is not told: the watchdog tells.
    pub(super) fn kick(&mut self) {
        let _ = self.device.write_all(b"k");
    }
}

fn device(path: &Path) -> Result<File, Error> {
    let opened = File::options().write(true).open(path);
    opened.map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::Guest("there is no watchdog"),
        _ => Error::system("opening the watchdog")(e),
    })
}

/// A third of the timeout, so that one late kick does no harm.
fn pause_s(timeout_s: u64) -> u64 {
    (timeout_s / 3).clamp(1, PAUSE_S_MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_machine_without_a_watchdog_does_not_serve() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watchdog");
        assert_eq!(device(&path).unwrap_err().reason(), "guest_machine");
        std::fs::write(&path, "").unwrap();
        device(&path).unwrap();
        assert_eq!(device(folder.path()).unwrap_err().reason(), "guest_system");
    }

    #[test]
    fn two_kicks_fit_into_every_timeout_that_allows_it() {
        for timeout_s in 3..100 {
            assert!(2 * pause_s(timeout_s) < timeout_s);
        }
        assert_eq!(pause_s(0), 1);
    }
}
