//! Edges that end and stripes that fall silent, as the children tell it.

use super::coordinator::{Coordinator, Event};
use overlay::planner::EdgeFault;
use overlay::suspicion::Report;
use serde_json::json;
use std::time::Duration;
use wire::message::control::{EdgeFailure, Withheld};
use wire::{Reason, SpkiHash};

/// How long a child's report that its relay is gone waits for the
/// coordinator's own link to say so: then the relay is lost for all at once.
const SUSPECT_MS: u64 = 700;

impl Coordinator {
    pub(super) fn edge_down(&mut self, from: SpkiHash, edge: &EdgeFailure) {
        if !edge.child {
            return;
        }
        let fields = json!({
            "child": from.to_hex(), "parent": edge.other.to_hex(), "reason": edge.reason.name(),
        });
        self.emit.tell("edge_down", fields);
        let now_ms = self.clock.mono_ms();
        match edge.reason {
            Reason::Done | Reason::Reparented => {}
            _ if self.feed_down(from, edge) => {}
            Reason::BudgetSpent if self.renew_spent(from, edge.other) => {}
            Reason::PeerGone | Reason::Timeout if self.is_relay(edge.other) => {
                let event = Event::Suspect {
                    child: from,
                    parent: edge.other,
                };
                let events = self.events.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(SUSPECT_MS)).await;
                    let _ = events.send(event);
                });
            }
            Reason::PeerGone | Reason::Timeout => {
                self.planner
                    .edge_failed(now_ms, from, edge.other, EdgeFault::Unreachable);
            }
            _ if self.passes_nothing(from, edge.other) => {}
            _ => self
                .planner
                .edge_failed(now_ms, from, edge.other, EdgeFault::Refused),
        }
    }

    /// Stripes of its parent's are silent for this child, and perhaps for
    /// others.
    pub(super) fn withheld(&mut self, from: SpkiHash, withheld: &Withheld) {
        let fields = json!({
            "child": from.to_hex(), "parent": withheld.parent.to_hex(),
            "stripes": withheld.stripes.iter().map(|s| s.0).collect::<Vec<u8>>(),
            "reason": Reason::Withheld.name(),
        });
        self.emit.tell("withheld", fields);
        if self.passes_nothing(from, withheld.parent) {
            return;
        }
        let now_ms = self.clock.mono_ms();
        for stripe in withheld.stripes.iter() {
            let report = Report {
                child: from,
                parent: withheld.parent,
                stripe,
            };
            self.suspicion.report(now_ms, report);
        }
    }
}
