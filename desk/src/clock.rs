//! The two clocks: the calendar's for expiry, the monotonic for events.

use crate::Error;
use rustix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::UnixMs;

/// 2000-01-01T00:00:00Z: a clock before it was never set.
const YEAR_2000: UnixMs = UnixMs(946_684_800_000);

/// The time of day.
///
/// # Errors
/// [`Error::Clock`] if the system's clock was never set.
pub fn now() -> Result<UnixMs, Error> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| Error::Clock)?;
    let now = UnixMs(u64::try_from(since.as_millis()).map_err(|_| Error::Clock)?);
    if now < YEAR_2000 {
        Err(Error::Clock)
    } else {
        Ok(now)
    }
}

/// Microseconds of `CLOCK_MONOTONIC`, which all processes of a machine share.
#[must_use]
pub fn monotonic_us() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let whole = u64::try_from(time.tv_sec)
        .unwrap_or(0)
        .saturating_mul(1_000_000);
    whole.saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000)
}

/// Randomness of the system, for [`voucher::generator`].
///
/// # Errors
/// [`Error::Randomness`].
pub fn seed() -> Result<zeroize::Zeroizing<[u8; 32]>, Error> {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|_| Error::Randomness)?;
    Ok(seed)
}
