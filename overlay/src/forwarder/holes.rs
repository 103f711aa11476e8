//! What parents have said that they will not send.

use super::config::HOLES_MAX;
use std::collections::BTreeMap;
use wire::{Sequence, StripeSet};

/// Ranges of chunks that do not overlap, each with the stripes left out there.
#[derive(Debug, Clone, Default)]
pub(super) struct Holes(BTreeMap<Sequence, (Sequence, StripeSet)>);

impl Holes {
    /// Adds [from, to) of these stripes.
    pub(super) fn note(&mut self, from: Sequence, to: Sequence, stripes: StripeSet) {
        self.split(from);
        self.split(to);
        let mut at = from;
        let inside: Vec<(Sequence, Sequence)> = self
            .0
            .range(from..to)
            .map(|(from, (to, _))| (*from, *to))
            .collect();
        for (hole_from, hole_to) in inside {
            if at < hole_from {
                self.0.insert(at, (hole_from, stripes));
            }
            if let Some((_, left_out)) = self.0.get_mut(&hole_from) {
                *left_out = left_out.union(stripes);
            }
            at = hole_to;
        }
        if at < to {
            self.0.insert(at, (to, stripes));
        }
        while self.0.len() > HOLES_MAX {
            self.0.pop_first();
        }
    }

    /// Cuts the range that holds `at` in two, so that one begins there.
    fn split(&mut self, at: Sequence) {
        if let Some((_, hole)) = self.0.range_mut(..at).next_back()
            && hole.0 > at
        {
            let rest = *hole;
            hole.0 = at;
            self.0.insert(at, rest);
        }
    }

    /// The end of the range that holds `at`, and what is left out there.
    pub(super) fn around(&self, at: Sequence) -> Option<(Sequence, StripeSet)> {
        let (_, hole) = self.0.range(..=at).next_back()?;
        (hole.0 > at).then_some(*hole)
    }

    /// The stripes left out at this chunk.
    pub(super) fn at(&self, at: Sequence) -> StripeSet {
        self.around(at)
            .map_or(StripeSet::EMPTY, |(_, left_out)| left_out)
    }

    /// What is left out of `stripes` at or after `from`: from, to, which.
    pub(super) fn from(
        &self,
        from: Sequence,
        stripes: StripeSet,
    ) -> Vec<(Sequence, Sequence, StripeSet)> {
        self.0
            .iter()
            .filter(|(_, (to, left_out))| *to > from && left_out.intersects(stripes))
            .map(|(at, (to, left_out))| ((*at).max(from), *to, left_out.both(stripes)))
            .collect()
    }

    /// Chunks below cannot come any more.
    pub(super) fn forget_below(&mut self, floor: Sequence) {
        self.0.retain(|_, (to, _)| *to > floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::Stripe;

    proptest! {
        #[test]
        fn ranges_hold_what_was_noted_of_each_chunk(
            noted in prop::collection::vec((0u64..24, 0u64..24, 0u8..4), 1..12),
        ) {
            let mut holes = Holes::default();
            let mut model = vec![StripeSet::EMPTY; 24];
            for (from, to, stripe) in noted {
                if from < to {
                    holes.note(Sequence(from), Sequence(to), Stripe(stripe).into());
                    for (_, set) in (0u64..).zip(&mut model).filter(|(at, _)| (from..to).contains(at)) {
                        *set = set.with(Stripe(stripe));
                    }
                }
            }
            for (at, set) in (0u64..).zip(&model) {
                prop_assert_eq!(holes.at(Sequence(at)), *set);
            }
            let ranges: Vec<_> = holes.0.iter().map(|(from, (to, _))| (*from, *to)).collect();
            let pairs = ranges.iter().zip(ranges.iter().skip(1));
            prop_assert!(pairs.clone().all(|(one, next)| one.1 <= next.0));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut holes = Holes::default();
        for at in 0..1_000 {
            holes.note(Sequence(2 * at), Sequence(2 * at + 1), Stripe(0).into());
        }
        assert_eq!(holes.0.len(), HOLES_MAX);
        holes.note(Sequence(0), Sequence(u64::MAX), Stripe(1).into());
        assert!(holes.0.len() <= HOLES_MAX);
    }
}
