//! Head beacons: how far the stream is, by the sender's own word.

use crate::{Error, Verified, run, verified};
use wire::Signed;
use wire::statement::{HeadBeacon, RunStatement};

/// Checks a beacon. Its time is not compared with a clock, since a relay's
/// time is the later of its platform's and the last beacon's; it must lie
/// before the end of the run.
///
/// # Errors
/// `beacon_signature_invalid`, `beacon_wrong_run`, `beacon_time_invalid`,
/// `statement_malformed`.
pub fn verify(
    signed: &Signed<HeadBeacon>,
    run: &Verified<RunStatement>,
) -> Result<Verified<HeadBeacon>, Error> {
    let beacon = verified::open(signed, &run.beacon_key, Error::BeaconSignatureInvalid)?;
    run::same(&beacon.scope, run, Error::BeaconWrongRun)?;
    if beacon.now < run.start || beacon.now > run.end {
        return Err(Error::BeaconTimeInvalid);
    }
    Ok(beacon)
}
