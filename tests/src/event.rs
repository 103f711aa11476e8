//! What the programs print with `--json`: one event a line.

use serde_json::{Map, Value};
use thiserror::Error;

/// The schema that every event names.
pub const SCHEMA: &str = "roundcast.event/1";

/// Why a line is no event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EventError {
    /// It is no JSON object.
    #[error("the line is no JSON object")]
    Json,
    /// It names another schema, or none.
    #[error("the line does not name the schema {SCHEMA}")]
    Schema,
    /// `mono_us`, `kind` or `who` is missing or of the wrong type.
    #[error("the event has no good `{0}`")]
    Field(&'static str),
}

/// One event as its program printed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The process that printed it, by the name it was started under.
    pub source: String,
    /// `CLOCK_MONOTONIC` in microseconds, when it happened.
    pub mono_us: u64,
    /// What happened.
    pub kind: String,
    /// To whom, in the words of the program: a name or a key's hash.
    pub who: String,
    /// The rest.
    pub fields: Map<String, Value>,
}

impl Event {
    /// Reads one line of `source`'s standard output.
    ///
    /// # Errors
    /// See [`EventError`].
    pub fn parse(source: &str, line: &str) -> Result<Self, EventError> {
        let Ok(Value::Object(mut fields)) = serde_json::from_str(line) else {
            return Err(EventError::Json);
        };
        if fields.remove("schema").as_ref().and_then(Value::as_str) != Some(SCHEMA) {
            return Err(EventError::Schema);
        }
        let mono_us = fields
            .remove("mono_us")
            .and_then(|stamp| stamp.as_u64())
            .ok_or(EventError::Field("mono_us"))?;
        let kind = take_text(&mut fields, "kind")?;
        let who = take_text(&mut fields, "who")?;
        Ok(Self {
            source: source.to_owned(),
            mono_us,
            kind,
            who,
            fields,
        })
    }

    /// A field that is a text.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// A field that is a number, or a number in decimal digits.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<u64> {
        let value = self.fields.get(field)?;
        value
            .as_u64()
            .or_else(|| value.as_str().and_then(|digits| digits.parse().ok()))
    }

    /// A field that is `true`.
    #[must_use]
    pub fn flag(&self, field: &str) -> bool {
        self.fields.get(field).and_then(Value::as_bool) == Some(true)
    }
}

fn take_text(fields: &mut Map<String, Value>, name: &'static str) -> Result<String, EventError> {
    match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(EventError::Field(name)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_programs_print() {
        let line = r#"{"schema":"roundcast.event/1","mono_us":7,"kind":"joined","who":"A","slots":2,"ask":"12","init":true}"#;
        let event = Event::parse("S", line).unwrap();
        assert_eq!((event.source.as_str(), event.mono_us), ("S", 7));
        assert_eq!((event.kind.as_str(), event.who.as_str()), ("joined", "A"));
        assert_eq!(event.number("slots"), Some(2));
        assert_eq!(event.number("ask"), Some(12));
        assert!(event.flag("init") && !event.flag("slots"));
        assert_eq!(event.text("slots"), None);
    }

    #[test]
    fn refuses_lines_that_are_no_events() {
        let cases = [
            ("listening", EventError::Json),
            ("[]", EventError::Json),
            (r#"{"mono_us":1,"kind":"k","who":"w"}"#, EventError::Schema),
            (
                r#"{"schema":"roundcast.event/1","mono_us":-1,"kind":"k","who":"w"}"#,
                EventError::Field("mono_us"),
            ),
            (
                r#"{"schema":"roundcast.event/1","mono_us":1,"kind":3,"who":"w"}"#,
                EventError::Field("kind"),
            ),
            (
                r#"{"schema":"roundcast.event/1","mono_us":1,"kind":"k"}"#,
                EventError::Field("who"),
            ),
        ];
        for (line, error) in cases {
            assert_eq!(Event::parse("A", line), Err(error), "{line}");
        }
    }
}
