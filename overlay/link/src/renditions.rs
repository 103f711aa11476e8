//! What a driver that goes from one rendition to another asks of its node.

use crate::node::{Node, lock};
use wire::{Rendition, Sequence, SpkiHash};

impl Node {
    /// The rendition that this parent sends by its newest permit.
    #[must_use]
    pub fn rendition_from(&self, parent: SpkiHash) -> Option<Rendition> {
        self.edges.rendition_of(parent)
    }

    /// Where playback of a rendition can start: complete chunks that begin a
    /// group, the oldest first, and their media times in microseconds.
    #[must_use]
    pub fn starts(&self, rendition: Rendition) -> Vec<(Sequence, u64)> {
        lock(&self.forwarder).starts(rendition)
    }

    /// Forgets what is kept of a rendition from an earlier time, unless a child
    /// gets it or it still comes.
    pub fn forget_rendition(&self, rendition: Rendition) {
        lock(&self.forwarder).forget(rendition, self.clock.mono_ms());
    }
}
