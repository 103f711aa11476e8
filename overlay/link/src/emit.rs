//! What a program tells: one JSON object per line on stdout for machines, one
//! sentence per line on stderr for people.

use serde_json::{Map, Value, json};
use std::io::Write;
use wire::SpkiHash;
use wire::message::group::Dropped;

/// Schema name of a program event.
const SCHEMA: &str = "roundcast.event/1";

/// Where a program's events go.
#[derive(Debug, Clone)]
pub struct Emitter {
    who: String,
    json: bool,
}

impl Emitter {
    /// Events of `who`; as JSON lines on stdout if `json`, else as sentences.
    #[must_use]
    pub fn new(who: impl Into<String>, json: bool) -> Self {
        Self {
            who: who.into(),
            json,
        }
    }

    /// Whether machines listen.
    #[must_use]
    pub fn json(&self) -> bool {
        self.json
    }

    /// One event of this program itself as its JSON line, for another reader
    /// than standard output.
    #[must_use]
    pub fn line(&self, kind: &str, fields: Value) -> String {
        line(&self.who, kind, fields, monotonic_us())
    }

    /// Tells one event of this program itself.
    pub fn tell(&self, kind: &str, fields: Value) {
        self.tell_of(&self.who, kind, fields);
    }

    /// Tells one event that happened to `who`. `fields` is a JSON object.
    pub fn tell_of(&self, who: &str, kind: &str, fields: Value) {
        if self.json {
            let line = line(who, kind, fields, monotonic_us());
            // A reader that has gone away must not take the stream with it.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        } else if !kind.starts_with("chunk_") {
            let _ = writeln!(std::io::stderr().lock(), "{}", sentence(who, kind, &fields));
        }
    }

    /// A line for people alone.
    pub fn say(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// The fields of a `child_left_out` event: what a child will miss, and why.
#[must_use]
pub fn left_out_fields(child: SpkiHash, dropped: &Dropped) -> Value {
    json!({
        "child": child.to_hex(), "first": dropped.from.0, "next": dropped.to.0,
        "reason": dropped.reason.name(),
    })
}

fn line(who: &str, kind: &str, fields: Value, mono_us: u64) -> String {
    let mut event = Map::new();
    event.insert("schema".into(), SCHEMA.into());
    event.insert("mono_us".into(), mono_us.into());
    event.insert("kind".into(), kind.into());
    event.insert("who".into(), who.into());
    if let Value::Object(fields) = fields {
        event.extend(fields);
    }
    Value::Object(event).to_string()
}

fn sentence(who: &str, kind: &str, fields: &Value) -> String {
    let mut out = format!("{who}: {}", kind.replace('_', " "));
    for (name, value) in fields.as_object().into_iter().flatten() {
        let text = match value {
            Value::String(s) => s.clone(),
            other => other.to_string(),
        };
        out.push_str(&format!(" {name}={text}"));
    }
    out
}

/// Microseconds of the system-wide monotonic clock: events of several
/// programs on one machine sort by it.
fn monotonic_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    u64::try_from(us).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_beside_schema_and_time() {
        let text = line("B", "joined", serde_json::json!({"slots": 1}), 7);
        let back: Value = serde_json::from_str(&text).expect("json");
        assert_eq!(back["schema"], SCHEMA);
        assert_eq!(back["mono_us"], 7);
        assert_eq!(back["slots"], 1);
    }

    #[test]
    fn newlines_in_names_cannot_forge_a_line() {
        let text = line("B\n{}", "joined", Value::Null, 7);
        assert_eq!(text.lines().count(), 1);
    }
}
