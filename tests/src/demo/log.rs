//! Everything that the programs said, and questions to it.

use super::attack::Attack;
use super::cast::{DESK, STATION};
use super::names::Names;
use crate::event::Event;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a viewer would pay, as its own desk says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// In minor units.
    pub minor: u64,
    /// ISO 4217.
    pub currency: String,
}

/// All events so far.
#[derive(Debug, Default)]
pub struct Log {
    events: Vec<Event>,
    /// Who has which key.
    pub names: Names,
    /// The attack of the evening, if there is one.
    pub attack: Option<Attack>,
    prices: BTreeMap<(String, u64), Price>,
    rounds: BTreeMap<String, (String, u64)>,
    left_us: BTreeMap<String, u64>,
}

impl Log {
    /// An empty log of an evening with or without an attack.
    #[must_use]
    pub fn new(attack: Option<Attack>) -> Self {
        Self {
            attack,
            ..Self::default()
        }
    }

    /// Adds an event, and learns names, prices and rounds from it.
    pub fn add(&mut self, event: Event) {
        self.names.learn(&event);
        self.learn_price(&event);
        self.learn_round(&event);
        self.events.push(event);
    }

    fn learn_price(&mut self, event: &Event) {
        let minor = event.number("price_minor");
        let currency = event.text("currency").map(str::to_owned);
        let (Some(minor), Some(currency), Some(ask)) = (minor, currency, event.number("ask"))
        else {
            return;
        };
        let asked = (event.source.clone(), ask);
        self.prices.insert(asked, Price { minor, currency });
    }

    /// A sponsor's own event that names order and ask ties the two together:
    /// the desk knows no asks, and the station no orders before a relay.
    fn learn_round(&mut self, event: &Event) {
        if event.source == DESK || event.source == STATION {
            return;
        }
        if let (Some(order), Some(ask)) = (event.text("order"), event.number("ask")) {
            let sponsor = (event.source.clone(), ask);
            self.rounds.insert(order.to_owned(), sponsor);
        }
    }

    /// Notes that a viewer was told to leave.
    pub fn leaves(&mut self, name: &str, mono_us: u64) {
        self.left_us.entry(name.to_owned()).or_insert(mono_us);
    }

    /// When a viewer was told to leave, on the monotonic clock.
    #[must_use]
    pub fn left_us(&self, name: &str) -> Option<u64> {
        self.left_us.get(name).copied()
    }

    /// All events by the time at which they happened.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Event> {
        let mut events: Vec<&Event> = self.events.iter().collect();
        events.sort_by_key(|event| event.mono_us);
        events
    }

    /// The newest event that is not one of the many about single chunks.
    #[must_use]
    pub fn newest(&self) -> Option<&Event> {
        let mut events = self.events.iter().rev();
        events.find(|event| !matches!(event.kind.as_str(), "chunk_published" | "chunk_received"))
    }

    /// What a viewer's desk asks for the round of `ask`.
    #[must_use]
    pub fn price(&self, viewer: &str, ask: u64) -> Option<&Price> {
        self.prices.get(&(viewer.to_owned(), ask))
    }

    /// Who redeemed for an order, and upon which ask: by the sponsor's own
    /// word, else the newest grant before the redemption.
    #[must_use]
    pub fn round(&self, order: &str, redeemed_us: u64) -> Option<(String, u64)> {
        self.rounds.get(order).cloned().or_else(|| {
            self.of(STATION, "sponsor_granted")
                .filter(|granted| granted.mono_us <= redeemed_us)
                .max_by_key(|granted| granted.mono_us)
                .and_then(|granted| {
                    let sponsor = self.names.name(&granted.who).to_owned();
                    Some((sponsor, granted.number("ask")?))
                })
        })
    }

    /// Events of one kind that one process printed.
    pub fn of<'a>(&'a self, source: &str, kind: &str) -> impl Iterator<Item = &'a Event> {
        let fits = move |event: &&Event| event.source == source && event.kind == kind;
        self.events.iter().filter(fits)
    }

    /// The first event of a kind that `source` told about `who`.
    #[must_use]
    pub fn told(&self, source: &str, kind: &str, who: &str) -> Option<&Event> {
        self.of(source, kind)
            .find(|event| self.names.name(&event.who) == who)
    }

    /// The first event of a kind that `source` told about `who` after a time.
    #[must_use]
    pub fn told_after(&self, source: &str, kind: &str, who: &str, after_us: u64) -> Option<&Event> {
        self.of(source, kind)
            .find(|event| event.mono_us > after_us && self.names.name(&event.who) == who)
    }

    /// The first event of a kind whose field names this node.
    #[must_use]
    pub fn naming(&self, source: &str, kind: &str, field: &str, node: &str) -> Option<&Event> {
        self.of(source, kind)
            .find(|event| self.names.field(event, field) == Some(node))
    }

    /// The first chunk that a viewer put out after a time, of whatever parent
    /// or of one.
    #[must_use]
    pub fn chunk(&self, viewer: &str, parent: Option<&str>, after_us: u64) -> Option<&Event> {
        self.of(viewer, "chunk_received").find(|event| {
            event.mono_us > after_us
                && parent.is_none_or(|parent| self.names.field(event, "from") == Some(parent))
        })
    }

    /// Whether a viewer was refused for want of capacity.
    #[must_use]
    pub fn refused_for_capacity(&self, viewer: &str) -> bool {
        let no_capacity = |event: &Event| {
            event.fields.get("reason").and_then(Value::as_str) == Some("no_capacity")
        };
        self.told(STATION, "join_refused_no_capacity", viewer)
            .is_some()
            || self.of(viewer, "refused").any(no_capacity)
    }
}
