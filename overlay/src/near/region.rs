//! Where a relay is nearest to those who wait for it.

use std::collections::{BTreeMap, BTreeSet};

/// What somebody adds who has not measured a region, or says that it is farther
/// away: nobody's word weighs more than this, in milliseconds.
const RTT_MS_MAX: u64 = 1_000;

/// How far each region is from those who wait, on average, in milliseconds:
/// every region that one of them has measured.
#[must_use]
pub fn means_ms<R: Ord + Clone>(waiting: &[BTreeMap<R, u64>]) -> BTreeMap<R, u64> {
    let told: BTreeSet<&R> = waiting.iter().flat_map(BTreeMap::keys).collect();
    let mean_ms = |region: &R| -> Option<u64> {
        let each = waiting.iter().map(|rtts| rtts.get(region));
        let sum_ms = each
            .map(|ms| ms.map_or(RTT_MS_MAX, |ms| (*ms).min(RTT_MS_MAX)))
            .fold(0, u64::saturating_add);
        sum_ms.checked_div(waiting.len() as u64)
    };
    told.into_iter()
        .filter_map(|region| Some((region.clone(), mean_ms(region)?)))
        .collect()
}

/// Of `regions` the one with the least round trip, of equals the first; none
/// if nobody has measured any of them.
#[must_use]
pub fn nearest<R: Ord>(
    regions: impl IntoIterator<Item = R>,
    means_ms: &BTreeMap<R, u64>,
) -> Option<R> {
    regions
        .into_iter()
        .filter_map(|region| Some((*means_ms.get(&region)?, region)))
        .min_by_key(|(ms, _)| *ms)
        .map(|(_, region)| region)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rtts(eu: u64, us: u64) -> BTreeMap<&'static str, u64> {
        BTreeMap::from([("eu", eu), ("us", us)])
    }

    #[test]
    fn the_region_is_near_to_all_together() {
        let waiting = [rtts(20, 110), rtts(30, 100), rtts(120, 10)];
        let means = means_ms(&waiting);
        assert_eq!(means, rtts(56, 73));
        assert_eq!(nearest(["us", "eu"], &means), Some("eu"));
        assert_eq!(nearest(["us"], &means), Some("us"));
        assert_eq!(nearest(["asia"], &means), None, "nobody has measured it");
        assert_eq!(nearest(["eu"], &means_ms(&[])), None);
    }

    #[test]
    fn one_who_lies_weighs_no_more_than_a_second() {
        let mut waiting = vec![rtts(20, 120); 12];
        waiting.push(rtts(u64::MAX, 0));
        assert_eq!(nearest(["eu", "us"], &means_ms(&waiting)), Some("eu"));
    }

    #[test]
    fn who_has_not_measured_a_region_is_far_from_it() {
        let far = BTreeMap::from([("us", 10)]);
        let means = means_ms(&[rtts(20, 110), far]);
        assert_eq!(means, rtts(510, 60));
    }

    proptest! {
        /// No other region has a smaller mean.
        #[test]
        fn nothing_is_nearer(told in proptest::collection::vec((0u64..2_000, 0u64..2_000), 1..20)) {
            let waiting: Vec<_> = told.iter().map(|(eu, us)| rtts(*eu, *us)).collect();
            let mean = |of: fn(&(u64, u64)) -> u64| {
                told.iter().map(|t| of(t).min(RTT_MS_MAX)).sum::<u64>() / told.len() as u64
            };
            let found = nearest(["eu", "us"], &means_ms(&waiting));
            let (eu, us) = (mean(|t| t.0), mean(|t| t.1));
            prop_assert_eq!(found, Some(if us < eu { "us" } else { "eu" }));
        }
    }
}
