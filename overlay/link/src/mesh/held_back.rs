//! What parents said that they leave out, while a neighbour may still have it:
//! the driver, which would go on without it, hears of what is missing then.

use super::Mesh;
use crate::node::{Node, NodeEvent, lock};
use wire::message::group::Dropped;
use wire::{Rendition, Sequence, SpkiHash};

/// How long neighbours have, in milliseconds: two tries, and half of the bound
/// for a repair.
const HOLD_MS: u64 = 1_000;
/// Words that are kept back; more are told at once.
const HELD_MAX: usize = 64;

#[derive(Debug)]
struct Held {
    since_ms: u64,
    parent: SpkiHash,
    rendition: Rendition,
    dropped: Dropped,
}

/// Words that are kept back, oldest first.
#[derive(Debug, Default)]
pub(super) struct HeldBack(Vec<Held>);

impl Mesh {
    /// A parent leaves out more than parity makes up for.
    pub(crate) fn left_out(
        &self,
        node: &Node,
        parent: SpkiHash,
        rendition: Rendition,
        dropped: Dropped,
    ) {
        let mut held = lock(&self.held_back);
        if node.controls.mesh.is_on() && held.0.len() < HELD_MAX && self.is_pulling() {
            held.0.push(Held {
                since_ms: node.clock.mono_ms(),
                parent,
                rendition,
                dropped,
            });
            return;
        }
        let from = parent;
        let _ = node.events.send(NodeEvent::Dropped { from, dropped });
    }

    /// Tells of what neighbours did not bring in time.
    pub(super) fn tell_left_out(&self, node: &Node) {
        let now_ms = node.clock.mono_ms();
        let hold_ms = if self.is_pulling() { HOLD_MS } else { 0 };
        let due: Vec<Held> = {
            let mut held = lock(&self.held_back);
            let is_due = |h: &Held| now_ms.saturating_sub(h.since_ms) >= hold_ms;
            let count = held.0.iter().take_while(|h| is_due(h)).count();
            held.0.drain(..count).collect()
        };
        for held in due {
            let from = held.parent;
            for (at, to) in missing(node, held.rendition, (held.dropped.from, held.dropped.to)) {
                let dropped = Dropped {
                    from: at,
                    to,
                    ..held.dropped.clone()
                };
                let _ = node.events.send(NodeEvent::Dropped { from, dropped });
            }
        }
    }
}

/// The parts of [from, to) that are not complete here.
fn missing(
    node: &Node,
    rendition: Rendition,
    (from, to): (Sequence, Sequence),
) -> Vec<(Sequence, Sequence)> {
    let forwarder = lock(&node.forwarder);
    let mut parts: Vec<(Sequence, Sequence)> = Vec::new();
    let mut at = from;
    for (sequence, complete) in forwarder.kept(rendition) {
        if sequence < at || sequence >= to || !complete {
            continue;
        }
        if at < sequence {
            parts.push((at, sequence));
        }
        at = sequence.next();
    }
    if at < to {
        parts.push((at, to));
    }
    parts
}
