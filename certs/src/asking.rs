//! Asks and grants: only the coordinator may ask, and only its grant lets a
//! client spend.

use crate::limits::CLOCK_SKEW_MS_MAX;
use crate::{Error, Verified, run, verified};
use wire::statement::{Ask, Grant, RunStatement};
use wire::{AskId, Signed, SpkiHash, UnixMs};

/// Whose asks and grants a viewer takes: a value that its session is made
/// with, so that a test can take it out (threat A9).
#[derive(Debug, Clone, Copy, Default)]
pub struct AskCheck(Asker);

#[derive(Debug, Clone, Copy, Default)]
enum Asker {
    #[default]
    Coordinator,
    #[cfg(feature = "ablation")]
    Anyone,
}

impl AskCheck {
    /// Whoever is at the other end of the line may ask and grant.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_anyones() -> Self {
        let _ = crate::ablation::marker();
        Self(Asker::Anyone)
    }

    /// As [`verify_ask`].
    ///
    /// # Errors
    /// As [`verify_ask`].
    pub fn ask(
        self,
        signed: &Signed<Ask>,
        run: &Verified<RunStatement>,
        me: &SpkiHash,
        now: UnixMs,
    ) -> Result<Verified<Ask>, Error> {
        match self.0 {
            Asker::Coordinator => verify_ask(signed, run, me, now),
            #[cfg(feature = "ablation")]
            Asker::Anyone => ask_fits(Verified::dangerously_unsigned(signed)?, run, me, now),
        }
    }

    /// As [`verify_grant`].
    ///
    /// # Errors
    /// As [`verify_grant`].
    pub fn grant(
        self,
        signed: &Signed<Grant>,
        run: &Verified<RunStatement>,
        me: &SpkiHash,
        ask: AskId,
        now: UnixMs,
    ) -> Result<Verified<Grant>, Error> {
        match self.0 {
            Asker::Coordinator => verify_grant(signed, run, me, ask, now),
            #[cfg(feature = "ablation")]
            Asker::Anyone => grant_fits(Verified::dangerously_unsigned(signed)?, run, me, ask, now),
        }
    }
}

/// Checks a question to this member. Its deadline counts from receipt, so the
/// clock's part is only to refuse old questions.
///
/// # Errors
/// `ask_signature_invalid`, `ask_wrong_run`, `ask_wrong_member`, `clock_off`,
/// `ask_expired`, `statement_malformed`.
pub fn verify_ask(
    signed: &Signed<Ask>,
    run: &Verified<RunStatement>,
    me: &SpkiHash,
    now: UnixMs,
) -> Result<Verified<Ask>, Error> {
    let ask = verified::open(signed, &run.permit_key, Error::AskSignatureInvalid)?;
    ask_fits(ask, run, me, now)
}

fn ask_fits(
    ask: Verified<Ask>,
    run: &Verified<RunStatement>,
    me: &SpkiHash,
    now: UnixMs,
) -> Result<Verified<Ask>, Error> {
    run::same(&ask.scope, run, Error::AskWrongRun)?;
    if ask.member != *me {
        return Err(Error::AskWrongMember);
    }
    if ask.issued > now.plus_ms(CLOCK_SKEW_MS_MAX) {
        return Err(Error::ClockOff);
    }
    let last = ask
        .issued
        .plus_ms(ask.deadline_ms)
        .plus_ms(CLOCK_SKEW_MS_MAX);
    if now > last {
        return Err(Error::AskExpired);
    }
    Ok(ask)
}

/// Checks the leave to redeem for one question.
///
/// # Errors
/// `grant_signature_invalid`, `grant_wrong_run`, `grant_wrong_member`,
/// `grant_wrong_ask`, `grant_expired`, `statement_malformed`.
pub fn verify_grant(
    signed: &Signed<Grant>,
    run: &Verified<RunStatement>,
    me: &SpkiHash,
    ask: AskId,
    now: UnixMs,
) -> Result<Verified<Grant>, Error> {
    let grant = verified::open(signed, &run.permit_key, Error::GrantSignatureInvalid)?;
    grant_fits(grant, run, me, ask, now)
}

fn grant_fits(
    grant: Verified<Grant>,
    run: &Verified<RunStatement>,
    me: &SpkiHash,
    ask: AskId,
    now: UnixMs,
) -> Result<Verified<Grant>, Error> {
    run::same(&grant.scope, run, Error::GrantWrongRun)?;
    if grant.member != *me {
        return Err(Error::GrantWrongMember);
    }
    if grant.ask != ask {
        return Err(Error::GrantWrongAsk);
    }
    if now >= grant.expiry {
        return Err(Error::GrantExpired);
    }
    Ok(grant)
}
