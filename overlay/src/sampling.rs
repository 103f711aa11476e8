//! How much of the audience's receipts the coordinator hears: all while they
//! are few, and beyond that so little that they stay under a bound (design,
//! "Cheats about service").

use crate::slots::Span;
use wire::Stripes;
use wire::message::receipt::Sampling;

/// Receipts that reach the coordinator, in bit/s.
pub const RECEIPT_INGRESS_BPS_MAX: u64 = 1_000_000;
/// How often a member reports each stripe, in milliseconds.
pub const RECEIPT_INTERVAL_MS: u64 = 5_000;
/// A receipt of one stripe for [`RECEIPT_INTERVAL_MS`], with QUIC, UDP and IP,
/// in bytes.
pub const RECEIPT_BYTES: u64 = 320;
/// Most chunks that one receipted chunk stands for: what is rarer says too
/// little about one parent.
pub const ONE_IN_MAX: u16 = 1_024;

/// What so many viewers would send with a receipt for one interval in
/// `one_in`, in bit/s.
#[must_use]
pub fn ingress_bps(viewers: u32, stripes: Stripes, one_in: u16) -> u64 {
    let edges = u64::from(viewers).saturating_mul(stripes.count().into());
    let bits = edges.saturating_mul(RECEIPT_BYTES).saturating_mul(8);
    let per_s = bits.saturating_mul(1_000) / RECEIPT_INTERVAL_MS;
    per_s.div_ceil(u64::from(one_in.max(1)))
}

/// The share: the smallest power of two that keeps so many viewers within
/// [`RECEIPT_INGRESS_BPS_MAX`]. Powers of two, so that a finer share looks at
/// a part of what a coarser one does.
#[must_use]
pub fn one_in(viewers: u32, stripes: Stripes) -> u16 {
    let mut one_in: u16 = 1;
    while ingress_bps(viewers, stripes, one_in) > RECEIPT_INGRESS_BPS_MAX && one_in < ONE_IN_MAX {
        one_in = one_in.saturating_mul(2);
    }
    one_in
}

/// The share from now on, after `present`: rarer at once, more often only
/// where it would do for twice the audience, so that it does not go back and
/// forth.
#[must_use]
pub fn next_one_in(present: u16, viewers: u32, stripes: Stripes) -> u16 {
    let least = one_in(viewers, stripes);
    let steady = one_in(viewers.saturating_mul(2), stripes);
    present.clamp(least, steady)
}

/// Chunks of one interval.
#[must_use]
pub fn window_chunks(chunk_ms: u64) -> u16 {
    let chunks = RECEIPT_INTERVAL_MS.div_ceil(chunk_ms.max(1));
    u16::try_from(chunks).unwrap_or(u16::MAX)
}

/// The times over which receipts under this rule are added up: whole periods,
/// so that each edge is looked at equally often, and at least one of them,
/// since an edge that was looked at once says nothing about the rest of it.
#[must_use]
pub fn span(rule: Option<&Sampling>, chunk_ms: u64) -> Span {
    let plain = Span::default();
    let Some(rule) = rule.filter(|rule| rule.one_in > 1) else {
        return plain;
    };
    let interval_ms = u64::from(rule.window_chunks).saturating_mul(chunk_ms);
    let period_ms = interval_ms.saturating_mul(rule.one_in.into()).max(1);
    let periods = plain.window_ms.div_ceil(period_ms);
    Span {
        window_ms: periods.saturating_mul(period_ms),
        burst_ms: plain.burst_ms.max(period_ms),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wire::{Rendition, Sequence};

    fn four_and_one() -> Stripes {
        Stripes::new(4, 1).unwrap()
    }

    #[test]
    fn ten_thousand_viewers_stay_under_a_megabit() {
        for stripes in [Stripes::SINGLE, four_and_one()] {
            for viewers in [1, 100, 390, 391, 1_953, 1_954, 10_000] {
                let share = one_in(viewers, stripes);
                let bps = ingress_bps(viewers, stripes, share);
                assert!(bps <= RECEIPT_INGRESS_BPS_MAX, "{viewers}: {bps}");
                // And not much less is heard than may be.
                assert!(share == 1 || 2 * bps > RECEIPT_INGRESS_BPS_MAX);
            }
        }
        assert!(ingress_bps(10_000, four_and_one(), 1) > 25 * RECEIPT_INGRESS_BPS_MAX);
        assert_eq!(one_in(10_000, four_and_one()), 32);
        assert_eq!(one_in(10_000, Stripes::SINGLE), 8);
        assert_eq!(one_in(390, four_and_one()), 1);
        assert_eq!(one_in(u32::MAX, four_and_one()), ONE_IN_MAX);
    }

    #[test]
    fn a_share_does_not_go_back_and_forth() {
        let next = |present, viewers| next_one_in(present, viewers, four_and_one());
        assert_eq!(next(1, 391), 2);
        assert_eq!(next(2, 390), 2);
        assert_eq!(next(2, 196), 2);
        assert_eq!(next(2, 195), 1);
        assert_eq!(next(8, 782), 8);
        assert_eq!(next(8, 781), 4);
        assert_eq!(next(1, 10_000), 32);
    }

    #[test]
    fn receipts_are_added_up_over_whole_periods() {
        let rule = |one_in| Sampling {
            rendition: Rendition(0),
            from: Sequence(0),
            window_chunks: window_chunks(200),
            one_in,
        };
        assert_eq!(window_chunks(200), 25);
        assert_eq!(window_chunks(0), 5_000);
        assert_eq!(span(None, 200), Span::default());
        assert_eq!(span(Some(&rule(1)), 200), Span::default());
        let spans = [2, 4, 8, 32].map(|n| span(Some(&rule(n)), 200));
        let windows = spans.map(|span| span.window_ms);
        assert_eq!(windows, [30_000, 40_000, 40_000, 160_000]);
        let bursts = spans.map(|span| span.burst_ms);
        assert_eq!(bursts, [10_000, 20_000, 40_000, 160_000]);
    }
}
