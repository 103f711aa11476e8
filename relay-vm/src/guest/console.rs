//! What the machine tells: events, on the serial console, and nothing else.

use link::Emitter;
use serde_json::Value;
use std::io::Write;

/// The serial console: pid 1's standard output.
#[derive(Debug, Clone)]
pub(super) struct Console(Emitter);

impl Console {
    pub(super) fn new() -> Self {
        Self(Emitter::new("guest", true))
    }

    /// Tells an event of the machine itself; its line, for the desk.
    pub(super) fn tell(&self, kind: &str, fields: Value) -> String {
        let line = self.0.line(kind, fields);
        put(line.as_bytes());
        line
    }

    /// Passes on a line of the relay if it is an event. The lines of the boot
    /// protocol are for the desk alone.
    pub(super) fn pass(&self, line: &[u8]) {
        if is_event(line) {
            put(line);
        }
    }
}

fn put(line: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(line).and_then(|()| out.write_all(b"\n"));
}

fn is_event(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    serde_json::from_slice::<Head>(line).is_ok_and(|head| head.schema == "roundcast.event/1")
}

#[cfg(test)]
mod tests {
    use super::is_event;

    #[test]
    fn only_events_reach_the_console() {
        assert!(is_event(br#"{"schema":"roundcast.event/1","kind":"x"}"#));
        assert!(!is_event(br#"{"kind":"activated","secret":"00"}"#));
        assert!(!is_event(b"words"));
        assert!(!is_event(b"\xff"));
    }
}
