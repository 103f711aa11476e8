//! Head beacons: how far the stream is, on two paths.

use super::coordinator::Coordinator;
use wire::message::control::Down;
use wire::statement::HeadBeacon;
use wire::{Rendition, SpkiHash};

/// Beacons over control links in one second. In a larger audience members take
/// turns: of ten thousand each hears the station itself every ten seconds, and
/// the trees bring the newest one every second all the same.
const BEACONS_MAX: usize = 1_000;

impl Coordinator {
    /// Tells of the newest chunk: down the trees, and in turn over control
    /// links.
    pub(super) fn send_beacon(&mut self) {
        let turns = self.beacon_turns.take(&self.members, BEACONS_MAX);
        self.send_beacon_to(&turns);
    }

    /// Tells everybody at once: it is the last one.
    pub(super) fn send_last_beacon(&self) {
        let all: Vec<SpkiHash> = self.members.keys().copied().collect();
        self.send_beacon_to(&all);
    }

    fn send_beacon_to(&self, members: &[SpkiHash]) {
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
        // the tree from here, and over the control link.
        if let Err(e) = self.node.take_beacon(&beacon) {
            tracing::warn!("the station's own beacon: {e}");
        }
        for member in members.iter().filter_map(|m| self.members.get(m)) {
            let _ = member.down.send(Down::Beacon(beacon.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Published;
    use super::super::controls::Controls;
    use super::super::scene;
    use super::BEACONS_MAX;
    use tokio::sync::watch;
    use wire::message::control::NodeKind;
    use wire::{Digest, Sequence, SpkiHash};

    #[tokio::test]
    async fn a_large_audience_hears_of_the_head_in_turn_and_of_the_last_one_at_once() {
        let data = tempfile::tempdir().unwrap();
        let (mut station, _) = scene::coordinator(data.path(), Controls::default());
        let head = Published {
            head: Sequence(7),
            header: Digest([1; 32]),
        };
        station.head = watch::channel(Some(head)).1;
        let count = BEACONS_MAX + 3;
        let mut inboxes = Vec::new();
        for n in 0..u16::try_from(count).unwrap() {
            let mut spki = [0; 32];
            spki[..2].copy_from_slice(&n.to_be_bytes());
            let inbox = scene::enlist(&mut station, SpkiHash(spki), NodeKind::Peer);
            inboxes.push(inbox);
        }
        let mut heard = |station: &mut super::Coordinator| -> Vec<usize> {
            station.send_beacon();
            inboxes
                .iter_mut()
                .map(|i| usize::from(i.try_recv().is_ok()))
                .collect()
        };
        let first = heard(&mut station);
        assert_eq!(first.iter().sum::<usize>(), BEACONS_MAX);
        let second = heard(&mut station);
        assert_eq!(second.iter().sum::<usize>(), BEACONS_MAX);
        let missed = first.iter().zip(&second).filter(|(a, b)| **a + **b == 0);
        assert_eq!(missed.count(), 0, "who was left out is next");
        station.send_last_beacon();
        assert!(inboxes.iter_mut().all(|i| i.try_recv().is_ok()));
    }
}
