//! The relays of the evening: what they proved, claimed and carried.

use super::cast::STATION;
use super::log::Log;
use crate::event::Event;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One relay that was in the tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RelayReport {
    /// Its name.
    pub relay: String,
    /// The release that its evidence shows.
    pub release: String,
    /// The kind of evidence.
    pub evidence: String,
    /// How much that kind proves.
    pub assurance: String,
    /// Who verified it, in the order in which they did.
    pub verified_by: Vec<String>,
    /// Its claim.
    pub claim_mbps: f64,
    /// What receipts prove of it.
    pub proven_mbps: f64,
    /// The most children that it had at once.
    pub children_max: u64,
}

/// The relays that the station admitted, in the order of their names.
#[must_use]
pub fn reports(log: &Log, ended_us: u64) -> Vec<RelayReport> {
    let names = log.names.relays();
    let admitted = |name: &String| {
        log.naming(STATION, "relay_admitted", "relay", name)
            .is_some()
    };
    let admitted = names.into_iter().filter(admitted);
    admitted.map(|name| report(log, name, ended_us)).collect()
}

fn report(log: &Log, relay: String, ended_us: u64) -> RelayReport {
    let verified = verified(log, &relay);
    let text = |field: &str| {
        let mut told = verified.iter().filter_map(|event| event.text(field));
        told.next().unwrap_or_default().to_owned()
    };
    let mut verifiers = BTreeSet::new();
    let verified_by = verified
        .iter()
        .map(|event| log.names.name(&event.who).to_owned())
        .filter(|who| verifiers.insert(who.clone()))
        .collect();
    RelayReport {
        release: text("release"),
        evidence: text("evidence"),
        assurance: text("assurance"),
        verified_by,
        claim_mbps: greatest(log, &relay, "claim_mbps"),
        proven_mbps: greatest(log, &relay, "proven_mbps"),
        children_max: children_max(log, &relay, ended_us),
        relay,
    }
}

/// The times that members verified a relay, the earliest first.
fn verified<'a>(log: &'a Log, relay: &str) -> Vec<&'a Event> {
    let events = log.sorted().into_iter();
    events
        .filter(|event| event.kind == "relay_verified")
        .filter(|event| log.names.field(event, "relay") == Some(relay))
        .collect()
}

/// The station's figure for a relay at its highest: it grows with the load.
fn greatest(log: &Log, relay: &str, field: &str) -> f64 {
    let told = ["relay_admitted", "relay_proven"]
        .into_iter()
        .flat_map(|kind| log.of(STATION, kind))
        .filter(|event| log.names.field(event, "relay") == Some(relay));
    let figures = told.filter_map(|event| event.fields.get(field)?.as_f64());
    figures.fold(0.0, f64::max)
}

/// Counts a relay's children over the evening, by the station's edges.
fn children_max(log: &Log, relay: &str, ended_us: u64) -> u64 {
    let mut parents: BTreeMap<(String, u64), String> = BTreeMap::new();
    let mut most = 0;
    for event in log.sorted() {
        if event.source != STATION || event.mono_us > ended_us {
            continue;
        }
        let child = log.names.field(event, "child").map(str::to_owned);
        let parent = log.names.field(event, "parent").map(str::to_owned);
        let stripe = event.number("stripe").unwrap_or(0);
        match (event.kind.as_str(), child, parent) {
            ("attached", Some(child), Some(parent)) => {
                parents.insert((child, stripe), parent);
            }
            ("detached", Some(child), Some(parent)) => {
                // A move may attach first and detach from the old one then.
                let place = (child, stripe);
                if parents.get(&place) == Some(&parent) {
                    parents.remove(&place);
                }
            }
            _ => continue,
        }
        let children = parents.iter().filter(|(_, parent)| *parent == relay);
        let children: BTreeSet<&String> = children.map(|((child, _), _)| child).collect();
        most = most.max(children.len());
    }
    u64::try_from(most).unwrap_or(u64::MAX)
}
