//! Exact conversions between time bases.

use crate::error::{Error, FourCc, Result};

/// Microseconds in a second.
const US_PER_S: u32 = 1_000_000;

/// `ticks` of `timescale` per second in whole µs, rounded down.
pub(crate) fn us(ticks: u64, timescale: u32, kind: [u8; 4]) -> Result<u64> {
    let us = u128::from(ticks) * u128::from(US_PER_S);
    us.checked_div(u128::from(timescale))
        .and_then(|us| u64::try_from(us).ok())
        .ok_or(overflow(kind))
}

pub(crate) fn overflow(kind: [u8; 4]) -> Error {
    Error::TimeOverflow { kind: FourCc(kind) }
}
