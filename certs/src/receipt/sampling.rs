//! Which chunks a member receipts once an audience is too large for all of
//! them to be: of every so many windows of chunks one, at an offset that the
//! member's receipt key sets for each stripe. Both sides can compute it, so
//! that neither chooses; a parent knows nobody's key, and cannot tell when it
//! is looked at.

use super::ReceiptKey;
use ring::hmac;
use std::collections::VecDeque;
use wire::message::receipt::Sampling;
use wire::{Sequence, Stripe, StripeSet};

const LABEL: &[u8] = b"roundcast/receipt-sampling/v1\0";
/// Rules that are remembered: chunks that are old enough to fall under a
/// forgotten one are not receipted any more.
pub const SAMPLINGS_MAX: usize = 8;

/// The rules of a run, oldest first; before the first one every chunk is
/// receipted.
#[derive(Debug, Clone, Default)]
pub struct Samplings {
    rules: VecDeque<Sampling>,
}

impl Samplings {
    /// Every chunk.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rules: VecDeque::new(),
        }
    }

    /// Takes a rule for what comes after the last one's chunks; false for
    /// any other, which is known or made up.
    pub fn learn(&mut self, rule: Sampling) -> bool {
        if self.rules.back().is_some_and(|last| rule.from <= last.from) {
            return false;
        }
        while self.rules.len() >= SAMPLINGS_MAX {
            self.rules.pop_front();
        }
        self.rules.push_back(rule);
        true
    }

    /// The rules, for who comes later.
    pub fn iter(&self) -> impl Iterator<Item = &Sampling> {
        self.rules.iter()
    }

    /// The newest rule.
    #[must_use]
    pub fn newest(&self) -> Option<&Sampling> {
        self.rules.back()
    }

    /// How many chunks one receipted chunk stands for, itself included.
    #[must_use]
    pub fn one_in(&self, sequence: Sequence) -> u64 {
        self.rule(sequence).map_or(1, |rule| rule.one_in.into())
    }

    /// Whether the member with this key receipts this stripe of this chunk.
    #[must_use]
    pub fn has(&self, key: &ReceiptKey, stripe: Stripe, sequence: Sequence) -> bool {
        let Some(rule) = self.rule(sequence).filter(|rule| rule.one_in > 1) else {
            return true;
        };
        let window = sequence.0 / u64::from(rule.window_chunks.max(1));
        let one_in = u64::from(rule.one_in);
        window % one_in == offset(key, stripe) % one_in
    }

    /// Those of these stripes that it receipts of this chunk.
    #[must_use]
    pub fn stripes(&self, key: &ReceiptKey, sequence: Sequence, of: StripeSet) -> StripeSet {
        of.iter().filter(|s| self.has(key, *s, sequence)).collect()
    }

    fn rule(&self, sequence: Sequence) -> Option<&Sampling> {
        self.rules.iter().rev().find(|rule| rule.from <= sequence)
    }
}

/// The first eight bytes of HMAC-SHA-256 over label and stripe.
fn offset(key: &ReceiptKey, stripe: Stripe) -> u64 {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
    let mut context = hmac::Context::with_key(&key);
    context.update(LABEL);
    context.update(&[stripe.0]);
    let tag = context.sign();
    let first = tag.as_ref().first_chunk::<8>();
    first.map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;
    use wire::Rendition;

    fn rule(from: u64, one_in: u16) -> Sampling {
        Sampling {
            rendition: Rendition(0),
            from: Sequence(from),
            window_chunks: 25,
            one_in,
        }
    }

    fn key(n: u16) -> ReceiptKey {
        let mut bytes = [7; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        ReceiptKey::new(bytes)
    }

    #[test]
    fn a_member_receipts_one_window_in_so_many_and_all_before_the_rule() {
        let mut samplings = Samplings::new();
        assert!(samplings.learn(rule(1_000, 8)));
        for n in 0..20 {
            let has = |s| samplings.has(&key(n), Stripe(3), Sequence(s));
            assert!((0..1_000).all(has));
            // Of every eight windows exactly one, whole.
            let windows: Vec<u64> = (40..40 + 80)
                .filter(|w| (w * 25..w * 25 + 25).all(has))
                .collect();
            assert_eq!(windows.len(), 10);
            assert!(windows.windows(2).all(|pair| pair[1] - pair[0] == 8));
            let chunks = (1_000..1_000 + 80 * 25).filter(|s| has(*s)).count();
            assert_eq!(chunks, 10 * 25, "and no part of another");
        }
    }

    #[test]
    fn members_and_stripes_are_spread_over_the_windows() {
        let mut samplings = Samplings::new();
        samplings.learn(rule(0, 16));
        let at = |window: u64| {
            let sequence = Sequence(window * 25);
            let all = (0..1_000).map(|n| samplings.stripes(&key(n), sequence, StripeSet::ALL));
            all.map(StripeSet::len).sum::<u32>()
        };
        for window in 0..16 {
            let receipts = at(window);
            assert!((850..1_150).contains(&receipts), "{receipts} of 16000");
        }
    }

    #[test]
    fn rules_are_bounded_and_none_speaks_of_what_another_ruled() {
        let mut samplings = Samplings::new();
        for n in 1..=100 {
            assert!(samplings.learn(rule(n * 10, 2)));
        }
        assert_eq!(samplings.iter().count(), SAMPLINGS_MAX);
        assert!(!samplings.learn(rule(1_000, 1)), "the same chunks");
        assert!(!samplings.learn(rule(5, 1)));
        assert_eq!(samplings.one_in(Sequence(5_000)), 2);
        assert_eq!(samplings.newest(), Some(&rule(1_000, 2)));
    }
}
