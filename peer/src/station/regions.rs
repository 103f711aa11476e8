//! Where a relay would be near to those who wait: each tells how far the regions
//! are that his own desk sells, and questions carry the average.
//!
//! Nothing is proven. Who lies weighs no more than any other, and can make a
//! round come from a region that is farther away; its price stands in the
//! question.

use super::coordinator::Coordinator;
use overlay::near::region_means_ms;
use serde_json::json;
use std::collections::BTreeMap;
use wire::SpkiHash;
use wire::codec::{List, Text};
use wire::limits::{REGION_BYTES_MAX, REGIONS_MAX};
use wire::message::lines::{RegionRtt, Regions};

/// A region, as desks call it.
type Region = Text<REGION_BYTES_MAX>;

/// What members have told, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<SpkiHash, BTreeMap<Region, u64>>);

impl Told {
    pub(super) fn forget(&mut self, member: SpkiHash) {
        self.0.remove(&member);
    }

    fn tell(&mut self, member: SpkiHash, regions: &Regions) {
        let rtts = regions.regions.iter();
        let rtts = rtts.map(|r| (r.region.clone(), r.rtt_ms)).collect();
        self.0.insert(member, rtts);
    }

    /// The average of those who wait; the nearest regions first.
    fn means(&self, waits: impl Fn(SpkiHash) -> bool) -> List<RegionRtt, REGIONS_MAX> {
        let waiting: Vec<_> = self
            .0
            .iter()
            .filter(|(member, _)| waits(**member))
            .map(|(_, rtts)| rtts.clone())
            .collect();
        let mut means: Vec<RegionRtt> = region_means_ms(&waiting)
            .into_iter()
            .map(|(region, rtt_ms)| RegionRtt { region, rtt_ms })
            .collect();
        means.sort_by_key(|mean| mean.rtt_ms);
        means.truncate(REGIONS_MAX);
        List::new(means).unwrap_or_default()
    }
}

impl Coordinator {
    /// A member waits, and tells where relays may be had.
    pub(super) fn regions(&mut self, from: SpkiHash, regions: &Regions) {
        self.regions.tell(from, regions);
        let each = regions.regions.iter();
        let each: Vec<_> = each
            .map(|r| json!({"region": r.region.as_str(), "rtt_ms": r.rtt_ms}))
            .collect();
        let fields = json!({ "regions": each });
        self.emit
            .tell_of(&self.name_of(from), "regions_told", fields);
    }

    /// How far the regions are from those who wait now.
    pub(super) fn regions_of_waiting(&self) -> List<RegionRtt, REGIONS_MAX> {
        // Whom the planner has refused waits for the better picture.
        let waits = |member| self.planner.node(member).is_none_or(|view| view.waiting);
        self.regions.means(waits)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(rtts: &[(&str, u64)]) -> Regions {
        let regions = rtts.iter().map(|(region, rtt_ms)| RegionRtt {
            region: Text::new(*region).unwrap(),
            rtt_ms: *rtt_ms,
        });
        Regions {
            regions: List::new(regions.collect()).unwrap(),
        }
    }

    #[test]
    fn only_those_who_wait_count_and_the_newest_word_does() {
        let [a, b, c] = [1, 2, 3].map(|n| SpkiHash([n; 32]));
        let mut all = Told::default();
        all.tell(a, &told(&[("eu", 10), ("us", 90)]));
        all.tell(b, &told(&[("eu", 900)]));
        all.tell(b, &told(&[("eu", 80), ("us", 20)]));
        all.tell(c, &told(&[("eu", 500), ("us", 1)]));
        let means = all.means(|member| member != c);
        let means: Vec<_> = means
            .iter()
            .map(|m| (m.region.as_str(), m.rtt_ms))
            .collect();
        assert_eq!(means, [("eu", 45), ("us", 55)]);
        all.forget(a);
        assert_eq!(all.means(|member| member == a).len(), 0);
    }

    #[test]
    fn a_question_carries_no_more_regions_than_it_may() {
        let mut all = Told::default();
        for member in 0..4_u8 {
            let names: Vec<String> = (0..8).map(|n| format!("r{member}-{n}")).collect();
            let rtts: Vec<_> = names.iter().map(|n| (n.as_str(), 7)).collect();
            all.tell(SpkiHash([member; 32]), &told(&rtts));
        }
        assert_eq!(all.means(|_| true).len(), REGIONS_MAX);
    }
}
