//! The station's upload carries its control links, too: the more it has to say,
//! as in a crowd, the fewer children it feeds itself.

use super::coordinator::Coordinator;
use super::stream_rate::edges;
use overlay::room::Pressure;

impl Coordinator {
    /// Once a second: takes on as many children as control leaves upload for.
    pub(super) fn make_room(&mut self) {
        let (_, sent_bytes) = self.traffic.bytes();
        let left_bps = self.room.left_bps(self.settings.upload_bps, sent_bytes);
        let hurried = self.room.pressure() > Pressure::Little;
        self.planner.hold_nearing(hurried);
        if let Some(ladder) = &mut self.ladder {
            let now_ms = self.clock.mono_ms();
            ladder.uploads(now_ms, &mut self.planner, left_bps);
            return;
        }
        let edges = edges(left_bps, self.settings.edge_bps);
        let planned = self.planner.node(self.me).map(|node| node.edges);
        if planned.is_some_and(|planned| planned != edges) {
            let _ = self.planner.claim(self.clock.mono_ms(), self.me, edges);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::controls::Controls;
    use super::super::scene;

    #[tokio::test]
    async fn the_more_it_has_to_say_the_fewer_it_feeds_and_then_as_many_as_before() {
        let data = tempfile::tempdir().unwrap();
        let (mut station, _) = scene::coordinator(data.path(), Controls::default());
        station.settings.upload_bps = 8_000_000;
        let edges = |station: &super::Coordinator| station.planner.node(station.me).unwrap().edges;
        station.make_room();
        assert_eq!(edges(&station), 8, "nothing was said");
        // 1.5 Mbit/s, and as if it went on to grow; one of the three is free.
        station.traffic.traffic.sent(187_500);
        station.make_room();
        assert_eq!(edges(&station), 6);
        for _ in 0..100 {
            station.make_room();
        }
        assert_eq!(edges(&station), 8);
    }
}
