//! An explanation for a person or, as `roundcast.explanation/1`, a program.

use crate::output;
use attest::offline::Verdict;
use attest::{Explanation, Outcome, Status};
use serde::Serialize;
use serde_json::{Value, json};

/// A verdict about anything that `verify` knows.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    schema: &'static str,
    /// `invite`, `certificate`, `evidence`, `document` or `release`; `relay`
    /// on the page.
    kind: &'static str,
    status: Status,
    reason: Option<&'static str>,
    /// Where roots or policy are unusual: what the verdict rests on.
    banner: Option<String>,
    /// Of when the verdict speaks; an invite's speaks of its form alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'static str>,
    #[serde(skip)]
    headline: &'static str,
    subject: Value,
    steps: Vec<Line>,
}

/// One check and how it ended.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) check: String,
    pub(crate) result: Outcome,
    pub(crate) detail: String,
}

impl Report {
    pub(crate) fn new(
        kind: &'static str,
        status: Status,
        reason: Option<&'static str>,
        subject: Value,
        steps: Vec<Line>,
    ) -> Self {
        Self {
            schema: Explanation::SCHEMA,
            kind,
            status,
            reason,
            banner: None,
            meaning: None,
            headline: status.name(),
            subject,
            steps,
        }
    }

    /// With what the user must not forget about his trust.
    pub(super) fn under(self, banner: Option<String>) -> Self {
        Self { banner, ..self }
    }

    /// A verdict of any tense.
    pub(crate) fn of<T>(kind: &'static str, verdict: Verdict<T>) -> Self {
        let explanation = verdict.into_explanation();
        let steps = explanation.steps.into_iter().map(|step| Line {
            check: name(&step.check),
            result: step.result,
            detail: step.detail,
        });
        Self {
            meaning: explanation.meaning,
            headline: explanation.headline,
            ..Self::new(
                kind,
                explanation.status,
                explanation.reason,
                json!(explanation.subject),
                steps.collect(),
            )
        }
    }

    pub(crate) const fn status(&self) -> Status {
        self.status
    }

    /// On standard output.
    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            output::line(&json!(self).to_string());
        } else {
            output::line(self.text().trim_end_matches('\n'));
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        if let Some(banner) = &self.banner {
            out.push_str(&format!("{banner}\n"));
        }
        out.push_str(&format!("{}: {}", self.kind, self.headline));
        if let Some(reason) = self.reason {
            out.push_str(&format!(" ({reason})"));
        }
        out.push('\n');
        if let Some(meaning) = self.meaning {
            out.push_str(&format!("  ({meaning})\n"));
        }
        for (field, value) in self.subject.as_object().into_iter().flatten() {
            out.push_str(&format!("  {field}: {}\n", plain(&words(value))));
        }
        for line in &self.steps {
            let result = name(&line.result).replace('_', " ");
            let detail = plain(&line.detail);
            out.push_str(&format!("  {result:11}  {:17}  {detail}\n", line.check));
        }
        out
    }
}

/// The name that a value has in JSON.
fn name(value: &impl Serialize) -> String {
    words(&json!(value))
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Parts of a certificate are somebody else's words: they must not move a
/// terminal's cursor.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}
