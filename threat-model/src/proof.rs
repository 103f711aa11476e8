//! Runs an attack with its control and without, and judges the outcome.

use crate::catalogue::{Catalogue, Status, Threat};
use crate::{Attack, Control, Failure, Outcome, threats};
use serde::Serialize;

/// How one run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it has to.
    Passed,
    /// Not so.
    Failed,
}

impl Verdict {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The test that makes the same run.
    pub test: String,
    /// Whether it ended as it has to.
    pub verdict: Verdict,
    /// The refusal's name, or the damage, or what went wrong.
    pub seen: String,
}

/// Both runs of an attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// With the control.
    pub stopped: Run,
    /// Without it.
    pub ablated: Run,
}

impl Proof {
    /// Whether both ended as they have to.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.stopped.verdict == Verdict::Passed && self.ablated.verdict == Verdict::Passed
    }
}

/// Makes both runs of the attack of a threat that is shown; none for one that
/// is planned.
#[must_use]
pub fn prove(threat: &Threat) -> Option<Proof> {
    if threat.status == Status::Planned {
        return None;
    }
    let attack = threats::attack(&threat.id)?;
    Some(Proof {
        stopped: stopped(threat, attack),
        ablated: ablated(attack),
    })
}

/// Attacks with the control: the attack has to be refused for the
/// catalogue's reason.
#[must_use]
pub fn stopped(threat: &Threat, attack: &Attack) -> Run {
    let (verdict, seen) = match (attack.run)(Control::On) {
        Ok(Outcome::Stopped { reason }) if reason == threat.reason => (Verdict::Passed, reason),
        other => (Verdict::Failed, told(other)),
    };
    Run {
        test: attack.stopped_test(),
        verdict,
        seen,
    }
}

/// Attacks without the control: the attack has to succeed.
#[must_use]
pub fn ablated(attack: &Attack) -> Run {
    let (verdict, seen) = match (attack.run)(Control::Removed) {
        Ok(Outcome::Succeeded { damage }) => (Verdict::Passed, damage),
        other => (Verdict::Failed, told(other)),
    };
    Run {
        test: attack.ablated_test(),
        verdict,
        seen,
    }
}

fn told(outcome: Result<Outcome, Failure>) -> String {
    match outcome {
        Ok(outcome) => outcome.to_string(),
        Err(failure) => failure.to_string(),
    }
}

/// The test of a shown threat: its attack is refused for the named reason.
///
/// # Panics
/// If it is not.
#[allow(clippy::expect_used, reason = "an assertion of tests")]
pub fn assert_stopped(attack: &Attack) {
    let catalogue = Catalogue::load().expect("a good catalogue");
    let threat = catalogue
        .threat(attack.id)
        .expect("a threat of the catalogue");
    let run = stopped(threat, attack);
    assert_eq!(run.verdict, Verdict::Passed, "{}: {}", attack.id, run.seen);
}

/// The test of a shown threat: without the control its attack succeeds.
///
/// # Panics
/// If it does not.
pub fn assert_ablated(attack: &Attack) {
    let run = ablated(attack);
    assert_eq!(run.verdict, Verdict::Passed, "{}: {}", attack.id, run.seen);
}

/// The test of a threat's further attack: it is refused for this reason.
///
/// # Panics
/// If it is not.
#[allow(clippy::expect_used, reason = "an assertion of tests")]
pub fn assert_refused(reason: &str, outcome: Result<Outcome, Failure>) {
    let outcome = outcome.expect("a staged attack");
    assert_eq!(outcome, Outcome::stopped(reason));
}

/// The test of a threat's further attack: without its control it succeeds.
///
/// # Panics
/// If it does not.
#[allow(clippy::expect_used, reason = "an assertion of tests")]
pub fn assert_succeeds(outcome: Result<Outcome, Failure>) {
    let outcome = outcome.expect("a staged attack");
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
}
