//! Revocations: a member is out, at once.

use crate::{Error, Verified, run, verified};
use wire::Signed;
use wire::statement::{Revocation, RunStatement};

/// Checks a revocation. It has no expiry: within its run it holds for good,
/// whatever the clock says.
///
/// # Errors
/// `revocation_signature_invalid`, `revocation_wrong_run`,
/// `statement_malformed`.
pub fn verify(
    signed: &Signed<Revocation>,
    run: &Verified<RunStatement>,
) -> Result<Verified<Revocation>, Error> {
    let revocation = verified::open(signed, &run.permit_key, Error::RevocationSignatureInvalid)?;
    run::same(&revocation.scope, run, Error::RevocationWrongRun)?;
    Ok(revocation)
}
