//! Whether an evening was as it has to be: each condition that does not hold
//! becomes a sentence, and `ok` means that there is none.

use super::attack::Attack;
use super::cast::{ATTACKER, STATION, VIEWERS};
use super::evening::DISBELIEVED;
use super::log::Log;
use super::provider::Cloud;
use super::report::{Evening, EventReport, ViewerReport};
use super::story::What;
use std::collections::BTreeMap;

/// What does not hold, in words; empty if all is well.
#[must_use]
pub fn problems(
    evening: &Evening,
    events: &[EventReport],
    viewers: &[ViewerReport],
) -> Vec<String> {
    let mut problems = evening.failures.clone();
    problems.extend(media(&evening.log, viewers));
    problems.extend(rejections(evening.log.attack, viewers));
    problems.extend(relay_edges(&evening.log));
    problems.extend(receipts(&evening.log));
    problems.extend(exits(evening));
    problems.extend(refusals(evening, events));
    problems
}

/// Every viewer that was not refused got exactly what was published.
fn media(log: &Log, viewers: &[ViewerReport]) -> Vec<String> {
    let served = viewers
        .iter()
        .filter(|viewer| !log.refused_for_capacity(&viewer.name));
    served
        .filter(|viewer| !viewer.media_identical)
        .map(|viewer| {
            format!(
                "{}: the received stream is not the published one ({} of {} chunks)",
                viewer.name, viewer.chunks_verified, viewer.chunks_due
            )
        })
        .collect()
}

fn rejections(attack: Option<Attack>, viewers: &[ViewerReport]) -> Vec<String> {
    let rejecting = viewers
        .iter()
        .filter(|viewer| attack.is_none() && viewer.chunks_rejected > 0);
    rejecting
        .map(|viewer| {
            let (name, count) = (&viewer.name, viewer.chunks_rejected);
            format!("{name}: rejected {count} chunks, and nobody attacked")
        })
        .collect()
}

/// Every viewer of the evening is honest, so that each receipt counts.
fn receipts(log: &Log) -> Vec<String> {
    let refused = log.of(STATION, "receipt_refused");
    refused
        .map(|event| {
            let member = log.names.field(event, "other").unwrap_or("somebody");
            let reason = event.text("reason").unwrap_or("no reason");
            format!("{member}: a receipt was refused as {reason}")
        })
        .collect()
}

/// The link whose verification counts: that before an admission or a command
/// is another one.
const EDGE: &str = "edge";

/// Each member at the other end of a relay's edge verified the relay on that
/// edge before it carried its first block.
fn relay_edges(log: &Log) -> Vec<String> {
    let mut uses: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut note = |member: &str, relay: Option<&str>, mono_us: u64| {
        let Some(relay) = relay.filter(|node| log.names.is_relay(node)) else {
            return;
        };
        let edge = (member.to_owned(), relay.to_owned());
        let first = uses.entry(edge).or_insert(mono_us);
        *first = mono_us.min(*first);
    };
    for member in VIEWERS.into_iter().chain([STATION]) {
        for (kind, field) in [
            ("chunk_received", "from"),
            ("first_chunk", "from"),
            ("edge_up", "other"),
        ] {
            for event in log.of(member, kind) {
                note(member, log.names.field(event, field), event.mono_us);
            }
        }
    }
    let unverified = uses.into_iter().filter(|((member, relay), used_us)| {
        let verified = log.of(member, "relay_verified").any(|event| {
            log.names.field(event, "relay") == Some(relay)
                && event.text("link") == Some(EDGE)
                && event.mono_us <= *used_us
        });
        !verified
    });
    unverified
        .map(|((member, relay), _)| {
            format!("{member}: linked to {relay} before it had verified the relay itself")
        })
        .collect()
}

fn exits(evening: &Evening) -> Vec<String> {
    let wrong = evening
        .exits
        .iter()
        .filter(|(_, exit)| exit.got != Some(exit.expected));
    wrong
        .map(|(name, exit)| {
            let (got, expected) = (exit.got, exit.expected);
            let got = got.map_or("unseen".to_owned(), |got| format!("{got:?}"));
            format!("{name}: ended with {got} and not with {expected:?}")
        })
        .collect()
}

/// An attack was refused for its listed reason, relays that nobody believes
/// for theirs, and nobody else was refused.
fn refusals(evening: &Evening, events: &[EventReport]) -> Vec<String> {
    let reasons: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.what {
            What::AttackRefused { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    let disbelieved = matches!(evening.cloud, Cloud::Disbelieved | Cloud::Doubted);
    match evening.log.attack {
        None if disbelieved => reasons
            .iter()
            .filter(|reason| **reason != DISBELIEVED)
            .map(|reason| format!("something was refused for {reason}"))
            .collect(),
        Some(attack) if !reasons.contains(&attack.reason()) => vec![format!(
            "{ATTACKER}: {} was not refused for {}; the refusals were {reasons:?}",
            attack.name(),
            attack.reason()
        )],
        None if !reasons.is_empty() => {
            vec![format!(
                "nobody attacked, and something was refused: {reasons:?}"
            )]
        }
        _ => Vec::new(),
    }
}
