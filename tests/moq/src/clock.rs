//! The system's monotonic clock, which all processes share.

use std::time::Duration;

/// Now, in microseconds.
pub(crate) fn mono_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    u64::try_from(us).unwrap_or(0)
}

/// Time until the clock shows `at_us`.
pub(crate) fn left(at_us: u64) -> Duration {
    Duration::from_micros(at_us.saturating_sub(mono_us()))
}
