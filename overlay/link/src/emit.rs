//! What a program tells: one JSON object per line on stdout for machines, one
//! sentence per line on stderr for people.

use crate::NodeEvent;
use serde_json::{Map, Value, json};
use std::io::Write;
use tokio::sync::mpsc;
use wire::SpkiHash;
use wire::message::group::Dropped;

/// Schema name of a program event.
const SCHEMA: &str = "roundcast.event/1";

/// Who hears what a program tells.
#[derive(Debug, Clone)]
pub enum Audience {
    /// People: sentences on stderr.
    People,
    /// Machines: JSON lines on stdout, and to people on stderr what is said.
    Machines,
    /// Whoever runs this program as a library: the lines of both, in order.
    Caller(mpsc::UnboundedSender<String>),
}

impl From<bool> for Audience {
    /// Machines, if `json`.
    fn from(json: bool) -> Self {
        if json { Self::Machines } else { Self::People }
    }
}

/// Where a program's events go.
#[derive(Debug, Clone)]
pub struct Emitter {
    who: String,
    audience: Audience,
}

impl Emitter {
    /// Events of `who`.
    #[must_use]
    pub fn new(who: impl Into<String>, audience: impl Into<Audience>) -> Self {
        Self {
            who: who.into(),
            audience: audience.into(),
        }
    }

    /// Whether events are JSON lines.
    #[must_use]
    pub fn json(&self) -> bool {
        !matches!(self.audience, Audience::People)
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
        let line = || line(who, kind, fields.clone(), monotonic_us());
        // A reader that has gone away must not take the stream with it.
        match &self.audience {
            Audience::Machines => {
                let _ = writeln!(std::io::stdout().lock(), "{}", line());
            }
            Audience::Caller(caller) => {
                let _ = caller.send(line());
            }
            Audience::People if kind.starts_with("chunk_") => {}
            Audience::People => {
                let _ = writeln!(std::io::stderr().lock(), "{}", sentence(who, kind, &fields));
            }
        }
    }

    /// A line for people alone.
    pub fn say(&self, text: &str) {
        if let Audience::Caller(caller) = &self.audience {
            let _ = caller.send(text.to_owned());
        } else {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
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

/// The fields of a `sender_equivocated` event; none of another event.
#[must_use]
pub fn equivocation_fields(event: &NodeEvent) -> Option<Value> {
    let NodeEvent::SenderEquivocated {
        chunk,
        digests: [a, b],
        found,
        ..
    } = event
    else {
        return None;
    };
    Some(json!({
        "sequence": chunk.sequence.0, "rendition": chunk.rendition.0, "init": chunk.init,
        "first": a.to_hex(), "second": b.to_hex(), "found": found,
    }))
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
