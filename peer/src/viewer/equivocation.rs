//! What a viewer does when its sender has told two stories (threat D10).

use super::control::Session;
use link::NodeEvent;
use wire::message::control::Up;

impl Session {
    /// The proof is shown with the digests of both headers. Its edges have
    /// passed it on; who found it tells the coordinator, too.
    pub(super) fn sender_equivocated(&mut self, event: NodeEvent) {
        let Some(fields) = link::equivocation_fields(&event) else {
            return;
        };
        self.emit.tell("sender_equivocated", fields);
        let NodeEvent::SenderEquivocated {
            proof,
            chunk,
            digests: [a, b],
            found,
        } = event
        else {
            return;
        };
        let text = format!(
            "the station has signed two different chunks {} ({} and {}): others may see another programme",
            chunk.sequence,
            a.short(),
            b.short()
        );
        self.notice(page::Level::Error, text);
        if found {
            let _ = self.up.send(Up::Equivocation(*proof));
        }
    }
}
