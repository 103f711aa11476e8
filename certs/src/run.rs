//! The run statement: the stream key's hand-over to the run's online keys.

use crate::limits::CLOCK_SKEW_MS_MAX;
use crate::{Error, Verified, verified};
use wire::limits::RUN_LIFE_MS_MAX;
use wire::statement::RunStatement;
use wire::{Epoch, PublicKey, Scope, Signed, StreamId, UnixMs};

/// Checks a run statement against the stream that the invite names.
///
/// # Errors
/// `run_signature_invalid`, `run_wrong_stream`, `run_times_invalid`,
/// `run_key_reused`, `run_expired`, `run_not_started`, `statement_malformed`.
pub fn verify(
    signed: &Signed<RunStatement>,
    stream: &StreamId,
    now: UnixMs,
) -> Result<Verified<RunStatement>, Error> {
    let run = verified::open(signed, &PublicKey(stream.0), Error::RunSignatureInvalid)?;
    if run.scope.stream != *stream {
        return Err(Error::RunWrongStream);
    }
    let life_ok = run.end > run.start && run.end.since_ms(run.start) <= RUN_LIFE_MS_MAX;
    if !life_ok || run.scope.epoch != Epoch(0) {
        return Err(Error::RunTimesInvalid);
    }
    if !keys_distinct(&run) {
        return Err(Error::RunKeyReused);
    }
    if run.start > now.plus_ms(CLOCK_SKEW_MS_MAX) {
        return Err(Error::RunNotStarted);
    }
    still_on(&run, now)?;
    Ok(run)
}

/// Whether the run goes on: what was verified at a run's start says nothing
/// about a time after its end.
///
/// # Errors
/// `run_expired`.
pub fn still_on(run: &Verified<RunStatement>, now: UnixMs) -> Result<(), Error> {
    if now < run.end {
        Ok(())
    } else {
        Err(Error::RunExpired)
    }
}

/// An online key that is the stream key would lay the stream open to whoever
/// breaks into the station; two roles of one key would let one stand for both.
fn keys_distinct(run: &RunStatement) -> bool {
    let mut keys = [
        run.scope.stream.0,
        run.ca_key.0,
        run.chunk_key.0,
        run.permit_key.0,
        run.beacon_key.0,
    ];
    keys.sort_unstable();
    keys.windows(2).all(|pair| pair.first() != pair.last())
}

/// Refuses a statement of another stream or run with the given error.
pub(crate) fn same(scope: &Scope, run: &Verified<RunStatement>, error: Error) -> Result<(), Error> {
    if scope.stream == run.scope.stream && scope.run == run.scope.run {
        Ok(())
    } else {
        Err(error)
    }
}
