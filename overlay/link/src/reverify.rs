//! While a link to a relay lives, the relay is verified again and again: its
//! evidence by the policy of the moment, and a live challenge on this link.
//! A wrong answer ends the link at once. Silence ends it after a few tries,
//! and only when another parent has had time to take over.

mod schedule;

pub use schedule::ReverifyTimes;

use crate::trust::{Proof, RelayTrust};
use crate::{Clock, Error, Link, Reverification, live};
use attest::{Appraised, Expectation};
use schedule::{Answer, Schedule, Step, TRIES_MAX};
use std::sync::Arc;
use std::time::Duration;
use wire::{Reason, SpkiHash, UnixMs};

/// The relay at the other end of a link, and what it is held against.
#[derive(Debug)]
pub struct Reverified<'a> {
    /// Where it is challenged.
    pub link: &'a Link,
    /// Who challenges.
    pub me: SpkiHash,
    /// The admission or the order that names it.
    pub expectation: Expectation,
    /// Roots and policy.
    pub trust: &'a RelayTrust,
    /// Whose time counts.
    pub clock: &'a Clock,
}

/// What a relay that is verified again turns out to be.
#[derive(Debug, Clone)]
pub enum Again {
    /// What it was before.
    Verified(Arc<Proof>),
    /// That, but the release or the root has passed its date, by this name.
    Expired(&'static str),
    /// Silent: the link ends when another one had time to take over.
    Unresponsive,
}

/// A relay, and what is known of it.
struct Subject<'a> {
    of: Reverified<'a>,
    /// When its release and the root were last in date.
    in_date: UnixMs,
    /// Its metadata's date has passed, and that was told.
    expired: bool,
}

/// Verifies a relay again and again, from `first` on, and tells what it finds;
/// ends only when the relay failed. Without a schedule it never ends.
///
/// # Errors
/// The check that failed, by name; [`Error::Unanswered`] for a silent relay.
pub async fn reverify(
    of: Reverified<'_>,
    reverification: Reverification,
    first: &Proof,
    mut tell: impl FnMut(Again),
) -> Result<(), Error> {
    let Some(times) = reverification.times() else {
        return std::future::pending().await;
    };
    let mut subject = Subject {
        of,
        in_date: first.at,
        expired: false,
    };
    let mut schedule = Schedule::new(times, first.at_mono_ms);
    let mut due_ms = schedule.first_ms(random()?);
    loop {
        subject.wait_for(due_ms, times.window_ms).await;
        schedule.begin(subject.of.clock.mono_ms());
        let verified = subject.verify(times.answer_ms_max, &mut tell).await;
        let answer = match &verified {
            Ok(_) => Answer::Good,
            Err(e) if is_silence(e) => Answer::Missing,
            Err(_) => Answer::Wrong,
        };
        match schedule.answered(subject.of.clock.mono_ms(), answer, random()?) {
            Step::Challenge { at_ms } => due_ms = at_ms,
            Step::Leave => return verified.map(drop),
            Step::Unresponsive => break,
        }
        // What is out of date is not told as verified.
        if let (Ok(proof), false) = (verified, subject.expired) {
            tell(Again::Verified(Arc::new(proof)));
        }
    }
    tell(Again::Unresponsive);
    sleep_ms(times.handover_ms_max).await;
    Err(Error::Unanswered(TRIES_MAX.saturating_add(1)))
}

impl Subject<'_> {
    /// Until the time has come, and another link of the same two ends leaves
    /// one more challenge within the relay's limit.
    async fn wait_for(&self, due_ms: u64, window_ms: u64) {
        let clock = self.of.clock;
        sleep_ms(due_ms.saturating_sub(clock.mono_ms())).await;
        let free_ms = self.of.link.turns.free_ms(window_ms).await;
        sleep_ms(free_ms.saturating_sub(clock.mono_ms())).await;
    }

    async fn verify(
        &mut self,
        answer_ms_max: u64,
        tell: &mut impl FnMut(Again),
    ) -> Result<Proof, Error> {
        let boot = self.appraise(tell)?;
        let (link, clock) = (self.of.link, self.of.clock);
        let policy = self.of.trust.policy();
        let answer = live::challenge(link, self.of.me, &boot, &policy, clock);
        let live = tokio::time::timeout(Duration::from_millis(answer_ms_max), answer)
            .await
            .map_err(|_| Error::Timeout("answer to the live challenge"))??;
        Ok(Proof::new(link, boot, live, clock))
    }

    /// Appraises the relay's evidence by now. If only the metadata's date has
    /// passed, the relay may stay for its lease: everything else must hold as
    /// it did when they were last in date.
    fn appraise(&mut self, tell: &mut impl FnMut(Again)) -> Result<Appraised, Error> {
        let now = self.of.clock.unix();
        match self.appraise_at(now) {
            Ok(boot) => {
                self.in_date = now;
                Ok(boot)
            }
            Err(Error::Evidence(refusal)) if is_expiry(&refusal) => {
                let boot = self.appraise_at(self.in_date)?;
                if boot.parameters().lease_end <= now {
                    return Err(Error::Remote(Reason::LeaseEnded));
                }
                if !std::mem::replace(&mut self.expired, true) {
                    tell(Again::Expired(refusal.reason()));
                }
                Ok(boot)
            }
            Err(e) => Err(e),
        }
    }

    fn appraise_at(&self, at: UnixMs) -> Result<Appraised, Error> {
        let (certificate, expectation) = (&self.of.link.certificate, &self.of.expectation);
        self.of.trust.appraise(certificate, expectation, at)
    }
}

/// Whether only the date of the release or of the root has passed.
fn is_expiry(refusal: &attest::Refusal) -> bool {
    matches!(
        refusal.error(),
        attest::Error::ReleaseExpired | attest::Error::RootExpired
    )
}

/// Whether there was no answer, rather than a wrong one. If the link itself
/// is gone, the edge ends for that.
fn is_silence(error: &Error) -> bool {
    match error {
        Error::Timeout(_) | Error::Connection(_) | Error::Write(_) | Error::Read(_) => true,
        Error::Evidence(refusal) => {
            matches!(refusal.error(), attest::Error::LiveTooOld { .. })
        }
        _ => false,
    }
}

async fn sleep_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn random() -> Result<u64, Error> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(u64::from_le_bytes(bytes))
}
