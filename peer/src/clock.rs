//! Whether this machine's clock can be right.

use crate::Error;
use wire::UnixMs;

/// 2026-01-01: nothing of Roundcast is older.
const EPOCH_MS: u64 = 1_767_225_600_000;

/// A clock that is years behind makes what is signed now look as if it had
/// ended long ago: say so, and sign nothing. That a clock is ahead, only
/// another one can tell.
pub(crate) fn check(now: UnixMs) -> Result<(), Error> {
    if now.0 < EPOCH_MS {
        return Err(Error::Clock("it says that it is before 2026"));
    }
    Ok(())
}
