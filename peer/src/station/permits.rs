//! What was permitted: one permit for each pair of nodes, for all stripes that
//! the planner gives the child of this parent.

use std::collections::{BTreeMap, BTreeSet};
use wire::statement::Priority;
use wire::{Rendition, SpkiHash, Stripe, StripeSet};

/// Permits in a row that one edge may use up before their time: else a child
/// could drain its parent by asking for everything again and again.
const EARLY_RENEWALS_MAX: u8 = 3;
/// How long after its end a stripe of an edge may be receipted: what its child
/// last got, it reports when it learns of the end.
const RECEIPT_AFTER_MS_MAX: u64 = 10_000;

/// Permits of one life of the station are numbered from its own first number
/// on, far more than it can sign: no number comes twice in a run.
pub(super) fn first_of_life(lives: u32) -> u64 {
    u64::from(lives).saturating_mul(1 << 40)
}

/// A child and its parent.
pub(super) type Pair = (SpkiHash, SpkiHash);

/// What the child may take from the parent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permitted {
    /// The planner's, of the best rendition.
    pub(super) stripes: StripeSet,
    pub(super) priority: Priority,
    /// The ladder's: all stripes of a smaller one instead.
    below: Option<Below>,
    /// When the next one is due, once one was signed.
    due_ms: Option<u64>,
}

/// A smaller rendition, straight from the station.
#[derive(Debug, Clone, Copy)]
struct Below {
    rendition: Rendition,
    stripes: StripeSet,
    /// It goes on until the best one comes from here, too.
    ends: bool,
}

impl Permitted {
    const fn new(priority: Priority, due_ms: Option<u64>) -> Self {
        Self {
            stripes: StripeSet::EMPTY,
            priority,
            below: None,
            due_ms,
        }
    }

    /// What the permit is for: one rendition, and which stripes of it.
    pub(super) fn flow(&self) -> (Rendition, StripeSet) {
        match self.below {
            Some(below) if !below.ends || self.stripes.is_empty() => {
                (below.rendition, below.stripes)
            }
            _ => (Rendition(0), self.stripes),
        }
    }
}

/// What becomes of a pair, once all that the planner wanted is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// A permit is due, for these stripes.
    Permit,
    /// The edge ends.
    End,
}

/// The permits that were signed last.
#[derive(Debug, Default)]
pub(super) struct Permits {
    serial: u64,
    permitted: BTreeMap<Pair, Permitted>,
    /// Pairs whose permit is not the newest word of the planner yet.
    changed: BTreeSet<Pair>,
    /// Renewals in a row because the bytes were spent.
    early: BTreeMap<Pair, u8>,
    /// Stripes of edges that have ended, for [`RECEIPT_AFTER_MS_MAX`].
    ended_ms: BTreeMap<(Pair, Stripe), u64>,
    /// The same of smaller renditions, all stripes of each.
    below_ended_ms: BTreeMap<(Pair, Rendition), u64>,
}

impl Permits {
    /// The permits of this life of the station.
    pub(super) fn of_life(lives: u32) -> Self {
        Self {
            serial: first_of_life(lives),
            ..Self::default()
        }
    }

    /// The child gets this stripe there by a permit of before; what is known
    /// stays as it is.
    pub(super) fn adopt(&mut self, pair: Pair, stripe: Stripe, priority: Priority, now_ms: u64) {
        let permitted = self
            .permitted
            .entry(pair)
            .or_insert(Permitted::new(priority, Some(now_ms)));
        permitted.stripes = permitted.stripes.with(stripe);
    }

    /// The number of the next permit.
    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial = self.serial.saturating_add(1);
        self.serial
    }

    /// The child gets one more stripe there; true if it got none before.
    pub(super) fn attach(&mut self, pair: Pair, stripe: Stripe, priority: Priority) -> bool {
        self.changed.insert(pair);
        let permitted = self
            .permitted
            .entry(pair)
            .or_insert(Permitted::new(priority, None));
        let new = permitted.stripes.is_empty();
        permitted.stripes = permitted.stripes.with(stripe);
        permitted.priority = priority;
        new
    }

    /// The child gets this stripe there no more.
    pub(super) fn detach(&mut self, pair: Pair, stripe: Stripe, now_ms: u64) {
        self.changed.insert(pair);
        if let Some(permitted) = self.permitted.get_mut(&pair) {
            permitted.stripes = permitted.stripes.without(stripe);
        }
        self.ended_ms.retain(|_, at| recent(*at, now_ms));
        self.ended_ms.insert((pair, stripe), now_ms);
    }

    /// What the child has got there of a smaller rendition it may receipt for a
    /// while, see [`RECEIPT_AFTER_MS_MAX`].
    pub(super) fn note_below_over(&mut self, pair: Pair, now_ms: u64) {
        self.below_ended_ms.retain(|_, at| recent(*at, now_ms));
        if let Some(below) = self.permitted.get(&pair).and_then(|p| p.below) {
            self.below_ended_ms.insert((pair, below.rendition), now_ms);
        }
    }

    /// The child gets all of a smaller rendition there, instead of what else it
    /// is given.
    pub(super) fn put_below(
        &mut self,
        pair: Pair,
        (rendition, stripes): (Rendition, StripeSet),
        priority: Priority,
    ) {
        self.changed.insert(pair);
        let new = Permitted::new(priority, None);
        let permitted = self.permitted.entry(pair).or_insert(new);
        permitted.priority = priority;
        permitted.below = Some(Below {
            rendition,
            stripes,
            ends: false,
        });
    }

    /// The child gets a smaller rendition there only until the best one comes.
    pub(super) fn end_below(&mut self, pair: Pair) {
        if let Some(below) = self.permitted.get_mut(&pair).and_then(|p| p.below.as_mut()) {
            below.ends = true;
            self.changed.insert(pair);
        }
    }

    /// The child gets no smaller rendition there any more.
    pub(super) fn no_below(&mut self, pair: Pair) {
        // Of who is gone nothing is known here any more; the link ends, too.
        self.changed.insert(pair);
        if let Some(permitted) = self.permitted.get_mut(&pair) {
            permitted.below = None;
        }
    }

    /// What has changed since the last time: ends first, so that who moves
    /// within one breath is out of the old place before it is in the new one.
    pub(super) fn changes(&mut self) -> Vec<(Pair, Change)> {
        let changed = std::mem::take(&mut self.changed);
        let goes_on = |pair: &Pair| {
            let permitted = self.permitted.get(pair);
            permitted.is_some_and(|p| !p.flow().1.is_empty())
        };
        let (permits, ends): (Vec<Pair>, Vec<Pair>) = changed.into_iter().partition(goes_on);
        for pair in &ends {
            self.permitted.remove(pair);
            self.early.remove(pair);
        }
        let ends = ends.into_iter().map(|pair| (pair, Change::End));
        ends.chain(permits.into_iter().map(|pair| (pair, Change::Permit)))
            .collect()
    }

    /// What is permitted now, signed or about to be.
    pub(super) fn get(&self, pair: Pair) -> Option<Permitted> {
        self.permitted.get(&pair).copied()
    }

    /// Every pair.
    pub(super) fn pairs(&self) -> Vec<Pair> {
        self.permitted.keys().copied().collect()
    }

    /// The pairs that this node is an end of.
    pub(super) fn pairs_of(&self, node: SpkiHash) -> Vec<Pair> {
        let pairs = self.permitted.keys().copied();
        pairs
            .filter(|(child, parent)| *child == node || *parent == node)
            .collect()
    }

    /// The child's standing at this parent from now on.
    pub(super) fn stand(&mut self, pair: Pair, priority: Priority) {
        if let Some(permitted) = self.permitted.get_mut(&pair) {
            permitted.priority = priority;
        }
    }

    /// A permit was signed; the next one is due then.
    pub(super) fn minted(&mut self, pair: Pair, due_ms: u64) {
        if let Some(permitted) = self.permitted.get_mut(&pair) {
            permitted.due_ms = Some(due_ms);
        }
    }

    /// The pairs whose permits are to be renewed; their early renewals are
    /// forgiven.
    pub(super) fn take_due(&mut self, now_ms: u64) -> Vec<Pair> {
        let due = |p: &Permitted| p.due_ms.is_some_and(|due_ms| due_ms <= now_ms);
        let due: Vec<Pair> = self
            .permitted
            .iter()
            .filter(|(_, p)| due(p))
            .map(|(pair, _)| *pair)
            .collect();
        for pair in &due {
            self.early.remove(pair);
        }
        due
    }

    /// Whether an edge that has spent its bytes gets the next permit.
    pub(super) fn may_renew_early(&mut self, pair: Pair) -> bool {
        let renewals = self.early.entry(pair).or_default();
        *renewals = renewals.saturating_add(1);
        *renewals <= EARLY_RENEWALS_MAX
    }

    /// Whether the child has, or had a moment ago, leave to take this stripe
    /// from this parent.
    pub(super) fn fed(
        &self,
        pair: Pair,
        (rendition, stripe): (Rendition, Stripe),
        now_ms: u64,
    ) -> bool {
        let permitted = self.permitted.get(&pair);
        if rendition != Rendition(0) {
            let ended = self.below_ended_ms.get(&(pair, rendition));
            let of = |below: &Below| below.rendition == rendition && below.stripes.has(stripe);
            let given = permitted.filter(|p| p.due_ms.is_some());
            return given.and_then(|p| p.below).is_some_and(|below| of(&below))
                || ended.is_some_and(|at| recent(*at, now_ms));
        }
        let ended = self.ended_ms.get(&(pair, stripe));
        permitted.is_some_and(|p| p.stripes.has(stripe) && p.due_ms.is_some())
            || ended.is_some_and(|at| recent(*at, now_ms))
    }

    /// A node is gone, and all its edges with it.
    pub(super) fn forget(&mut self, node: SpkiHash) {
        let other = |(child, parent): &Pair| *child != node && *parent != node;
        self.permitted.retain(|pair, _| other(pair));
        self.changed.retain(other);
        self.early.retain(|pair, _| other(pair));
    }
}

fn recent(ended_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(ended_ms) < RECEIPT_AFTER_MS_MAX
}

#[cfg(test)]
mod tests {
    use super::super::membership::renewal_after_ms;
    use super::*;

    const PAIR: Pair = (SpkiHash([1; 32]), SpkiHash([2; 32]));
    const TURNED: Pair = (PAIR.1, PAIR.0);
    const ONE: Stripe = Stripe(1);
    const BEST_ONE: (Rendition, Stripe) = (Rendition(0), ONE);

    fn attach(permits: &mut Permits, stripe: u8) -> bool {
        permits.attach(PAIR, Stripe(stripe), Priority::Contributor)
    }

    #[test]
    fn a_stripe_may_be_receipted_until_a_moment_after_its_end() {
        let mut permits = Permits::default();
        assert!(!permits.fed(PAIR, BEST_ONE, 0));
        attach(&mut permits, 1);
        permits.minted(PAIR, 0);
        assert!(permits.fed(PAIR, BEST_ONE, 1_000_000));
        assert!(
            !permits.fed(TURNED, BEST_ONE, 0),
            "the other way round is none"
        );
        assert!(
            !permits.fed(PAIR, (Rendition(0), Stripe(0)), 0),
            "another stripe"
        );
        permits.detach(PAIR, ONE, 1_000_000);
        let last_ms = 1_000_000 + RECEIPT_AFTER_MS_MAX;
        assert!(permits.fed(PAIR, BEST_ONE, last_ms - 1));
        assert!(!permits.fed(PAIR, BEST_ONE, last_ms));
    }

    #[test]
    fn a_smaller_rendition_stays_until_the_best_one_comes_from_there_or_it_is_released() {
        const LOW: Rendition = Rendition(1);
        let all = StripeSet::from(wire::Stripes::new(4, 1).unwrap());
        let mut permits = Permits::default();
        let flow = |permits: &Permits| permits.get(PAIR).map(|p| p.flow());
        permits.put_below(PAIR, (LOW, all), Priority::FreeRider);
        // What the trees plan meanwhile waits.
        attach(&mut permits, 1);
        assert_eq!(flow(&permits), Some((LOW, all)));
        permits.detach(PAIR, ONE, 0);
        assert_eq!(permits.changes(), [(PAIR, Change::Permit)]);
        permits.end_below(PAIR);
        assert_eq!(
            flow(&permits),
            Some((LOW, all)),
            "the best comes from others"
        );
        attach(&mut permits, 1);
        assert_eq!(flow(&permits), Some((Rendition(0), ONE.into())));
        permits.no_below(PAIR);
        permits.detach(PAIR, ONE, 0);
        assert_eq!(permits.changes(), [(PAIR, Change::End)]);
    }

    #[test]
    fn a_smaller_rendition_may_be_receipted_of_who_gives_it_until_a_moment_after_its_end() {
        const LOW: Rendition = Rendition(1);
        let all = StripeSet::from(wire::Stripes::SINGLE);
        let low = (LOW, Stripe(0));
        let mut permits = Permits::default();
        permits.put_below(PAIR, (LOW, all), Priority::FreeRider);
        assert!(!permits.fed(PAIR, low, 0), "no permit was signed yet");
        permits.minted(PAIR, 0);
        assert!(permits.fed(PAIR, low, 1_000_000));
        assert!(!permits.fed(PAIR, (Rendition(2), Stripe(0)), 0), "another");
        assert!(!permits.fed(PAIR, (Rendition(0), Stripe(0)), 0), "the best");
        assert!(!permits.fed(TURNED, low, 0), "the other way round");
        permits.note_below_over(PAIR, 1_000_000);
        permits.no_below(PAIR);
        permits.changes();
        let last_ms = 1_000_000 + RECEIPT_AFTER_MS_MAX;
        assert!(permits.fed(PAIR, low, last_ms - 1));
        assert!(!permits.fed(PAIR, low, last_ms));
    }

    #[test]
    fn who_is_gone_is_sent_no_smaller_rendition() {
        let mut permits = Permits::default();
        let all = StripeSet::from(wire::Stripes::SINGLE);
        permits.put_below(PAIR, (Rendition(1), all), Priority::FreeRider);
        permits.forget(PAIR.0);
        permits.no_below(PAIR);
        assert_eq!(permits.changes(), [(PAIR, Change::End)]);
    }

    #[test]
    fn an_edge_that_spends_its_permits_again_and_again_is_refused_the_next() {
        let mut permits = Permits::default();
        assert!((0..EARLY_RENEWALS_MAX).all(|_| permits.may_renew_early(PAIR)));
        assert!(!permits.may_renew_early(PAIR));
        assert!(permits.may_renew_early(TURNED), "another edge");
        permits.forget(PAIR.0);
        assert!(permits.may_renew_early(PAIR), "another membership");
    }

    #[test]
    fn a_crowd_that_came_at_once_is_not_renewed_at_once() {
        const LIFE_MS: u64 = 240_000;
        let mut permits = Permits::default();
        for n in 0u16..1_000 {
            let [a, b] = n.to_be_bytes();
            let pair = (SpkiHash([a; 32]), SpkiHash([b; 32]));
            permits.attach(pair, ONE, Priority::FreeRider);
            // Every throw of the dice is as likely as the next.
            let dice = n.wrapping_mul(65);
            permits.minted(pair, renewal_after_ms(LIFE_MS, dice));
        }
        let mut most = 0;
        let mut renewed = 0;
        for now_ms in (0..LIFE_MS).step_by(1_000) {
            let due = permits.take_due(now_ms);
            for pair in &due {
                permits.minted(*pair, now_ms + LIFE_MS);
            }
            assert!(due.is_empty() || (LIFE_MS / 2..=LIFE_MS * 2 / 3).contains(&now_ms));
            most = most.max(due.len());
            renewed += due.len();
        }
        assert_eq!(renewed, 1_000);
        assert!(most <= 40, "{most} in one second");
    }

    #[test]
    fn what_the_planner_wants_of_a_pair_becomes_one_permit_or_one_end() {
        let mut permits = Permits::default();
        assert!(attach(&mut permits, 0));
        assert!(!attach(&mut permits, 3), "the edge is there");
        assert_eq!(permits.changes(), [(PAIR, Change::Permit)]);
        assert_eq!(permits.changes(), []);
        permits.detach(PAIR, Stripe(0), 0);
        assert_eq!(permits.changes(), [(PAIR, Change::Permit)]);
        assert_eq!(permits.get(PAIR).map(|p| p.stripes), Some(Stripe(3).into()));
        permits.detach(PAIR, Stripe(3), 0);
        attach(&mut permits, 2);
        assert_eq!(permits.changes(), [(PAIR, Change::Permit)], "it goes on");
        permits.detach(PAIR, Stripe(2), 0);
        permits.attach(TURNED, Stripe(2), Priority::Contributor);
        let both = [(PAIR, Change::End), (TURNED, Change::Permit)];
        assert_eq!(permits.changes(), both);
        assert_eq!(permits.pairs(), [TURNED]);
    }
}
