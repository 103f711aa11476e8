//! Verdicts as people, the page and `roundcast verify --json` see them.

use crate::check::Check;
use crate::error::Error;
use crate::policy::Policy;
use serde::Serialize;

/// What is known about a relay, a certificate or a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every check holds.
    Verified,
    /// A check does not hold.
    Refused,
    /// This build cannot judge it.
    Unknown,
    /// It was good once; its date has passed.
    Expired,
}

impl Status {
    /// The exit code of `roundcast verify`.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Refused | Self::Expired => 3,
            Self::Unknown => 4,
        }
    }

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold; the checks after it were not made.
    Failed,
    /// It could not be made here; the detail says why.
    NotChecked,
}

impl Outcome {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotChecked => "not_checked",
        }
    }
}

/// One line of an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which check.
    pub check: Check,
    /// How it ended.
    pub result: Outcome,
    /// What was compared, or why it failed and what to do.
    pub detail: String,
}

/// What the verdict speaks of, as far as the checks got.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Subject {
    /// SHA-256 of the relay's SubjectPublicKeyInfo, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spki: Option<String>,
    /// The order, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The release's name, e.g. `stable 0.1.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The kind of evidence, e.g. `software`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<&'static str>,
    /// Against whom it proves anything, e.g. `development`: nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assurance: Option<&'static str>,
    /// Of when the verdict speaks: `live`, `now` or `archived`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<&'static str>,
}

/// A verdict with its reasons; serialises as `roundcast.explanation/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// [`Explanation::SCHEMA`].
    pub schema: &'static str,
    /// The verdict.
    pub status: Status,
    /// The refusal's stable name; null if verified.
    pub reason: Option<&'static str>,
    /// Of when the verdict speaks and what it does not say, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
    /// The verdict in words that tell of when it speaks.
    #[serde(skip)]
    pub headline: &'static str,
    /// What it speaks of.
    pub subject: Subject,
    /// The checks in the order they were made.
    pub steps: Vec<Step>,
}

impl Explanation {
    /// The name and version of the JSON form.
    pub const SCHEMA: &'static str = "roundcast.explanation/1";

    pub(crate) fn verified(subject: Subject, steps: Vec<Step>) -> Self {
        Self {
            schema: Self::SCHEMA,
            status: Status::Verified,
            reason: None,
            meaning: None,
            headline: Status::Verified.name(),
            subject,
            steps,
        }
    }
}

/// As the terminal shows it: the verdict, then one line per check.
impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.headline)?;
        if let Some(reason) = self.reason {
            write!(f, ": {reason}")?;
        }
        if let Some(release) = &self.subject.release {
            write!(f, ", release {release}")?;
        }
        if let Some(assurance) = self.subject.assurance {
            write!(f, ", assurance {assurance}")?;
        }
        if let Some(judged) = self.subject.judged {
            write!(f, ", judged {judged}")?;
        }
        for step in &self.steps {
            let (result, check) = (step.result.name(), step.check.name());
            write!(f, "\n  {result:<11}  {check:<17}  {}", step.detail)?;
        }
        Ok(())
    }
}

/// A refusal: the error, and the checks up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(Box<Failed>);

// Boxed: a refusal is rare, and its size is not to burden every result.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failed {
    error: Error,
    subject: Subject,
    steps: Vec<Step>,
}

impl Refusal {
    /// The stable name.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.0.error.reason()
    }

    /// `Refused`, `Unknown` or `Expired`.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.error.status()
    }

    /// The error behind it.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0.error
    }

    /// With the checks that were made before, in front of its own.
    pub(crate) fn after(mut self, before: &[Step]) -> Self {
        self.0.steps.splice(..0, before.iter().cloned());
        self
    }

    /// The error alone.
    #[must_use]
    pub fn into_error(self) -> Error {
        self.0.error
    }

    /// The checks that were made; the last one failed.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0.steps
    }

    /// For the page and for `verify`.
    #[must_use]
    pub fn explanation(&self) -> Explanation {
        Explanation {
            schema: Explanation::SCHEMA,
            status: self.status(),
            reason: Some(self.reason()),
            meaning: None,
            headline: self.status().name(),
            subject: self.0.subject.clone(),
            steps: self.0.steps.clone(),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.0.error, self.reason())
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.error)
    }
}

/// Makes checks one after another and writes down how each ended.
pub(crate) struct Trace<'a> {
    policy: &'a Policy,
    pub(crate) subject: Subject,
    steps: Vec<Step>,
}

impl<'a> Trace<'a> {
    pub(crate) fn new(policy: &'a Policy) -> Self {
        Self {
            policy,
            subject: Subject::default(),
            steps: Vec::new(),
        }
    }

    /// Goes on after checks that were made before.
    pub(crate) const fn resumed(policy: &'a Policy, subject: Subject, steps: Vec<Step>) -> Self {
        Self {
            policy,
            subject,
            steps,
        }
    }

    /// What a check works with; only its failure is a line.
    pub(crate) fn try_quietly<T>(
        &mut self,
        check: Check,
        run: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Refusal> {
        run().map_err(|error| self.fail(check, error))
    }

    /// A check that only says yes or no; what it returns is the detail.
    pub(crate) fn require(
        &mut self,
        check: Check,
        run: impl FnOnce() -> Result<String, Error>,
    ) -> Result<(), Refusal> {
        if self.policy.requires(check) {
            let detail = run().map_err(|error| self.fail(check, error))?;
            self.step(check, Outcome::Passed, detail);
        } else {
            self.skip(check, "removed");
        }
        Ok(())
    }

    /// A check without whose value there is nothing to go on with.
    pub(crate) fn derive<T>(
        &mut self,
        check: Check,
        run: impl FnOnce() -> Result<(T, String), Error>,
    ) -> Result<T, Refusal> {
        let (value, detail) = run().map_err(|error| self.fail(check, error))?;
        self.step(check, Outcome::Passed, detail);
        Ok(value)
    }

    /// A check that cannot be made here.
    pub(crate) fn skip(&mut self, check: Check, why: &str) {
        self.step(check, Outcome::NotChecked, why.to_owned());
    }

    pub(crate) fn finish(self) -> (Subject, Vec<Step>) {
        (self.subject, self.steps)
    }

    fn fail(&mut self, check: Check, error: Error) -> Refusal {
        self.step(check, Outcome::Failed, error.to_string());
        Refusal(Box::new(Failed {
            error,
            subject: std::mem::take(&mut self.subject),
            steps: std::mem::take(&mut self.steps),
        }))
    }

    fn step(&mut self, check: Check, result: Outcome, detail: String) {
        self.steps.push(Step {
            check,
            result,
            detail,
        });
    }
}
