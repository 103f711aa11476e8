//! Introductions: the holder's word for the key of the relay he ordered.

use crate::{Error, Verified, order, run, verified};
use wire::order::Order;
use wire::statement::{Introduction, RunStatement};
use wire::{Signed, SpkiHash};

/// Checks an introduction against the order that it must be about. The
/// coordinator gives the sponsor's key as its link proved it; others, who hear
/// of the relay from the coordinator, give `None`.
///
/// # Errors
/// `introduction_signature_invalid`, `introduction_wrong_run`,
/// `introduction_wrong_order`, `introduction_wrong_sponsor`,
/// `statement_malformed`.
pub fn verify(
    signed: &Signed<Introduction>,
    run: &Verified<RunStatement>,
    order: &Order,
    sponsor: Option<&SpkiHash>,
) -> Result<Verified<Introduction>, Error> {
    let introduction = verified::open(
        signed,
        &order.holder_key,
        Error::IntroductionSignatureInvalid,
    )?;
    run::same(&introduction.scope, run, Error::IntroductionWrongRun)?;
    if introduction.order != order::id(order) {
        return Err(Error::IntroductionWrongOrder);
    }
    if sponsor.is_some_and(|sponsor| *sponsor != introduction.sponsor) {
        return Err(Error::IntroductionWrongSponsor);
    }
    Ok(introduction)
}

/// Whether the key that a link proved is the introduced relay's.
///
/// # Errors
/// `spki_not_admitted`.
pub fn admits(introduction: &Verified<Introduction>, relay: &SpkiHash) -> Result<(), Error> {
    if introduction.relay == *relay {
        Ok(())
    } else {
        Err(Error::SpkiNotAdmitted)
    }
}
