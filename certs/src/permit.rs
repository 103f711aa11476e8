//! Permits: the only leave to send or receive on an edge.

mod batch;

pub use batch::{Batches, sign, sign_batch};

use crate::limits::CLOCK_SKEW_MS_MAX;
use crate::{Error, Verified, run};
use wire::limits::PERMIT_LIFE_MS_MAX;
use wire::statement::{BatchedPermit, Permit, PermitKind, RunStatement};
use wire::{Epoch, SpkiHash, UnixMs};

/// Which end of the edge the checking node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It sends.
    Parent,
    /// It receives.
    Child,
}

/// What a permit must say.
#[derive(Debug, Clone, Copy)]
pub struct Expect {
    /// The checking node.
    pub me: SpkiHash,
    /// The key that the other end proved in TLS.
    pub other: SpkiHash,
    /// Which end the checking node is.
    pub role: Role,
    /// What may cross the edge: leave to pull is none to push, nor the other
    /// way round.
    pub kind: PermitKind,
    /// The newest epoch known.
    pub epoch_min: Epoch,
}

/// Checks a permit for one edge, at one time. A node that sees many keeps its
/// own [`Batches`].
///
/// # Errors
/// As [`Batches::verify`].
pub fn verify(
    batched: &BatchedPermit,
    run: &Verified<RunStatement>,
    expect: &Expect,
    now: UnixMs,
) -> Result<Verified<Permit>, Error> {
    Batches::new().verify(batched, run, expect, now)
}

impl Batches {
    /// Checks a permit for one edge, at one time.
    ///
    /// # Errors
    /// `permit_proof_mismatch`, `permit_signature_invalid`, `permit_wrong_run`,
    /// `permit_wrong_edge`, `permit_epoch_old`, `permit_stripes_unknown`,
    /// `permit_life_too_long`, `permit_not_yet_valid`, `permit_expired`,
    /// `run_expired`, `statement_malformed`.
    pub fn verify(
        &mut self,
        batched: &BatchedPermit,
        run: &Verified<RunStatement>,
        expect: &Expect,
        now: UnixMs,
    ) -> Result<Verified<Permit>, Error> {
        let permit = self.open(batched, run)?;
        good_for(&permit, run, expect, now)?;
        Ok(permit)
    }
}

fn good_for(
    permit: &Verified<Permit>,
    run: &Verified<RunStatement>,
    expect: &Expect,
    now: UnixMs,
) -> Result<(), Error> {
    run::same(&permit.scope, run, Error::PermitWrongRun)?;
    let (parent, child) = match expect.role {
        Role::Parent => (expect.me, expect.other),
        Role::Child => (expect.other, expect.me),
    };
    if permit.parent != parent || permit.child != child || parent == child {
        return Err(Error::PermitWrongEdge);
    }
    if permit.kind != expect.kind {
        return Err(Error::PermitWrongKind);
    }
    if permit.scope.epoch < expect.epoch_min {
        return Err(Error::PermitEpochOld);
    }
    if !permit.stripes.within(run.stripes.into()) {
        return Err(Error::PermitStripesUnknown);
    }
    if permit.expiry.since_ms(permit.issued) > PERMIT_LIFE_MS_MAX {
        return Err(Error::PermitLifeTooLong);
    }
    if permit.issued > now.plus_ms(CLOCK_SKEW_MS_MAX) {
        return Err(Error::PermitNotYetValid);
    }
    still_good(permit, now)?;
    run::still_on(run, now)
}

/// Whether a permit that was verified earlier has not expired since.
///
/// # Errors
/// `permit_expired`.
pub fn still_good(permit: &Verified<Permit>, now: UnixMs) -> Result<(), Error> {
    if now < permit.expiry {
        Ok(())
    } else {
        Err(Error::PermitExpired)
    }
}
