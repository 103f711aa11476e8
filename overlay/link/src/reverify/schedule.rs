//! When a relay is challenged again, and what follows from what it answers.
//! Pure: the time, on any monotonic clock, and randomness are passed in.

use attest::live::{AGE_MS_MAX, CHALLENGES_MAX, RATE_WINDOW_MS};
use overlay::planner::HANDOVER_MS_MAX;
use std::collections::VecDeque;

/// Challenges after one that got no answer, before the relay is given up:
/// lost packets or a busy platform alone do not cost a parent.
pub(super) const TRIES_MAX: u32 = 3;

/// When a relay is verified again; the default is for a real evening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReverifyTimes {
    /// From a good answer to the next challenge, at least: a quote costs the
    /// relay's platform up to a second, and its children share it.
    pub period_ms: u64,
    /// Added at random to each period: children that came together do not
    /// challenge together for ever.
    pub period_jitter_ms: u64,
    /// From a challenge without an answer to the next try, at least: longer
    /// than the network takes, so that the relay has given up the last one
    /// (it allows one at a time).
    pub retry_ms_min: u64,
    /// The same, at most. In between it is random: the children of a relay
    /// that was away for a moment do not come back as one.
    pub retry_ms_max: u64,
    /// How long an answer may take.
    pub answer_ms_max: u64,
    /// Span in which at most [`CHALLENGES_MAX`] challenges are sent: the
    /// relay's own, and as long as one may be under way, since the relay
    /// counts when they arrive. Beyond that it closes the link.
    pub window_ms: u64,
    /// How long an edge carries on after its relay was given up, until another
    /// parent delivers; see [`HANDOVER_MS_MAX`].
    pub handover_ms_max: u64,
}

impl Default for ReverifyTimes {
    fn default() -> Self {
        Self {
            period_ms: 120_000,
            period_jitter_ms: 60_000,
            retry_ms_min: 1_000,
            retry_ms_max: 4_000,
            answer_ms_max: AGE_MS_MAX,
            window_ms: RATE_WINDOW_MS + AGE_MS_MAX,
            handover_ms_max: HANDOVER_MS_MAX,
        }
    }
}

/// What a challenge brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Everything holds.
    Good,
    /// None in time.
    Missing,
    /// It was refused, or the evidence was.
    Wrong,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Challenge at this time.
    Challenge {
        /// On the clock that was passed in.
        at_ms: u64,
    },
    /// The relay is silent: find another parent, then leave.
    Unresponsive,
    /// Leave now.
    Leave,
}

/// The schedule of one edge.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    times: ReverifyTimes,
    /// When the last challenges began; as many as the relay allows at once.
    begun_ms: VecDeque<u64>,
    /// Challenges in a row without an answer.
    missing: u32,
}

impl Schedule {
    /// For a relay that was verified just now.
    pub(super) fn new(times: ReverifyTimes, verified_ms: u64) -> Self {
        Self {
            times,
            begun_ms: VecDeque::from([verified_ms]),
            missing: 0,
        }
    }

    /// When to challenge for the first time after the edge began.
    pub(super) fn first_ms(&self, random: u64) -> u64 {
        self.after_period(self.begun_ms.back().copied().unwrap_or(0), random)
    }

    /// A challenge goes out now.
    pub(super) fn begin(&mut self, now_ms: u64) {
        self.begun_ms.push_back(now_ms);
        while self.begun_ms.len() > CHALLENGES_MAX {
            self.begun_ms.pop_front();
        }
    }

    /// It has been answered, or its time is over.
    pub(super) fn answered(&mut self, now_ms: u64, answer: Answer, random: u64) -> Step {
        match answer {
            Answer::Wrong => Step::Leave,
            Answer::Good => {
                self.missing = 0;
                let at_ms = self.after_period(now_ms, random);
                Step::Challenge { at_ms }
            }
            Answer::Missing if self.missing >= TRIES_MAX => Step::Unresponsive,
            Answer::Missing => {
                self.missing += 1;
                let (least_ms, most_ms) = (self.times.retry_ms_min, self.times.retry_ms_max);
                let delay_ms = between(least_ms, most_ms, random);
                let at_ms = now_ms.max(self.window_end_ms()).saturating_add(delay_ms);
                Step::Challenge { at_ms }
            }
        }
    }

    fn after_period(&self, now_ms: u64, random: u64) -> u64 {
        let least_ms = self.times.period_ms;
        let most_ms = least_ms.saturating_add(self.times.period_jitter_ms);
        now_ms
            .max(self.window_end_ms())
            .saturating_add(between(least_ms, most_ms, random))
    }

    /// When one more challenge is within the relay's limit.
    fn window_end_ms(&self) -> u64 {
        match self.begun_ms.front() {
            Some(oldest_ms) if self.begun_ms.len() >= CHALLENGES_MAX => {
                oldest_ms.saturating_add(self.times.window_ms)
            }
            _ => 0,
        }
    }
}

/// A number from `least` to `most`, by 64 random bits.
fn between(least: u64, most: u64, random: u64) -> u64 {
    let span = most.saturating_sub(least).saturating_add(1);
    least.saturating_add(random % span)
}

#[cfg(test)]
mod tests;
