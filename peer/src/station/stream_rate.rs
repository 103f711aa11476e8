//! What the stream's rate means for the tree: how many children an upload
//! carries, and how many bytes a permit is good for.

use super::coordinator::Coordinator;
use super::{Basis, SLOT_PERCENT, as_mbps};
use serde_json::json;
use wire::{Rendition, SpkiHash, Stripes};

/// A rate that differs from the planned one by more than this, in percent, is
/// another rate and no scene with more movement.
const OFF_PERCENT: u64 = 20;

/// Bit/s that a child needs for one stripe at this rate of the stream: a k-th
/// of it, and head room.
pub(super) fn edge_bps(stream_bps: u64, stripes: Stripes) -> u64 {
    let k = u64::from(stripes.k()).max(1);
    (stream_bps.saturating_mul(SLOT_PERCENT) / 100 / k).max(1)
}

/// Only whole edges: half a stripe is of no use to a child.
pub(super) fn edges(upload_bps: u64, edge_bps: u64) -> u32 {
    u32::try_from(upload_bps / edge_bps.max(1)).unwrap_or(u32::MAX)
}

fn is_off(planned_bps: u64, measured_bps: u64) -> bool {
    let off_bps = planned_bps.abs_diff(measured_bps);
    off_bps.saturating_mul(100) > planned_bps.saturating_mul(OFF_PERCENT)
}

impl Coordinator {
    /// The input's rate over its last seconds. One that was assumed gives
    /// way; one that the broadcaster said stays the plan, but permits are good
    /// for what is really sent.
    pub(super) fn measured(&mut self, bps: u64) {
        let known_bps = self.measured_bps.unwrap_or(self.settings.stream_bps);
        let first = self.measured_bps.is_none() && self.settings.basis == Basis::Assumed;
        if !first && !is_off(known_bps, bps) {
            return;
        }
        let planned_bps = self.settings.stream_bps;
        self.measured_bps = Some(bps);
        if self.settings.basis == Basis::Assumed {
            self.plan_with(bps);
        }
        let fields = json!({
            "planned_bps": planned_bps, "measured_bps": bps,
            "slot_bps": self.settings.slot_bps(),
            "slots": self.settings.slots(self.settings.edges),
        });
        self.emit.tell("stream_rate_measured", fields);
        if is_off(planned_bps, bps) {
            self.notice(page::Level::Warning, self.rate_notice(planned_bps, bps));
        }
        if bps > planned_bps {
            // What runs now was budgeted for less.
            self.mint_all();
        }
    }

    fn rate_notice(&self, planned_bps: u64, bps: u64) -> String {
        let (planned, measured) = (as_mbps(planned_bps), as_mbps(bps));
        let fix = match self.settings.basis {
            Basis::Assumed => {
                let viewers = self.settings.slots(self.settings.edges);
                format!("your upload serves {viewers} viewers")
            }
            Basis::Said => format!("say --stream-mbps {measured:.1} the next time"),
        };
        format!("the stream has {measured:.1} Mbit/s, not {planned:.1}: {fix}")
    }

    /// Edges of everybody, by the new rate.
    fn plan_with(&mut self, stream_bps: u64) {
        let now_ms = self.clock.mono_ms();
        let settings = &mut self.settings;
        settings.stream_bps = stream_bps;
        settings.edge_bps = edge_bps(stream_bps, settings.stripes);
        settings.edges = edges(settings.upload_bps, settings.edge_bps);
        let (me, edges) = (self.me, settings.edges);
        let _ = self.planner.claim(now_ms, me, edges);
        let placed = self.members.iter().filter(|(_, m)| m.placed);
        for node in placed.map(|(node, _)| *node).collect::<Vec<_>>() {
            let _ = self.planner.claim(now_ms, node, self.edges_of(node));
        }
    }

    /// The rate that permits are good for, in bit/s.
    pub(super) fn budget_bps(&self, rendition: Rendition) -> u64 {
        if let Some(smaller) = usize::from(rendition.0).checked_sub(1) {
            let bps = self.settings.smaller_bps.get(smaller);
            return bps.copied().unwrap_or(self.settings.stream_bps);
        }
        let planned_bps = self.settings.stream_bps;
        planned_bps.max(self.measured_bps.unwrap_or(0))
    }

    /// A permit's bytes were sent before its time was over. That is nobody's
    /// fault as long as it stays rare: the edge gets the next permit.
    pub(super) fn renew_spent(&mut self, child: SpkiHash, parent: SpkiHash) -> bool {
        let pair = (child, parent);
        if self.permits.get(pair).is_none() || !self.permits.may_renew_early(pair) {
            return false;
        }
        self.mint(&[pair]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_off_beyond_a_fifth() {
        assert!(!is_off(1_000, 1_200));
        assert!(is_off(1_000, 1_201));
        assert!(!is_off(1_000, 800));
        assert!(is_off(1_000, 799));
        assert!(is_off(5_000_000, u64::MAX));
    }

    #[test]
    fn edges_are_whole_and_have_head_room() {
        let single = |stream_bps| edge_bps(stream_bps, Stripes::SINGLE);
        assert_eq!(single(1_000_000), 1_250_000);
        assert_eq!(edges(20_000_000, single(5_000_000)), 3);
        assert_eq!(edges(20_000_000, single(1_000_000)), 16);
        assert_eq!(edges(1_000, single(0)), 1_000);
        // With 4+1 an edge is a quarter, and a child takes five.
        let striped = edge_bps(1_000_000, Stripes::new(4, 1).unwrap());
        assert_eq!(striped, 312_500);
        assert_eq!(edges(20_000_000, striped), 64);
    }
}
