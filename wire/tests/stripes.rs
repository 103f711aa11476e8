//! k+m and sets of stripes, as text and on the wire.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use wire::limits::STRIPES_MAX;
use wire::{Decode, Encode, Stripe, StripeSet, Stripes};

#[test]
fn a_set_that_travels_is_never_empty_and_never_beyond_the_last_stripe() {
    assert!(StripeSet::from_bytes(&StripeSet::EMPTY.to_bytes()).is_err());
    let last = StripeSet::one(Stripe(STRIPES_MAX - 1));
    assert_eq!(StripeSet::from_bytes(&last.to_bytes()), Ok(last));
    assert!(StripeSet::from_bytes(&(1u64 << STRIPES_MAX).to_bytes()).is_err());
    assert!(StripeSet::one(Stripe(STRIPES_MAX)).is_empty());
}

proptest! {
    #[test]
    fn sets_hold_what_was_put_in(
        a in prop::collection::btree_set(0..STRIPES_MAX, 1..9),
        b in prop::collection::btree_set(0..STRIPES_MAX, 1..9),
    ) {
        let set = |of: &std::collections::BTreeSet<u8>| of.iter().copied().map(Stripe).collect::<StripeSet>();
        let list = |set: StripeSet| set.iter().map(|s| s.0).collect::<Vec<u8>>();
        let (sa, sb) = (set(&a), set(&b));
        prop_assert_eq!(list(sa), a.iter().copied().collect::<Vec<_>>());
        prop_assert_eq!(sa.len() as usize, a.len());
        prop_assert_eq!(list(sa.union(sb)), a.union(&b).copied().collect::<Vec<_>>());
        prop_assert_eq!(list(sa.both(sb)), a.intersection(&b).copied().collect::<Vec<_>>());
        prop_assert_eq!(list(sa.minus(sb)), a.difference(&b).copied().collect::<Vec<_>>());
        prop_assert_eq!(sa.within(sb), a.is_subset(&b));
        prop_assert_eq!(sa.intersects(sb), !a.is_disjoint(&b));
        prop_assert_eq!(StripeSet::from_bytes(&sa.to_bytes()), Ok(sa));
    }

    #[test]
    fn every_k_and_m_in_range_is_read_back(k in any::<u8>(), m in any::<u8>()) {
        let fits = k >= 1 && u16::from(k) + u16::from(m) <= u16::from(STRIPES_MAX);
        prop_assert_eq!(Stripes::new(k, m).is_some(), fits);
        let bytes = [k.to_bytes(), m.to_bytes()].concat();
        prop_assert_eq!(Stripes::from_bytes(&bytes).is_ok(), fits);
        if let Some(stripes) = Stripes::new(k, m) {
            prop_assert_eq!(stripes.to_bytes(), bytes);
            prop_assert_eq!(StripeSet::from(stripes).len(), u32::from(stripes.count()));
        }
    }
}
