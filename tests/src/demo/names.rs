//! One name per node: programs know each other by the hashes of their keys.

use super::cast::{ATTACKER, DESK};
use crate::event::Event;
use std::collections::BTreeMap;

/// Hexadecimal digits in the short form of a hash.
const SHORT_DIGITS: usize = 8;

/// Who has which key.
#[derive(Debug, Clone, Default)]
pub struct Names {
    nodes: BTreeMap<String, String>,
    aliases: BTreeMap<String, String>,
    relays: u32,
    attackers_relays: u32,
}

impl Names {
    /// Learns from an event. Relays are called R1, R2, ... in the order in
    /// which the desk started them, an attacker's own X1, X2, ...
    pub fn learn(&mut self, event: &Event) {
        match event.kind.as_str() {
            "relay_started" => self.learn_relay(event),
            kind if kind == "joined" || kind.ends_with("_ready") => {
                if let Some(spki) = event.text("spki") {
                    self.nodes.insert(spki.to_owned(), event.who.clone());
                }
            }
            _ => {}
        }
    }

    fn learn_relay(&mut self, event: &Event) {
        let Some(spki) = event.text("relay") else {
            return;
        };
        if self.nodes.contains_key(spki) {
            return;
        }
        let name = match event.source.as_str() {
            DESK => {
                self.relays = self.relays.saturating_add(1);
                format!("R{}", self.relays)
            }
            ATTACKER => {
                self.attackers_relays = self.attackers_relays.saturating_add(1);
                format!("X{}", self.attackers_relays)
            }
            _ => return,
        };
        // A relay has no name of its own, and shows the head of its hash.
        let head: String = spki.chars().take(SHORT_DIGITS).collect();
        for shown in [format!("relay-{head}"), format!("relay {head}")] {
            self.aliases.insert(shown, name.clone());
        }
        self.nodes.insert(spki.to_owned(), name);
    }

    /// The name of what is a name already, or the hash of a key. A key that
    /// nobody has told of stays as it is.
    #[must_use]
    pub fn name<'a>(&'a self, node: &'a str) -> &'a str {
        let known = self.nodes.get(node).or_else(|| self.aliases.get(node));
        known.map_or(node, String::as_str)
    }

    /// The name that the node in this field of an event has.
    #[must_use]
    pub fn field<'a>(&'a self, event: &'a Event, field: &str) -> Option<&'a str> {
        event.text(field).map(|node| self.name(node))
    }

    /// The hash of the key of a node.
    #[must_use]
    pub fn spki(&self, name: &str) -> Option<&str> {
        let mut nodes = self.nodes.iter();
        nodes.find_map(|(spki, node)| (node == name).then_some(spki.as_str()))
    }

    /// The relays that the desk started, and the attacker's, by name.
    #[must_use]
    pub fn relays(&self) -> Vec<String> {
        let own = (1..=self.relays).map(|n| format!("R{n}"));
        let attackers = (1..=self.attackers_relays).map(|n| format!("X{n}"));
        own.chain(attackers).collect()
    }

    /// Whether a name is a relay's.
    #[must_use]
    pub fn is_relay(&self, name: &str) -> bool {
        let mut letters = name.chars();
        matches!(letters.next(), Some('R' | 'X')) && letters.next().is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::event::SCHEMA;
    use serde_json::json;

    fn event(source: &str, fields: &serde_json::Value) -> Event {
        let mut line = json!({"schema": SCHEMA, "mono_us": 1, "who": source});
        line.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        Event::parse(source, &line.to_string()).unwrap()
    }

    #[test]
    fn names_members_and_numbers_relays_by_their_start() {
        let mut names = Names::default();
        names.learn(&event("A", &json!({"kind": "viewer_ready", "spki": "aa"})));
        names.learn(&event(
            "S",
            &json!({"kind": "joined", "who": "B", "spki": "bb"}),
        ));
        names.learn(&event(
            "desk",
            &json!({"kind": "relay_started", "relay": "r"}),
        ));
        names.learn(&event(
            "desk",
            &json!({"kind": "relay_started", "relay": "q"}),
        ));
        names.learn(&event(
            "desk",
            &json!({"kind": "relay_started", "relay": "r"}),
        ));
        names.learn(&event("X", &json!({"kind": "relay_started", "relay": "x"})));
        let named = ["aa", "bb", "r", "q", "x", "A", "unknown"].map(|node| names.name(node));
        assert_eq!(named, ["A", "B", "R1", "R2", "X1", "A", "unknown"]);
        assert_eq!((names.name("relay-q"), names.spki("R2")), ("R2", Some("q")));
        assert_eq!(names.relays(), ["R1", "R2", "X1"]);
        assert!(names.is_relay("X1") && !names.is_relay("X") && !names.is_relay("A"));
    }

    #[test]
    fn only_a_desk_or_an_attacker_can_name_a_relay() {
        let mut names = Names::default();
        names.learn(&event("A", &json!({"kind": "relay_started", "relay": "r"})));
        assert_eq!(names.name("r"), "r");
    }
}
