//! The neighbours of this viewer, as the station orders them.

use super::control::Session;
use link::{NodeEvent, Repairs};
use serde_json::{Value, json};
use wire::message::control::{EdgeFailure, EdgeOrder, Up};
use wire::{Reason, Rendition};

impl Session {
    /// The station lets this viewer pull from somebody, or somebody from it.
    pub(super) fn order_neighbour(&mut self, order: EdgeOrder) {
        let links = self.options.controls.links;
        let outcome = if self.options.relay_only {
            links.allows(&order.other, self.membership.run.coordinator)
        } else {
            Ok(())
        };
        let outcome = outcome.and_then(|()| Ok(self.node.order_neighbour(order)?));
        if let Err(e) = outcome {
            self.tell_attack(&e.reason(), "");
            self.notice(
                page::Level::Warning,
                format!("a neighbour was refused: {e}"),
            );
        }
    }

    pub(super) fn neighbour_event(&mut self, event: NodeEvent) {
        match event {
            NodeEvent::NeighbourUp { other, child } => {
                let fields = json!({"other": other.spki.to_hex(), "child": child});
                self.emit.tell("neighbour_up", fields);
            }
            NodeEvent::NeighbourDown {
                other,
                child,
                reason,
                name,
                detail,
                refusal,
            } => {
                if refusal {
                    // It is named to the user and to the station, and left.
                    let polluted = reason == Reason::BlockProofMismatch;
                    if polluted || reason == Reason::HeaderSignatureInvalid {
                        self.playout.report.rejected();
                        let fields = json!({"from": other.to_hex(), "reason": name});
                        self.emit.tell("repair_rejected", fields);
                    }
                    self.tell_attack(&name, &other.to_hex());
                    let text = format!("left the neighbour {}: {detail}", other.short());
                    self.notice(page::Level::Warning, text);
                }
                let fields = json!({
                    "other": other.to_hex(), "child": child, "reason": name, "detail": detail,
                });
                self.emit.tell("neighbour_down", fields);
                let _ = self.up.send(Up::NeighbourDown(EdgeFailure {
                    other,
                    child,
                    // Neighbours have the best rendition alone.
                    rendition: Rendition(0),
                    reason,
                }));
            }
            _ => {}
        }
    }

    /// Tells the station how long the links are, if that has changed.
    pub(super) fn tell_lines(&mut self, now_ms: u64) {
        let minor = self.membership.link.minor;
        let lines = self.measuring.report(now_ms, minor, self.node.paths());
        if let Some(lines) = lines {
            let _ = self.up.send(Up::Lines(lines));
        }
    }

    /// Tells what was pulled and given, if that has changed.
    pub(super) fn tell_repairs(&mut self) {
        let repairs = self.node.repairs();
        if repairs != self.repairs {
            self.repairs = repairs;
            self.emit.tell("repairs", fields_of(&repairs));
        }
    }
}

fn fields_of(repairs: &Repairs) -> Value {
    let pulled = repairs.pulled;
    json!({
        "neighbours": repairs.neighbours, "asked": pulled.asked, "repaired": pulled.repaired,
        "wasted": pulled.wasted, "refused_to_me": pulled.refused,
        "unanswered": pulled.unanswered, "answered": repairs.answered,
        "refused": repairs.refused,
    })
}
