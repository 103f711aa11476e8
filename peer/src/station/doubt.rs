//! Members that want to go, and relays that are verified again and no longer
//! answer: who hangs on them is moved first, and they go when that is done or
//! its time is over.

use super::coordinator::Coordinator;
use serde_json::json;
use wire::message::control::{EdgeFailure, NodeKind};
use wire::{Reason, SpkiHash};

impl Coordinator {
    /// The member wants to go: who hangs on it gets another parent first.
    pub(super) fn leaving(&mut self, from: SpkiHash) {
        let Some(member) = self.members.get(&from).filter(|m| m.placed) else {
            return;
        };
        if member.kind != NodeKind::Relay {
            self.emit
                .tell_of(member.name.as_str(), "leaving", json!({}));
        }
        let _ = self.planner.retire(self.clock.mono_ms(), from);
        self.relay_passes_no_more(from);
    }

    /// A member can no longer verify the relay at the other end of an edge:
    /// the child of the two gets another parent. Others' edges to the relay
    /// stay as they are, since each member judges for itself, and the word of
    /// a few must not put a relay out.
    pub(super) fn edge_doubted(&mut self, from: SpkiHash, edge: &EdgeFailure) {
        let relay = edge.other;
        if !self.is_relay(relay) {
            return;
        }
        let fields = json!({
            "relay": relay.to_hex(), "by": from.to_hex(), "reason": edge.reason.name(),
        });
        self.emit.tell("relay_doubted", fields);
        let (child, parent) = if edge.child {
            (from, relay)
        } else {
            (relay, from)
        };
        let now_ms = self.clock.mono_ms();
        self.planner.edge_doubted(now_ms, child, parent);
        self.passes_nothing(child, parent);
    }

    /// The relay does not answer the coordinator itself: its children move.
    /// The station's own edge to it ends when their time is over, and then it
    /// is lost for all.
    pub(super) fn relay_unresponsive(&mut self, relay: SpkiHash) {
        let reason = Reason::ChallengeUnanswered.name();
        let fields = json!({
            "relay": relay.to_hex(), "by": self.me.to_hex(), "reason": reason,
        });
        self.emit.tell("relay_doubted", fields);
        let text = format!("{} no longer answers", self.name_of(relay));
        self.notice(page::Level::Warning, text);
        let now_ms = self.clock.mono_ms();
        self.planner.relay_doubted(now_ms, relay);
        self.relay_passes_no_more(relay);
    }

    /// The relay has failed a check on its control link, or answered none of
    /// its challenges: it is out for all, by that name.
    pub(super) fn relay_distrusted(&mut self, relay: SpkiHash, name: &str, refusal: bool) {
        if !self.is_relay(relay) {
            return;
        }
        if refusal {
            self.tell_refused(relay, name);
        }
        let text = format!(
            "{} no longer proves what it runs: {name}",
            self.name_of(relay)
        );
        self.notice(page::Level::Error, text);
        self.gone(relay, false);
    }

    /// The relay's release is out of date: it may stay for its lease.
    pub(super) fn relay_expired(&mut self, relay: SpkiHash, reason: &str) {
        let fields = json!({"relay": relay.to_hex(), "reason": reason});
        self.emit.tell("relay_expired", fields);
    }
}

/// Whether an edge of the station to a relay ended in such a way that the
/// relay is out for all: it is gone, or the coordinator itself found that it
/// does not, or wrongly, answer for its evidence.
pub(super) const fn puts_out(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::PeerGone | Reason::ChallengeUnanswered | Reason::LiveBindingMismatch
    )
}

#[cfg(test)]
mod tests;
