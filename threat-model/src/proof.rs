//! Runs an attack with its control and without, and judges the outcome.

use crate::catalogue::{Catalogue, Status, Threat};
use crate::{Attack, Control, Failure, Outcome, Variant, threats};
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

/// Both runs of an attack, and of each of its variants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// With the control.
    pub stopped: Run,
    /// Without it.
    pub ablated: Run,
    /// The same of the variants: name, with the control, without it.
    pub variants: Vec<(&'static str, Run, Run)>,
}

impl Proof {
    /// Whether both ended as they have to.
    #[must_use]
    pub fn holds(&self) -> bool {
        let variants = self.variants.iter().flat_map(|(_, on, off)| [on, off]);
        let mut runs = [&self.stopped, &self.ablated].into_iter().chain(variants);
        runs.all(|run| run.verdict == Verdict::Passed)
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
    let variants = attack.variants.iter().map(|variant| {
        let (stopped, ablated) = of_variant(attack, variant);
        (variant.name, stopped, ablated)
    });
    Some(Proof {
        stopped: stopped(attack, attack.run, &threat.reason),
        ablated: ablated(attack, attack.run),
        variants: variants.collect(),
    })
}

fn of_variant(attack: &Attack, variant: &Variant) -> (Run, Run) {
    (
        stopped(attack, variant.run, variant.reason),
        ablated(attack, variant.run),
    )
}

type Way = fn(Control) -> Result<Outcome, Failure>;

/// Attacks with the control: the attack has to be refused for this reason.
fn stopped(attack: &Attack, way: Way, reason: &str) -> Run {
    let (verdict, seen) = match way(Control::On) {
        Ok(Outcome::Stopped { reason: seen }) if seen == reason => (Verdict::Passed, seen),
        other => (Verdict::Failed, told(other)),
    };
    Run {
        test: attack.stopped_test(),
        verdict,
        seen,
    }
}

/// Attacks without the control: the attack has to succeed.
fn ablated(attack: &Attack, way: Way) -> Run {
    let (verdict, seen) = match way(Control::Removed) {
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

/// The test of a shown threat: its attack, and each variant, is refused for
/// the named reason.
///
/// # Panics
/// If one is not.
#[allow(clippy::expect_used, reason = "an assertion of tests")]
pub fn assert_stopped(attack: &Attack) {
    let catalogue = Catalogue::load().expect("a good catalogue");
    let threat = catalogue
        .threat(attack.id)
        .expect("a threat of the catalogue");
    let mut runs = vec![("", stopped(attack, attack.run, &threat.reason))];
    let variants = attack.variants.iter();
    runs.extend(variants.map(|v| (v.name, stopped(attack, v.run, v.reason))));
    assert_passed(attack, &runs);
}

/// The test of a shown threat: without the control its attack, and each
/// variant, succeeds.
///
/// # Panics
/// If one does not.
pub fn assert_ablated(attack: &Attack) {
    let mut runs = vec![("", ablated(attack, attack.run))];
    let variants = attack.variants.iter();
    runs.extend(variants.map(|v| (v.name, ablated(attack, v.run))));
    assert_passed(attack, &runs);
}

fn assert_passed(attack: &Attack, runs: &[(&str, Run)]) {
    for (name, run) in runs {
        let passed = run.verdict == Verdict::Passed;
        assert!(passed, "{} {name}: {}", attack.id, run.seen);
    }
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
