//! Head beacons: how far the stream is, on two paths.

use super::coordinator::Coordinator;
use wire::Rendition;
use wire::message::control::Down;
use wire::statement::HeadBeacon;

impl Coordinator {
    /// Tells everybody of the newest chunk.
    pub(super) fn send_beacon(&self) {
        let Some(head) = *self.head.borrow() else {
            return;
        };
        let beacon = HeadBeacon {
            scope: self.keys.scope(),
            rendition: Rendition(0),
            head: head.head,
            header: head.header,
            now: self.clock.unix(),
        };
        let beacon = certs::sign(&self.keys.beacon, &beacon);
        // On two paths, so that neither can hide how far the stream is: down
        // the tree from here, and to everybody over the control link.
        if let Err(e) = self.node.take_beacon(&beacon) {
            tracing::warn!("the station's own beacon: {e}");
        }
        for member in self.members.values() {
            let _ = member.down.send(Down::Beacon(beacon.clone()));
        }
    }
}
