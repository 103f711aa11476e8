//! Capacity claims: a node's own word, and an upper bound at most.

use crate::limits::CLOCK_SKEW_MS_MAX;
use crate::{Error, Verified, run, verified, x509};
use wire::statement::{CapacityClaim, RunStatement};
use wire::{PublicKey, Signed, UnixMs};

/// Checks a claim by the node whose key the link proved
/// ([`x509::public_key`]).
///
/// # Errors
/// `claim_signature_invalid`, `claim_wrong_run`, `claim_wrong_node`,
/// `clock_off`, `statement_malformed`.
pub fn verify(
    signed: &Signed<CapacityClaim>,
    run: &Verified<RunStatement>,
    node_key: &PublicKey,
    now: UnixMs,
) -> Result<Verified<CapacityClaim>, Error> {
    let claim = verified::open(signed, node_key, Error::ClaimSignatureInvalid)?;
    run::same(&claim.scope, run, Error::ClaimWrongRun)?;
    if claim.node != x509::spki_of_public(node_key) {
        return Err(Error::ClaimWrongNode);
    }
    if claim.issued > now.plus_ms(CLOCK_SKEW_MS_MAX) {
        return Err(Error::ClockOff);
    }
    Ok(claim)
}
