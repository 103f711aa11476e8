//! A child that moves to another rendition: it gets the rest of the group that
//! is under way of the old one, and then what it asks for of the new one. So it
//! plays on without a gap, and is never sent both.

use super::{Begin, Forwarder};
use crate::NodeId;
use wire::message::edge::Start;
use wire::{Rendition, Sequence, StripeSet};

/// A rendition of which nothing has come for so long comes no more.
const STALE_MS: u64 = 2_000;

/// Where a child begins once the old rendition is over.
#[derive(Debug, Clone)]
pub(super) struct Next {
    start: Start,
    stripes: StripeSet,
    now_ms: u64,
}

impl<P: Clone, C: NodeId> Forwarder<P, C> {
    /// The child has leave for another rendition: of the one that it gets, it
    /// is sent nothing from the next group on, whatever it asks for meanwhile.
    pub fn retire_child(&mut self, id: C) {
        if let Some(child) = self.children.get_mut(&id) {
            child.retire();
        }
    }

    /// Forgets what is kept of a rendition from an earlier time: who comes back
    /// to it begins anew instead of catching up. It stays if a child gets it, or
    /// if it still comes.
    pub fn forget(&mut self, rendition: Rendition, now_ms: u64) {
        let Some(track) = self.tracks.get(&rendition) else {
            return;
        };
        let newest = track.media.values().map(|c| c.arrival.header_ms).max();
        let comes = newest.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) < STALE_MS);
        if !comes && self.children.values().all(|c| c.rendition != rendition) {
            self.tracks.remove(&rendition);
        }
    }

    /// The kept chunks of a rendition that begin a group and are complete,
    /// oldest first, and their media times in microseconds.
    #[must_use]
    pub fn starts(&self, rendition: Rendition) -> Vec<(Sequence, u64)> {
        let track = self.tracks.get(&rendition);
        let chunks = track.into_iter().flat_map(|track| &track.media);
        chunks
            .filter(|(_, chunk)| chunk.header.flags.key && chunk.is_complete())
            .map(|(sequence, chunk)| (*sequence, chunk.header.time_us))
            .collect()
    }

    /// The child is still getting another rendition than it asks for: what it
    /// asks for follows.
    pub(super) fn follows(
        &mut self,
        id: C,
        start: &Start,
        stripes: StripeSet,
        now_ms: u64,
    ) -> Option<Begin> {
        let child = self.children.get(&id)?;
        if child.rendition == start.rendition || !child.is_retiring() {
            return None;
        }
        let next = Next {
            start: start.clone(),
            stripes,
            now_ms,
        };
        self.next.insert(id, next);
        Some(Begin::AtNextKey)
    }

    /// The old rendition is over for this child, and nothing of it waits: it
    /// begins with the new one, if it has asked for it. False if there is
    /// nothing like that to do.
    pub(super) fn succeed(&mut self, id: C) -> bool {
        if !self.children.get(&id).is_some_and(|c| c.is_retired()) {
            return false;
        }
        let next = self.next.remove(&id);
        self.remove_child(id);
        let Some(next) = next else {
            return false;
        };
        self.add_child(id, next.start, next.stripes, next.now_ms);
        true
    }
}
