//! The one place that reads clocks.

use certs::Verified;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use wire::UnixMs;
use wire::statement::HeadBeacon;

/// Wall time for signatures' validity, monotonic time for everything else.
///
/// Clones are the same clock: what raises one, raises all.
///
/// The machine of a relay belongs to somebody whom nobody has to believe, and
/// a clock that is behind would keep expired permits good. A relay's clock
/// ([`Clock::raised_by_beacons`]) is therefore never behind what the station
/// signed in its beacons. Members and the station have a clock of their own
/// ([`Clock::new`]) that nobody else sets: one that is far off is an error
/// with a name, and its owner's to mend.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Instant,
    floor: Option<Arc<Floor>>,
}

/// The latest station's time that is proven, as what it was when the clock
/// was made: it goes on with monotonic time between two beacons.
#[derive(Debug, Default)]
struct Floor {
    at_start_ms: AtomicU64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock whose monotonic time starts now, and whose wall time is the
    /// platform's.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            floor: None,
        }
    }

    /// As [`Clock::new`], but its wall time is the later of the platform's
    /// and the last beacon's: a relay's.
    #[must_use]
    pub fn raised_by_beacons() -> Self {
        Self {
            floor: Some(Arc::default()),
            ..Self::new()
        }
    }

    /// Milliseconds since 1970; zero if the machine's clock is before that.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the place")]
    pub fn unix(&self) -> UnixMs {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let platform_ms = since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        let floor_ms = self.floor.as_ref().map_or(0, |floor| {
            let at_start_ms = floor.at_start_ms.load(Ordering::Relaxed);
            at_start_ms.saturating_add(self.mono_ms())
        });
        UnixMs(platform_ms.max(floor_ms))
    }

    /// It is at least the time that the beacon says: verification has bound
    /// that to the run, so that the run's end is the latest that anybody can
    /// claim. Never lowers the time; old beacons change nothing. A clock that
    /// is not raised by beacons stays as it is.
    pub fn raise(&self, beacon: &Verified<HeadBeacon>) {
        if let Some(floor) = &self.floor {
            let at_start_ms = beacon.now.0.saturating_sub(self.mono_ms());
            floor.at_start_ms.fetch_max(at_start_ms, Ordering::Relaxed);
        }
    }

    /// Milliseconds since this clock was made.
    #[must_use]
    pub fn mono_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Microseconds since this clock was made.
    #[must_use]
    pub fn mono_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
