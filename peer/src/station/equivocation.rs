//! Somebody has seen two headers of this station that contradict each other
//! (threat D10): either the station is not what it says, or somebody else has
//! its chunk key. Everybody hears of it.

use super::coordinator::Coordinator;
use link::NodeEvent;
use wire::message::control::Down;
use wire::message::edge::Equivocation;
use wire::{Reason, SpkiHash};

impl Coordinator {
    /// A member's proof. One that proves nothing puts its bearer out.
    pub(super) fn equivocation(&mut self, from: SpkiHash, proof: &Equivocation) {
        if let Err(e) = self.node.take_equivocation(proof) {
            self.tell_refused_proof(from, e.reason());
            self.throw_out(from, Reason::Nonsense);
        }
    }

    fn tell_refused_proof(&self, from: SpkiHash, reason: &str) {
        let fields = serde_json::json!({"reason": reason, "other": from.to_hex()});
        self.emit.tell("attack_refused", fields);
    }

    /// The proof is good, and news: all members get it, wherever they hang.
    pub(super) fn sender_equivocated(&mut self, event: NodeEvent) {
        let Some(fields) = link::equivocation_fields(&event) else {
            return;
        };
        self.emit.tell("sender_equivocated", fields);
        let NodeEvent::SenderEquivocated { proof, chunk, .. } = event else {
            return;
        };
        let text = format!(
            "two different chunks {} bear this station's signature: somebody else has its keys",
            chunk.sequence
        );
        self.notice(page::Level::Error, text);
        for member in self.members.values() {
            let _ = member.down.send(Down::Equivocation((*proof).clone()));
        }
    }
}
