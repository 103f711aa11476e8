//! What a viewer does when a relay that it has verified does not stay so, or a
//! parent does not send what it should.

use super::control::{Session, numbers};
use serde_json::json;
use wire::message::control::{EdgeFailure, NodeRef, Up, Withheld};
use wire::{Reason, Rendition, Sequence, SpkiHash, StripeSet};

impl Session {
    /// The relay does not answer any more: the coordinator is asked for
    /// another parent, and the edge carries on until that one delivers.
    pub(super) fn relay_unresponsive(&mut self, relay: &NodeRef, child: bool) {
        let reason = Reason::ChallengeUnanswered;
        let fields = json!({
            "relay": relay.spki.to_hex(), "child": child, "reason": reason.name(),
        });
        self.emit.tell("relay_unresponsive", fields);
        let text = format!("{} no longer answers; another parent is sought", relay.name);
        self.notice(page::Level::Warning, text);
        let _ = self.up.send(Up::EdgeDoubt(EdgeFailure {
            other: relay.spki,
            child,
            rendition: self.rendition_of(relay.spki),
            reason,
        }));
    }

    /// The relay's metadata have expired: it stays for its lease, and is shown
    /// as what it is.
    pub(super) fn relay_expired(&mut self, relay: &NodeRef, reason: &str) {
        let fields = json!({"relay": relay.spki.to_hex(), "reason": reason});
        self.emit.tell("relay_expired", fields);
        let text = format!("{}: {reason}; no new link to it is made", relay.name);
        self.notice(page::Level::Warning, text);
        self.expired.insert(relay.spki);
        self.report_path();
    }

    /// A parent lets us fall behind what the station has signed. Who of those
    /// above is to blame, the coordinator knows.
    pub(super) fn withheld(
        &mut self,
        (from, rendition): (SpkiHash, Rendition),
        stripes: StripeSet,
        head: Sequence,
        newest: Option<Sequence>,
    ) {
        let fields = json!({
            "from": from.to_hex(), "stripes": numbers(stripes), "head": head.0,
            "newest": newest.map(|n| n.0),
        });
        self.emit.tell("stream_withheld", fields);
        let text = format!("{} does not send what is published", from.short());
        self.notice(page::Level::Warning, text);
        let _ = self.up.send(Up::Withheld(Withheld {
            parent: from,
            rendition,
            stripes,
        }));
    }
}
