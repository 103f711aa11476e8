//! Introductions: the holder's word for the key of the relay he ordered.

use crate::{Error, Verified, order, run, verified};
use wire::order::Order;
use wire::statement::{Introduction, RunStatement};
use wire::{Signed, SpkiHash};

/// How introductions are checked, by the coordinator and by whoever verifies
/// the relay after it: a value, so that a test can take it out (threat C7).
#[derive(Debug, Clone, Copy, Default)]
pub struct IntroductionCheck(Signer);

#[derive(Debug, Clone, Copy, Default)]
enum Signer {
    #[default]
    Holder,
    #[cfg(feature = "ablation")]
    Anyone,
}

impl IntroductionCheck {
    /// Anybody may introduce the relay of an order.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_anyones() -> Self {
        let _ = crate::ablation::marker();
        Self(Signer::Anyone)
    }

    /// As [`verify`].
    ///
    /// # Errors
    /// As [`verify`].
    pub fn verify(
        self,
        signed: &Signed<Introduction>,
        run: &Verified<RunStatement>,
        order: &Order,
        sponsor: Option<&SpkiHash>,
    ) -> Result<Verified<Introduction>, Error> {
        match self.0 {
            Signer::Holder => verify(signed, run, order, sponsor),
            #[cfg(feature = "ablation")]
            Signer::Anyone => fits(Verified::dangerously_unsigned(signed)?, run, order, sponsor),
        }
    }
}

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
    fits(introduction, run, order, sponsor)
}

fn fits(
    introduction: Verified<Introduction>,
    run: &Verified<RunStatement>,
    order: &Order,
    sponsor: Option<&SpkiHash>,
) -> Result<Verified<Introduction>, Error> {
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
