//! How many children a node may have: a claim is the ceiling, receipts are
//! the floor (design, "Cheating").

use crate::NodeId;
use std::collections::{BTreeMap, VecDeque};
use wire::Stripes;

/// Slots that nobody has to prove: enough to show what one can do.
pub const UNPROVEN_SLOTS: u32 = 4;
/// In-time blocks per thousand due from which a node may double.
pub const IN_TIME_PERMILLE_MIN: u64 = 990;
/// Growth while blocks are in time: doubling reaches any honest capacity in
/// a few windows, and bounds what a lie can take at once.
pub const GROWTH: u64 = 2;
/// Time over which receipts are added up: several receipt intervals, so that
/// one late bundle does not move anybody.
pub const WINDOW_MS: u64 = 30_000;
/// What is receipted in less time than this is spread over it: several receipt
/// intervals, since a short burst proves little.
pub const BURST_MS: u64 = 5_000;
/// Summaries kept per node; a window of one-second receipts from a hundred
/// children is more, and is thinned by merging into the newest.
const SUMMARIES_MAX: usize = 256;

/// Slots of a node that claims `claim_bps` and was receipted `proven_bps`:
/// `min(claim, max(4, g x proven))`, in units of the stream's rate.
/// `in_time` says whether g is 2 or 1.
#[must_use]
pub fn slots(claim_bps: u64, proven_bps: u64, in_time: bool, stream_bps: u64) -> u32 {
    units(claim_bps, proven_bps, in_time, (stream_bps, UNPROVEN_SLOTS))
}

fn units(claim_bps: u64, proven_bps: u64, in_time: bool, (unit_bps, unproven): (u64, u32)) -> u32 {
    let Some(claimed) = claim_bps.checked_div(unit_bps) else {
        return 0;
    };
    let growth = if in_time { GROWTH } else { 1 };
    // To the nearest: receipts of n children never add up to exactly n.
    let proven = proven_bps
        .saturating_mul(growth)
        .saturating_add(unit_bps / 2)
        / unit_bps;
    let units = claimed.min(proven.max(u64::from(unproven)));
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// Edges of a node, by the same rule: `edge_bps` is the rate of one stripe of
/// `stripes`, and what nobody has to prove are whole slots of k+m edges.
#[must_use]
pub fn edges(
    claim_bps: u64,
    proven_bps: u64,
    in_time: bool,
    (edge_bps, stripes): (u64, Stripes),
) -> u32 {
    let unproven = UNPROVEN_SLOTS.saturating_mul(stripes.count().into());
    units(claim_bps, proven_bps, in_time, (edge_bps, unproven))
}

/// What a node's slots rest on.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClaimCheck(Basis);

#[derive(Debug, Clone, Copy, Default)]
enum Basis {
    /// What receipts prove, up to the claim.
    #[default]
    Proven,
    #[cfg(feature = "ablation")]
    Claimed,
}

impl ClaimCheck {
    /// Whatever the node says of itself.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_believing() -> Self {
        let _ = certs::ablation::marker();
        Self(Basis::Claimed)
    }

    /// What counts as proven, in bit/s.
    fn proven_bps(self, receipted_bps: u64) -> u64 {
        match self.0 {
            Basis::Proven => receipted_bps,
            #[cfg(feature = "ablation")]
            Basis::Claimed => u64::MAX / 4,
        }
    }
}

/// What one verified receipt says about a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Block bytes that came.
    pub bytes: u64,
    /// Blocks (or chunks, as long as it is always the same) that were due.
    pub due: u64,
    /// Of these, those that came in time.
    pub in_time: u64,
}

impl Summary {
    /// What was seen of one part in `one_in`, taken for all of it.
    #[must_use]
    pub const fn scaled(self, one_in: u64) -> Self {
        Self {
            bytes: self.bytes.saturating_mul(one_in),
            due: self.due.saturating_mul(one_in),
            in_time: self.in_time.saturating_mul(one_in),
        }
    }
}

/// The times over which receipts are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// What is older counts no more.
    pub window_ms: u64,
    /// What came in less time is spread over it.
    pub burst_ms: u64,
}

impl Default for Span {
    fn default() -> Self {
        Self {
            window_ms: WINDOW_MS,
            burst_ms: BURST_MS,
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Account {
    claim_bps: u64,
    /// The class's rate of a relay.
    ceiling_bps: Option<u64>,
    summaries: VecDeque<(u64, Summary)>,
}

/// Claims and receipts of all nodes. Time is any monotonic clock.
#[derive(Debug, Clone)]
pub struct Ledger<N> {
    claims: ClaimCheck,
    span: Span,
    accounts: BTreeMap<N, Account>,
}

impl<N> Default for Ledger<N> {
    fn default() -> Self {
        Self {
            claims: ClaimCheck::default(),
            span: Span::default(),
            accounts: BTreeMap::new(),
        }
    }
}

impl<N: NodeId> Ledger<N> {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one, with this check of claims.
    #[must_use]
    pub fn checking(claims: ClaimCheck) -> Self {
        Self {
            claims,
            ..Self::default()
        }
    }

    /// Receipts are added up over so long, where few are heard and each has
    /// to speak for more time.
    pub fn add_up_over(&mut self, span: Span) {
        self.span = span;
    }

    /// How long they are added up over.
    #[must_use]
    pub const fn span(&self) -> Span {
        self.span
    }

    /// The edges that the node claims, whatever is proven.
    #[must_use]
    pub fn claimed_edges(&self, node: N, edge_bps: u64) -> u32 {
        let edges = self.claim_bps(node).checked_div(edge_bps).unwrap_or(0);
        u32::try_from(edges).unwrap_or(u32::MAX)
    }

    /// The node's verified claim, in bit/s, and for a relay its class's rate,
    /// which bounds it.
    pub fn claim(&mut self, node: N, claim_bps: u64, ceiling_bps: Option<u64>) {
        let account = self.accounts.entry(node).or_default();
        account.claim_bps = claim_bps;
        account.ceiling_bps = ceiling_bps;
    }

    /// A verified receipt about `parent`; one without a claim is ignored.
    pub fn receipt(&mut self, now_ms: u64, parent: N, summary: Summary) {
        let Some(account) = self.accounts.get_mut(&parent) else {
            return;
        };
        account.expire(now_ms, self.span.window_ms);
        if account.summaries.len() >= SUMMARIES_MAX
            && let Some((_, newest)) = account.summaries.back_mut()
        {
            newest.bytes = newest.bytes.saturating_add(summary.bytes);
            newest.due = newest.due.saturating_add(summary.due);
            newest.in_time = newest.in_time.saturating_add(summary.in_time);
            return;
        }
        account.summaries.push_back((now_ms, summary));
    }

    /// The node is gone.
    pub fn forget(&mut self, node: N) {
        self.accounts.remove(&node);
    }

    /// What is proven, in bit/s over the window, or since the first receipt in
    /// it if that is less; at least over [`Span::burst_ms`].
    #[must_use]
    pub fn proven_bps(&self, now_ms: u64, node: N) -> u64 {
        self.accounts
            .get(&node)
            .map_or(0, |account| account.proven_bps(now_ms, self.span))
    }

    /// Of what was due in the last [`WINDOW_MS`], the part that came in time,
    /// per thousand; all of it while nothing was due.
    #[must_use]
    pub fn in_time_permille(&self, now_ms: u64, node: N) -> u64 {
        self.accounts
            .get(&node)
            .map_or(1_000, |account| account.in_time_permille(now_ms, self.span))
    }

    /// Claimed rate in bit/s, bounded by the class.
    #[must_use]
    pub fn claim_bps(&self, node: N) -> u64 {
        self.accounts.get(&node).map_or(0, Account::bounded_bps)
    }

    /// The node's slots now; 0 without a claim.
    #[must_use]
    pub fn slots(&self, now_ms: u64, node: N, stream_bps: u64) -> u32 {
        self.accounts.get(&node).map_or(0, |account| {
            let proven_bps = self
                .claims
                .proven_bps(account.proven_bps(now_ms, self.span));
            let in_time = account.in_time(now_ms, self.span);
            slots(account.bounded_bps(), proven_bps, in_time, stream_bps)
        })
    }
}

impl<N: NodeId> Ledger<N> {
    /// The node's edges now; 0 without a claim.
    #[must_use]
    pub fn edges(&self, now_ms: u64, node: N, edge_bps: u64, stripes: Stripes) -> u32 {
        self.accounts.get(&node).map_or(0, |account| {
            let proven_bps = self
                .claims
                .proven_bps(account.proven_bps(now_ms, self.span));
            let in_time = account.in_time(now_ms, self.span);
            let claim_bps = account.bounded_bps();
            edges(claim_bps, proven_bps, in_time, (edge_bps, stripes))
        })
    }
}

impl Account {
    fn bounded_bps(&self) -> u64 {
        self.claim_bps.min(self.ceiling_bps.unwrap_or(u64::MAX))
    }

    fn expire(&mut self, now_ms: u64, window_ms: u64) {
        while let Some((at_ms, _)) = self.summaries.front()
            && now_ms.saturating_sub(*at_ms) > window_ms
        {
            self.summaries.pop_front();
        }
    }

    fn recent(&self, now_ms: u64, window_ms: u64) -> impl Iterator<Item = &Summary> {
        self.summaries
            .iter()
            .filter(move |(at_ms, _)| now_ms.saturating_sub(*at_ms) <= window_ms)
            .map(|(_, summary)| summary)
    }

    /// The rate since the first receipt of the window: who has just begun to
    /// serve must not wait for a whole window, or a crowd would have to buy
    /// relays that it does not need.
    fn proven_bps(&self, now_ms: u64, span: Span) -> u64 {
        let bytes = self
            .recent(now_ms, span.window_ms)
            .fold(0u64, |sum, s| sum.saturating_add(s.bytes));
        let first_ms = self
            .summaries
            .iter()
            .map(|(at_ms, _)| now_ms.saturating_sub(*at_ms))
            .find(|age_ms| *age_ms <= span.window_ms);
        let age_ms = first_ms.unwrap_or(0).min(span.window_ms);
        let over_ms = age_ms.max(span.burst_ms).max(1);
        bytes.saturating_mul(8).saturating_mul(1_000) / over_ms
    }

    fn in_time(&self, now_ms: u64, span: Span) -> bool {
        self.in_time_permille(now_ms, span) >= IN_TIME_PERMILLE_MIN
    }

    fn in_time_permille(&self, now_ms: u64, span: Span) -> u64 {
        let recent = self.recent(now_ms, span.window_ms);
        let (due, in_time) = recent.fold((0u64, 0u64), |(due, ok), s| {
            (due.saturating_add(s.due), ok.saturating_add(s.in_time))
        });
        let permille = in_time.saturating_mul(1_000).checked_div(due);
        permille.map_or(1_000, |permille| permille.min(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM_BPS: u64 = 2_000_000;

    fn serve(ledger: &mut Ledger<u32>, children: u64, in_time: u64, from_ms: u64) {
        for second in 0..30 {
            for _ in 0..children {
                let summary = Summary {
                    bytes: STREAM_BPS / 8,
                    due: 1_000,
                    in_time,
                };
                ledger.receipt(from_ms + second * 1_000, 1, summary);
            }
        }
    }

    #[test]
    fn a_claim_alone_is_worth_four_slots() {
        let mut ledger = Ledger::new();
        ledger.claim(1, 100 * STREAM_BPS, None);
        assert_eq!(ledger.slots(0, 1, STREAM_BPS), 4);
        ledger.claim(1, 2 * STREAM_BPS, None);
        assert_eq!(ledger.slots(0, 1, STREAM_BPS), 2);
        assert_eq!(ledger.slots(0, 2, STREAM_BPS), 0);
    }

    #[test]
    fn receipts_in_time_double_the_slots_up_to_the_class() {
        let mut ledger = Ledger::new();
        ledger.claim(1, 100 * STREAM_BPS, Some(15 * STREAM_BPS));
        serve(&mut ledger, 4, 990, 0);
        assert_eq!(ledger.slots(29_500, 1, STREAM_BPS), 8);
        serve(&mut ledger, 8, 1_000, 60_000);
        assert_eq!(ledger.slots(89_500, 1, STREAM_BPS), 15);
    }

    #[test]
    fn who_begins_to_serve_is_believed_after_some_receipts() {
        let mut ledger = Ledger::new();
        ledger.claim(1, 100 * STREAM_BPS, None);
        let summary = Summary {
            bytes: STREAM_BPS / 8,
            due: 1_000,
            in_time: 1_000,
        };
        for second in 0..6u64 {
            for _ in 0..4 {
                ledger.receipt(second * 1_000, 1, summary);
            }
            let expected = if second < 3 {
                4
            } else {
                4 * (second + 1) * 2 / 5
            };
            let slots = ledger.slots(second * 1_000, 1, STREAM_BPS);
            assert!(
                u64::from(slots).abs_diff(expected) <= 1,
                "{second}: {slots}"
            );
        }
    }

    #[test]
    fn late_blocks_end_the_growth_and_silence_ends_the_proof() {
        let mut ledger = Ledger::new();
        ledger.claim(1, 100 * STREAM_BPS, None);
        serve(&mut ledger, 8, 989, 0);
        assert_eq!(ledger.slots(29_500, 1, STREAM_BPS), 8);
        assert_eq!(ledger.slots(80_000, 1, STREAM_BPS), 4);
    }

    #[test]
    fn sampled_receipts_prove_what_all_of_them_would_at_every_moment() {
        const ONE_IN: u64 = 8;
        const CHILDREN: u64 = 40;
        let mut ledger = Ledger::new();
        ledger.claim(1, 1_000 * STREAM_BPS, None);
        let period_ms = ONE_IN * 5_000;
        ledger.add_up_over(Span {
            window_ms: period_ms,
            burst_ms: period_ms,
        });
        // Each child speaks of five seconds in forty, at its own turn.
        let five_s = Summary {
            bytes: 5 * STREAM_BPS / 8,
            due: 25,
            in_time: 25,
        };
        for second in 0..400 {
            let turn = second / 5 % ONE_IN;
            let speaks = |child: &u64| second % 5 == 0 && child % ONE_IN == turn;
            for _ in (0..CHILDREN).filter(speaks) {
                ledger.receipt(second * 1_000, 1, five_s.scaled(ONE_IN));
            }
            if second >= 40 {
                let proven = ledger.proven_bps(second * 1_000 + 1, 1) / STREAM_BPS;
                assert_eq!(proven, CHILDREN, "after {second} s");
                assert_eq!(ledger.slots(second * 1_000 + 1, 1, STREAM_BPS), 80);
            }
        }
    }

    #[test]
    fn many_receipts_do_not_grow_the_ledger() {
        let mut ledger = Ledger::new();
        ledger.claim(1, u64::MAX, None);
        for _ in 0..10_000 {
            ledger.receipt(1, 1, Summary::default());
        }
        let kept = ledger.accounts.get(&1).map(|a| a.summaries.len());
        assert_eq!(kept, Some(SUMMARIES_MAX));
        assert_eq!(slots(u64::MAX, u64::MAX, true, 0), 0);
    }
}
