//! What a node does for the children of its edges.

use crate::edge::ChildId;
use crate::group::Framed;
use crate::node::{Node, lock};
use overlay::forwarder::{Begin, Outgoing};
use wire::StripeSet;
use wire::message::edge::Start;

impl Node {
    /// Adds a child, or lets it start again, with these stripes; tells whether
    /// it awaits blocks that this node does not have.
    pub(crate) fn add_child(&self, child: ChildId, start: Start, stripes: StripeSet) -> bool {
        let now_ms = self.clock.mono_ms();
        let begin = lock(&self.forwarder).add_child(child, start, stripes, now_ms);
        matches!(begin, Begin::Awaiting(_))
    }

    /// Gives a child no other stripes than these from now on.
    pub(crate) fn set_stripes(&self, child: ChildId, stripes: StripeSet) {
        lock(&self.forwarder).set_stripes(child, stripes);
    }

    /// Of the rendition that a child gets, it gets the group under way alone.
    pub(crate) fn retire_child(&self, child: ChildId) {
        lock(&self.forwarder).retire_child(child);
    }

    pub(crate) fn remove_child(&self, child: ChildId) {
        lock(&self.forwarder).remove_child(child);
    }

    pub(crate) fn poll_child(&self, child: ChildId) -> Option<Outgoing<Framed>> {
        lock(&self.forwarder).poll(child)
    }
}
