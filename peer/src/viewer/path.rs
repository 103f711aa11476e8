//! The paths of the stream: who carries it to this viewer, and which hops it
//! has verified for itself.

use super::control::Session;
use super::control::numbers;
use serde_json::{Value, json};
use wire::message::control::{NodeKind, NodeRef};
use wire::{SpkiHash, Stripe, StripeSet};

/// One hop of the path.
pub(crate) struct PathHop {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) by_me: bool,
    /// Verified, but its metadata have expired since.
    pub(crate) expired: bool,
    pub(crate) spki: Option<SpkiHash>,
}

/// One way of the stream to this viewer, and the stripes that take it.
pub(crate) struct Path {
    pub(crate) stripes: StripeSet,
    pub(crate) hops: Vec<PathHop>,
}

impl Session {
    /// Tells the paths when one has changed.
    pub(super) fn report_path(&mut self) {
        let paths = self.paths();
        let all: Vec<Value> = paths
            .iter()
            .map(|path| json!({"stripes": numbers(path.stripes), "hops": told(&path.hops)}))
            .collect();
        // Of several, the one that stripe 0 takes is told as before.
        let hops = paths.first().map(|path| told(&path.hops));
        let path = json!({"hops": hops, "paths": all});
        if path != self.last_path {
            if self.emit.json() {
                self.emit.tell("path", path.clone());
            } else {
                self.say_paths(&paths);
            }
            self.last_path = path;
        }
    }

    fn say_paths(&self, paths: &[Path]) {
        let now_ms = self.clock.unix().0;
        for path in paths {
            let line = page::path_line(&self.shown(&path.hops), now_ms);
            let which = if paths.len() > 1 {
                let stripes = numbers(path.stripes);
                let stripes: Vec<String> = stripes.iter().map(u8::to_string).collect();
                format!(" of {}", stripes.join(", "))
            } else {
                String::new()
            };
            self.emit.say(&format!("path{which}: {line}"));
        }
    }

    /// The hops of the first path, for who shows one.
    pub(crate) fn path(&self) -> Vec<PathHop> {
        let mut paths = self.paths();
        paths.drain(..).next().map_or_else(Vec::new, |p| p.hops)
    }

    /// From this viewer to the station, for each stripe; stripes that take the
    /// same way are one path. The first hop is as this viewer knows it, the
    /// others as the coordinator reports them. The station itself was verified
    /// at the join, and again by the signature of every chunk, whoever carries
    /// it.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut paths: Vec<(Vec<SpkiHash>, Path)> = Vec::new();
        for (stripe, parent) in &self.parents {
            let hops = self.path_of(*stripe, parent);
            let way: Vec<SpkiHash> = hops.iter().filter_map(|hop| hop.spki).collect();
            match paths.iter_mut().find(|(known, _)| *known == way) {
                Some((_, path)) => path.stripes = path.stripes.with(*stripe),
                None => {
                    let stripes = (*stripe).into();
                    paths.push((way, Path { stripes, hops }));
                }
            }
        }
        if paths.is_empty() {
            let stripes = StripeSet::EMPTY;
            let hops = vec![self.me()];
            paths.push((Vec::new(), Path { stripes, hops }));
        }
        paths.into_iter().map(|(_, path)| path).collect()
    }

    fn me(&self) -> PathHop {
        PathHop {
            name: self.options.shared.name.clone(),
            kind: "you",
            by_me: true,
            expired: false,
            spki: Some(self.membership.identity.spki()),
        }
    }

    fn path_of(&self, stripe: Stripe, parent: &NodeRef) -> Vec<PathHop> {
        let kind = parent.kind;
        let mut hops = vec![
            self.me(),
            PathHop {
                name: parent.name.as_str().to_owned(),
                kind: kind.name(),
                by_me: kind != NodeKind::Relay || self.proofs.contains_key(&parent.spki),
                expired: self.expired.contains(&parent.spki),
                spki: Some(parent.spki),
            },
        ];
        let Some((picture, _)) = &self.tree else {
            return hops;
        };
        let above = |node| {
            let mut parents = picture.parents(node);
            parents.find(|(_, stripes)| stripes.has(stripe))
        };
        let mut at = picture.node(parent.spki);
        // A picture is the coordinator's word: a loop in it must not hang us.
        for _ in 0..picture.nodes.len() {
            let Some((node, _)) = at.and_then(above) else {
                break;
            };
            hops.push(PathHop {
                name: node.name.as_str().to_owned(),
                kind: node.kind.name(),
                by_me: node.kind == NodeKind::Station,
                expired: false,
                spki: Some(node.spki),
            });
            at = Some(node);
        }
        hops
    }
}

fn told(hops: &[PathHop]) -> Value {
    hops.iter()
        .map(|hop| {
            let verified = if hop.by_me { "by_me" } else { "reported" };
            json!({"name": hop.name, "kind": hop.kind, "verified": verified,
                   "expired": hop.expired, "spki": hop.spki.map(|s| s.to_hex())})
        })
        .collect()
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
