//! The stripes of one edge: what its permits allow, what the child has asked
//! for and what has come, and which of them are silent.

use certs::Verified;
use certs::limits::CLOCK_SKEW_MS_MAX;
use std::collections::BTreeMap;
use wire::message::edge::Start;
use wire::statement::Permit;
use wire::{Rendition, Sequence, Stripe, StripeSet, UnixMs};

/// A stripe that the child has asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// From this chunk on; none: from wherever the parent begins.
    from: Option<Sequence>,
    /// When it asked, or when the last block came.
    heard_ms: u64,
    /// A block has come.
    works: bool,
}

/// The stripes of one edge, as one end knows them.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Until when a permit allowed each stripe, the newest one's included: what
    /// a parent sent before it heard of a new permit is no offence.
    allowed_until: BTreeMap<Stripe, UnixMs>,
    asked: BTreeMap<Stripe, Asked>,
    /// The parent's end: where the child wanted to begin, the last time.
    pub(super) start: Option<Start>,
    /// The child's end: of which rendition it has asked last.
    pub(super) said: Option<Rendition>,
    /// The child's end: asks for everything again, not for new stripes alone.
    pub(super) ask_all: bool,
    /// The other end may not know of the newest permit yet.
    pub(super) untold: bool,
}

impl Flow {
    /// A permit is good from now on.
    pub(super) fn allow(&mut self, permit: &Verified<Permit>) {
        for stripe in permit.stripes.iter() {
            let until = self.allowed_until.entry(stripe).or_default();
            *until = permit.expiry.max(*until);
        }
        self.asked.retain(|stripe, _| permit.stripes.has(*stripe));
    }

    /// Whether the parent may send this stripe, or could not know better.
    pub(super) fn allows(&self, stripe: Stripe, permit: &Permit, now: UnixMs) -> bool {
        let until = self.allowed_until.get(&stripe);
        permit.stripes.has(stripe)
            || until.is_some_and(|until| now < until.plus_ms(CLOCK_SKEW_MS_MAX))
    }

    /// The stripes of which the child has to say where they begin: new ones,
    /// or all if it needs older chunks. None: it only takes less.
    pub(super) fn wanted(&mut self, permit: &Permit) -> StripeSet {
        let known: StripeSet = self.asked.keys().copied().collect();
        let fresh = permit.stripes.minus(known);
        if std::mem::take(&mut self.ask_all) || fresh.is_empty() {
            permit.stripes
        } else {
            fresh
        }
    }

    /// Stripes of which a block has come.
    pub(super) fn working(&self) -> StripeSet {
        let works = self.asked.iter().filter(|(_, asked)| asked.works);
        works.map(|(stripe, _)| *stripe).collect()
    }

    /// The child has asked for these stripes from this chunk on.
    pub(super) fn note_asked(&mut self, stripes: StripeSet, from: Option<Sequence>, now_ms: u64) {
        for stripe in stripes.iter() {
            let asked = self.asked.entry(stripe).or_insert(Asked {
                from,
                heard_ms: now_ms,
                works: false,
            });
            asked.from = from.min(asked.from);
        }
    }

    /// A block has come; true if it is the first of its stripe.
    pub(super) fn note_block(&mut self, stripe: Stripe, now_ms: u64) -> bool {
        let Some(asked) = self.asked.get_mut(&stripe) else {
            return false;
        };
        asked.heard_ms = now_ms;
        !std::mem::replace(&mut asked.works, true)
    }

    /// Stripes of which nothing has come for `silent_ms`, and the chunk from
    /// which each was asked for.
    pub(super) fn silent(
        &self,
        now_ms: u64,
        silent_ms: u64,
    ) -> impl Iterator<Item = (Stripe, Sequence)> {
        self.asked
            .iter()
            .filter(move |(_, asked)| now_ms.saturating_sub(asked.heard_ms) >= silent_ms)
            .filter_map(|(stripe, asked)| Some((*stripe, asked.from?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(stripes: impl IntoIterator<Item = u8>) -> StripeSet {
        stripes.into_iter().map(Stripe).collect()
    }

    #[test]
    fn a_stripe_is_silent_from_the_last_block_or_from_when_it_was_asked_for() {
        let mut flow = Flow::default();
        flow.note_asked(set([0, 1]), Some(Sequence(7)), 1_000);
        let silent = |flow: &Flow, now_ms| {
            let silent = flow.silent(now_ms, 500);
            silent
                .map(|(stripe, from)| (stripe.0, from.0))
                .collect::<Vec<_>>()
        };
        assert_eq!(silent(&flow, 1_499), []);
        assert!(flow.note_block(Stripe(0), 1_200));
        assert!(!flow.note_block(Stripe(0), 1_300), "it works already");
        assert_eq!(silent(&flow, 1_500), [(1, 7)]);
        assert_eq!(silent(&flow, 1_800), [(0, 7), (1, 7)]);
        assert!(!flow.note_block(Stripe(2), 1_800), "nobody asked for it");
    }

    #[test]
    fn who_does_not_know_where_a_stripe_begins_does_not_judge() {
        let mut flow = Flow::default();
        flow.note_asked(set([0]), None, 0);
        assert_eq!(flow.silent(10_000, 500).count(), 0);
    }
}
