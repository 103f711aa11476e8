//! The evening's events: what the report lists, one entry for each thing that
//! happened, however many programs told of it.

use super::cast::{DESK, STATION, VIEWERS};
use super::log::Log;
use crate::event::Event;
use serde::Serialize;
use std::collections::BTreeSet;

/// An ask, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Its number.
    pub ask: u64,
    /// `join` or `leave`.
    pub cause: String,
    /// How far the asking had come: `affected`, `leaves`, `inner`.
    pub step: String,
    /// What the member's own desk asks for a round, in minor units; none if
    /// the member has no desk.
    pub price_minor: Option<u64>,
    /// ISO 4217.
    pub currency: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the kinds and their fields are the report's schema"
)]
pub enum What {
    Joined,
    CapacityShort {
        deficit_bps: u64,
    },
    SponsorAsked(Question),
    SponsorDeclined(Question),
    SponsorTimedOut(Question),
    SponsorAccepted(Question),
    SponsorGranted(Question),
    SponsorNotNeeded(Question),
    VoucherRedeemed {
        order: String,
        ask: u64,
    },
    RelayStarted {
        relay: String,
        order: String,
    },
    RelayVerified {
        relay: String,
        evidence: String,
        assurance: String,
    },
    RelayAdmitted {
        relay: String,
        parent: String,
        slots: u64,
    },
    FirstChunk {
        from: String,
    },
    RelayLost {
        relay: String,
    },
    Reparented {
        from: String,
        to: String,
        /// Of a stream that is cut into several.
        #[serde(skip_serializing_if = "Option::is_none")]
        stripe: Option<u64>,
        resume_from: Option<u64>,
    },
    JoinRefusedNoCapacity,
    AttackRefused {
        attack: String,
        reason: String,
    },
}

/// One entry, not yet numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, on the monotonic clock.
    pub mono_us: u64,
    /// To whom, by name.
    pub who: String,
    /// What.
    pub what: What,
}

impl Entry {
    /// Whether this is a refusal for `reason`.
    #[must_use]
    pub fn refuses(&self, reason: &str) -> bool {
        matches!(&self.what, What::AttackRefused { reason: found, .. } if found == reason)
    }
}

/// The whole evening, sorted by the emitters' stamps, each thing once.
#[must_use]
pub fn entries(log: &Log) -> Vec<Entry> {
    let mut told = Once::default();
    let translated = log
        .sorted()
        .into_iter()
        .filter_map(|event| translate(log, event));
    translated.filter(|entry| told.first(entry)).collect()
}

/// Lets through what was not told before.
#[derive(Debug, Default)]
pub struct Once(BTreeSet<String>);

impl Once {
    /// Whether an entry is the first that tells of its matter. A relay is
    /// verified again and again, and an attack may be refused by every block:
    /// the first time counts.
    pub fn first(&mut self, entry: &Entry) -> bool {
        let matter = match &entry.what {
            What::RelayVerified { relay, .. } => format!("verified {relay} {}", entry.who),
            What::AttackRefused { reason, .. } => format!("refused {reason} {}", entry.who),
            What::FirstChunk { .. } => format!("first chunk {}", entry.who),
            What::JoinRefusedNoCapacity => format!("no capacity {}", entry.who),
            _ => return true,
        };
        self.0.insert(matter)
    }
}

/// The entry that an event makes, if it is the one that counts: a member's
/// question is told by the station and by the member; the station's word is
/// the entry, the member's adds the price. What an attacker says of itself is
/// no entry: its exit code corroborates what its victims tell.
#[must_use]
pub fn translate(log: &Log, event: &Event) -> Option<Entry> {
    let who = log.names.name(&event.who).to_owned();
    let (who, what) = match event.source.as_str() {
        STATION => (who.clone(), of_station(log, event, &who)?),
        DESK => of_desk(log, event, who)?,
        viewer if VIEWERS.contains(&viewer) => (viewer.to_owned(), of_viewer(log, event)?),
        _ => return None,
    };
    let mono_us = event.mono_us;
    Some(Entry { mono_us, who, what })
}

fn of_station(log: &Log, event: &Event, who: &str) -> Option<What> {
    let question = || question(log, event, who);
    Some(match event.kind.as_str() {
        "joined" => What::Joined,
        "capacity_short" => What::CapacityShort {
            deficit_bps: event.number("deficit_bps")?,
        },
        "sponsor_asked" => What::SponsorAsked(question()?),
        "sponsor_declined" => What::SponsorDeclined(question()?),
        "sponsor_timed_out" => What::SponsorTimedOut(question()?),
        "sponsor_accepted" => What::SponsorAccepted(question()?),
        "sponsor_granted" => What::SponsorGranted(question()?),
        "sponsor_not_needed" => What::SponsorNotNeeded(question()?),
        "relay_admitted" => What::RelayAdmitted {
            relay: node(log, event, "relay")?,
            parent: node(log, event, "parent")?,
            slots: event.number("slots")?,
        },
        "relay_lost" => What::RelayLost {
            relay: node(log, event, "relay")?,
        },
        "join_refused_no_capacity" => What::JoinRefusedNoCapacity,
        _ => return of_member(log, event),
    })
}

fn of_desk(log: &Log, event: &Event, who: String) -> Option<(String, What)> {
    let order = || event.text("order").map(str::to_owned);
    match event.kind.as_str() {
        "voucher_redeemed" => {
            let order = order()?;
            let (sponsor, ask) = log.round(&order, event.mono_us)?;
            Some((sponsor, What::VoucherRedeemed { order, ask }))
        }
        "relay_started" => {
            let relay = node(log, event, "relay")?;
            let order = order()?;
            Some((who, What::RelayStarted { relay, order }))
        }
        _ => Some((who, refusal(log, event)?)),
    }
}

fn of_viewer(log: &Log, event: &Event) -> Option<What> {
    Some(match event.kind.as_str() {
        "first_chunk" => What::FirstChunk {
            from: node(log, event, "from")?,
        },
        "reparented" => What::Reparented {
            from: node(log, event, "from")?,
            to: node(log, event, "to")?,
            stripe: event.number("stripe"),
            resume_from: event.number("resume_from"),
        },
        _ => return of_member(log, event),
    })
}

/// What station and viewers have in common.
fn of_member(log: &Log, event: &Event) -> Option<What> {
    match event.kind.as_str() {
        "relay_verified" => Some(What::RelayVerified {
            relay: node(log, event, "relay")?,
            evidence: event.text("evidence")?.to_owned(),
            assurance: event.text("assurance")?.to_owned(),
        }),
        _ => refusal(log, event),
    }
}

fn refusal(log: &Log, event: &Event) -> Option<What> {
    let reason = event.text("reason")?;
    let counts = match event.kind.as_str() {
        "attack_refused" => true,
        // A rejected block or redemption is this attack's mark, or else a
        // matter for the viewer's own count, or between buyer and desk.
        "chunk_rejected" | "redemption_refused" => {
            log.attack.is_some_and(|attack| attack.reason() == reason)
        }
        _ => false,
    };
    counts.then(|| What::AttackRefused {
        attack: log.attack.map_or("none", |attack| attack.name()).to_owned(),
        reason: reason.to_owned(),
    })
}

fn question(log: &Log, event: &Event, member: &str) -> Option<Question> {
    let ask = event.number("ask")?;
    let price = log.price(member, ask);
    Some(Question {
        ask,
        cause: event.text("cause")?.to_owned(),
        step: event.text("step")?.to_owned(),
        price_minor: price.map(|price| price.minor),
        currency: price.map(|price| price.currency.clone()),
    })
}

fn node(log: &Log, event: &Event, field: &str) -> Option<String> {
    log.names.field(event, field).map(str::to_owned)
}
