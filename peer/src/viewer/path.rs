//! The path of the stream: who carries it to this viewer, and which hops it
//! has verified for itself.

use super::control::Session;
use serde_json::json;
use std::collections::BTreeMap;
use wire::SpkiHash;
use wire::message::control::{NodeKind, TreeNode};

/// One hop of the path.
pub(crate) struct PathHop {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) by_me: bool,
    /// Verified, but its metadata have expired since.
    pub(crate) expired: bool,
    pub(crate) spki: Option<SpkiHash>,
}

impl Session {
    /// Tells the path when it has changed.
    pub(super) fn report_path(&mut self) {
        let hops: Vec<serde_json::Value> = self
            .path()
            .iter()
            .map(|hop| {
                let verified = if hop.by_me { "by_me" } else { "reported" };
                json!({"name": hop.name, "kind": hop.kind, "verified": verified,
                       "expired": hop.expired, "spki": hop.spki.map(|s| s.to_hex())})
            })
            .collect();
        let path = serde_json::Value::Array(hops);
        if path != self.last_path {
            if self.emit.json() {
                self.emit.tell("path", json!({"hops": path}));
            } else {
                let line = page::path_line(&self.hops(), self.clock.unix().0);
                self.emit.say(&format!("path: {line}"));
            }
            self.last_path = path;
        }
    }

    /// From this viewer to the station: the first hop as this viewer knows
    /// it, the others as the coordinator reports them. The station itself was
    /// verified at the join, and again by the signature of every chunk,
    /// whoever carries it.
    pub(crate) fn path(&self) -> Vec<PathHop> {
        let mut hops = vec![PathHop {
            name: self.options.shared.name.clone(),
            kind: "you",
            by_me: true,
            expired: false,
            spki: Some(self.membership.identity.spki()),
        }];
        let Some(parent) = &self.parent else {
            return hops;
        };
        let kind = parent.kind;
        hops.push(PathHop {
            name: parent.name.as_str().to_owned(),
            kind: kind.name(),
            by_me: kind != NodeKind::Relay || self.proofs.contains_key(&parent.spki),
            expired: self.expired.contains(&parent.spki),
            spki: Some(parent.spki),
        });
        let nodes = self.tree.iter().flat_map(|(t, _)| t.nodes.iter());
        let known: BTreeMap<SpkiHash, &TreeNode> = nodes.map(|n| (n.spki, n)).collect();
        let mut at = known.get(&parent.spki).and_then(|n| n.parent);
        // A picture is the coordinator's word: a loop in it must not hang us.
        for _ in 0..known.len() {
            let Some(node) = at.and_then(|spki| known.get(&spki)) else {
                break;
            };
            hops.push(PathHop {
                name: node.name.as_str().to_owned(),
                kind: node.kind.name(),
                by_me: node.kind == NodeKind::Station,
                expired: false,
                spki: Some(node.spki),
            });
            at = node.parent;
        }
        hops
    }
}

impl Session {
    pub(crate) fn membership_spki(&self) -> SpkiHash {
        self.membership.identity.spki()
    }

    pub(crate) fn station_name(&self) -> String {
        self.membership.station.as_str().to_owned()
    }

    pub(crate) fn stream_fingerprint(&self) -> String {
        self.membership.run.scope.stream.short()
    }
}
