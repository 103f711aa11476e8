//! Head beacons: how far the stream is, on two paths.

use super::coordinator::Coordinator;
use overlay::ladder::Ladder;
use wire::message::control::Down;
use wire::statement::{HeadBeacon, Signed};
use wire::{Digest, Rendition, Sequence, SpkiHash};

impl Coordinator {
    /// Tells everybody of the newest chunk, and of each smaller rendition those
    /// who get it.
    pub(super) fn send_beacon(&self) {
        let Some(head) = *self.head.borrow() else {
            return;
        };
        // On two paths, so that neither can hide how far the stream is: down
        // the tree from here, and to everybody over the control link.
        let beacon = self.sign_beacon(Rendition(0), (head.head, head.header));
        for member in self.members.values() {
            let _ = member.down.send(Down::Beacon(beacon.clone()));
        }
        let smaller = self.proven.heads.iter().filter(|(of, _)| of.0 > 0);
        for (rendition, head) in smaller {
            let beacon = self.sign_beacon(*rendition, *head);
            for node in self.who_gets(*rendition) {
                self.say(node, Down::Beacon(beacon.clone()));
            }
        }
    }

    fn sign_beacon(
        &self,
        rendition: Rendition,
        (head, header): (Sequence, Digest),
    ) -> Signed<HeadBeacon> {
        let beacon = HeadBeacon {
            scope: self.keys.scope(),
            rendition,
            head,
            header,
            now: self.clock.unix(),
        };
        let beacon = certs::sign(&self.keys.beacon, &beacon);
        if let Err(e) = self.node.take_beacon(&beacon) {
            tracing::warn!("the station's own beacon: {e}");
        }
        beacon
    }

    /// Viewers who are given this smaller rendition.
    fn who_gets(&self, rendition: Rendition) -> Vec<SpkiHash> {
        let below = self.ladder.iter().flat_map(Ladder::below);
        let gets = below.filter(|(_, of)| *of == rendition);
        gets.map(|(node, _)| node).collect()
    }
}
