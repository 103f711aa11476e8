//! What a member still has, when its coordinator was away: its own word for
//! which edges work, and the coordinator's own for each of them.

use crate::permit::{self, Expect, Role};
use crate::{Error, Verified, run, verified, x509};
use wire::statement::{Holding, Permit, PermitKind, RunStatement};
use wire::{Decode, Epoch, Nonce, PublicKey, Signed, SpkiHash, StripeSet, UnixMs};

/// An edge that a member has and may have: its permit is good, and blocks of
/// these stripes have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldEdge {
    /// Who sends.
    pub parent: SpkiHash,
    /// The stripes.
    pub stripes: StripeSet,
}

/// Checks what the member whose key the link proved says that it has. An edge
/// is left out if its permit has expired meanwhile; of the others the stripes
/// count that its permit names.
///
/// # Errors
/// `holding_signature_invalid`, `holding_wrong_run`, `holding_wrong_member`,
/// `holding_wrong_nonce`, `statement_malformed`; of a permit that is not the
/// member's, the errors of [`permit::verify`].
pub fn verify(
    signed: &Signed<Holding>,
    run: &Verified<RunStatement>,
    member_key: &PublicKey,
    nonce: &Nonce,
    now: UnixMs,
) -> Result<Vec<HeldEdge>, Error> {
    let holding = verified::open(signed, member_key, Error::HoldingSignatureInvalid)?;
    run::same(&holding.scope, run, Error::HoldingWrongRun)?;
    let me = x509::spki_of_public(member_key);
    if holding.member != me {
        return Err(Error::HoldingWrongMember);
    }
    if holding.nonce != *nonce {
        return Err(Error::HoldingWrongNonce);
    }
    let mut edges = Vec::new();
    for held in holding.edges.iter() {
        // Read before it is verified: the verification then requires this edge.
        let expect = Expect {
            kind: PermitKind::Push,
            me,
            other: Permit::from_bytes(held.permit.body())?.parent,
            role: Role::Child,
            epoch_min: Epoch(0),
        };
        match permit::verify(&held.permit, run, &expect, now) {
            Ok(permit) => edges.push(HeldEdge {
                parent: permit.parent,
                stripes: permit.stripes.both(held.stripes),
            }),
            Err(Error::PermitExpired) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(edges)
}
