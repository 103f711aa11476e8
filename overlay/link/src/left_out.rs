//! What a node says, and hears, of chunks that are left out.

use crate::node::{Node, NodeEvent, lock};
use wire::message::group::Dropped;
use wire::{Rendition, SpkiHash};

impl Node {
    /// Tells the driver what a child will miss.
    pub(crate) fn tell_left_out(&self, child: SpkiHash, dropped: &Dropped) {
        let _ = self.events.send(NodeEvent::LeftOut {
            child,
            dropped: dropped.clone(),
        });
    }

    pub(crate) fn note_dropped(&self, parent: SpkiHash, rendition: Rendition, dropped: &Dropped) {
        // A parent speaks for the stripes that are its own now.
        let stripes = self
            .edges
            .stripes_in(parent, rendition)
            .both(dropped.stripes);
        if stripes.is_empty() {
            return;
        }
        let range = (dropped.from, dropped.to);
        let gone = lock(&self.forwarder).dropped(rendition, range, stripes, dropped.reason);
        self.edges.wake_children(stripes);
        for (from, to) in gone {
            let dropped = Dropped {
                from,
                to,
                stripes,
                reason: dropped.reason,
            };
            // Neighbours may have it.
            self.mesh.left_out(self, parent, rendition, dropped);
        }
    }
}
