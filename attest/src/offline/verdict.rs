//! Verdicts of three tenses. Each is a type of its own: what asks for a live
//! verdict cannot be handed an archived one.

use crate::appraise::Appraised;
use crate::explain::{Explanation, Refusal, Status};
use crate::live::LiveVerdict;
use std::marker::PhantomData;
use std::ops::Deref;
use wire::UnixMs;

/// Of when a verdict speaks.
pub trait Tense: sealed::Tense {
    /// The stable name, `judged` in JSON.
    const NAME: &'static str;
    /// The headline of a verdict that is good, in words.
    const GOOD: &'static str;
    /// What any verdict of this tense says, and what it does not.
    const MEANING: &'static str;
}

/// An answer to a nonce of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live;

/// Today's dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now;

/// The evidence's own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Archived;

impl Tense for Live {
    const NAME: &'static str = "live";
    const GOOD: &'static str = "verified live";
    const MEANING: &'static str = "judged on a connection of that moment, by its answer to a nonce";
}

impl Tense for Now {
    const NAME: &'static str = "now";
    const GOOD: &'static str = "verified as of now";
    const MEANING: &'static str = "dates are compared with now; nobody was asked for an answer";
}

impl Tense for Archived {
    const NAME: &'static str = "archived";
    const GOOD: &'static str = "was good at its own time";
    const MEANING: &'static str = "dates are compared with its own time; nothing is said about now";
}

mod sealed {
    pub trait Tense {}
    impl Tense for super::Live {}
    impl Tense for super::Now {}
    impl Tense for super::Archived {}
}

/// An explanation of one tense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict<T> {
    explanation: Explanation,
    tense: PhantomData<T>,
}

impl<T: Tense> Verdict<T> {
    pub(crate) fn of(outcome: Result<Explanation, Refusal>) -> Self {
        let mut explanation = outcome.unwrap_or_else(|refusal| refusal.explanation());
        explanation.subject.judged = Some(T::NAME);
        explanation.meaning = Some(T::MEANING);
        explanation.headline = match explanation.status {
            Status::Verified => T::GOOD,
            other => other.name(),
        };
        Self {
            explanation,
            tense: PhantomData,
        }
    }
}

impl<T> Verdict<T> {
    /// For the page, the terminal or a program; its words still tell the
    /// tense.
    #[must_use]
    pub fn into_explanation(self) -> Explanation {
        self.explanation
    }
}

impl Verdict<Live> {
    /// A relay that was verified: its evidence, then its answer.
    #[must_use]
    pub fn of_relay(boot: &Appraised, live: &LiveVerdict) -> Self {
        let steps = boot.steps().iter().chain(live.steps()).cloned();
        Self::of(Ok(Explanation::verified(
            live.subject().clone(),
            steps.collect(),
        )))
    }

    /// A relay that was refused.
    #[must_use]
    pub fn of_refusal(refusal: &Refusal) -> Self {
        Self::of(Ok(refusal.explanation()))
    }
}

impl<T> Deref for Verdict<T> {
    type Target = Explanation;
    fn deref(&self) -> &Explanation {
        &self.explanation
    }
}

impl<T> std::fmt::Display for Verdict<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.explanation.fmt(f)
    }
}

/// Detail of [`crate::Check::Time`] for what was made for a nonce.
pub(crate) const LIVE_WORDS: &str = "live: made a moment ago for this nonce";

/// The same for what is judged at its own time.
pub(crate) fn archived_words(at: UnixMs) -> String {
    format!("archived: judged at its own time, {at}; says nothing about now")
}
