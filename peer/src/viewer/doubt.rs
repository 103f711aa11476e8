//! What a viewer does when a relay that it has verified does not stay so.

use super::control::Session;
use serde_json::json;
use wire::Reason;
use wire::message::control::{EdgeFailure, NodeRef, Up};

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
}
