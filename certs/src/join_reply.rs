//! The coordinator's answer to a joiner's nonce.

use crate::limits::CLOCK_SKEW_MS_MAX;
use crate::{Error, Verified, run, verified};
use wire::statement::{JoinReply, RunStatement};
use wire::{Nonce, Signed, SpkiHash, UnixMs};

/// Checks the reply to this member's join. The nonce proves that it is fresh,
/// so its time tells how far the two clocks are apart.
///
/// # Errors
/// `join_reply_signature_invalid`, `join_reply_wrong_run`,
/// `join_reply_wrong_nonce`, `join_reply_wrong_member`, `clock_off`,
/// `statement_malformed`.
pub fn verify(
    signed: &Signed<JoinReply>,
    run: &Verified<RunStatement>,
    nonce: &Nonce,
    me: &SpkiHash,
    now: UnixMs,
) -> Result<Verified<JoinReply>, Error> {
    let reply = verified::open(signed, &run.permit_key, Error::JoinReplySignatureInvalid)?;
    run::same(&reply.scope, run, Error::JoinReplyWrongRun)?;
    if reply.nonce != *nonce {
        return Err(Error::JoinReplyWrongNonce);
    }
    if reply.member != *me {
        return Err(Error::JoinReplyWrongMember);
    }
    if reply.issued.0.abs_diff(now.0) > CLOCK_SKEW_MS_MAX {
        return Err(Error::ClockOff);
    }
    Ok(reply)
}
