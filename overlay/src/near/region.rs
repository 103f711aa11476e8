//! Where a relay is nearest to those who wait for it.

use std::collections::BTreeMap;

/// What somebody adds who has not measured a region, or says that it is farther
/// away: nobody's word weighs more than this, in milliseconds.
const RTT_MS_MAX: u64 = 1_000;

/// Of `regions` that with the least sum of round trips, in milliseconds, of
/// those who wait; of equals the first. None if nobody has measured any.
#[must_use]
pub fn nearest<R: Ord>(
    regions: impl IntoIterator<Item = R>,
    waiting: &[BTreeMap<R, u64>],
) -> Option<R> {
    let sum_ms = |region: &R| -> u64 {
        let each = waiting.iter().map(|rtts| rtts.get(region));
        each.map(|ms| ms.map_or(RTT_MS_MAX, |ms| (*ms).min(RTT_MS_MAX)))
            .fold(0, u64::saturating_add)
    };
    regions
        .into_iter()
        .filter(|region| waiting.iter().any(|rtts| rtts.contains_key(region)))
        .min_by_key(sum_ms)
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
        assert_eq!(nearest(["us", "eu"], &waiting), Some("eu"));
        assert_eq!(nearest(["us"], &waiting), Some("us"));
        assert_eq!(nearest(["asia"], &waiting), None, "nobody has measured it");
        assert_eq!(nearest::<&str>(["eu"], &[]), None);
    }

    #[test]
    fn one_who_lies_weighs_no_more_than_a_second() {
        let mut waiting = vec![rtts(20, 120); 12];
        waiting.push(rtts(u64::MAX, 0));
        assert_eq!(nearest(["eu", "us"], &waiting), Some("eu"));
    }

    proptest! {
        /// No other region has a smaller sum.
        #[test]
        fn nothing_is_nearer(told in proptest::collection::vec((0u64..2_000, 0u64..2_000), 1..20)) {
            let waiting: Vec<_> = told.iter().map(|(eu, us)| rtts(*eu, *us)).collect();
            let sum = |of: fn(&(u64, u64)) -> u64| told.iter().map(|t| of(t).min(RTT_MS_MAX)).sum::<u64>();
            let found = nearest(["eu", "us"], &waiting);
            let (eu, us) = (sum(|t| t.0), sum(|t| t.1));
            prop_assert_eq!(found, Some(if us < eu { "us" } else { "eu" }));
        }
    }
}
