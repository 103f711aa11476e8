//! Who is to blame when a whole branch goes silent: every node below a gap
//! notices it, and only the topmost one should move.
//!
//! A child's report waits for a moment. If by then its parent, or any node
//! above, has reported a gap of its own, the child keeps its parent.

use crate::NodeId;
use std::collections::{BTreeMap, VecDeque};
use wire::Stripe;

/// How long a report waits for one from above, in milliseconds: what those
/// above notice at the same time takes no longer to come.
pub const BLAME_MS: u64 = 150;
/// How long a report says something about who is below.
const FRESH_MS: u64 = 1_000;
/// Reports that wait; more are believed at once.
const WAITING_MAX: usize = 4_096;

/// A child's word that nothing of a stripe comes from its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<N> {
    /// Who says so.
    pub child: N,
    /// Of whom.
    pub parent: N,
    /// Of what.
    pub stripe: Stripe,
}

/// Reports of silence.
#[derive(Debug, Clone)]
pub struct Suspicion<N> {
    reported_ms: BTreeMap<(u8, N), u64>,
    waiting: VecDeque<(u64, Report<N>)>,
}

impl<N: NodeId> Default for Suspicion<N> {
    fn default() -> Self {
        Self {
            reported_ms: BTreeMap::new(),
            waiting: VecDeque::new(),
        }
    }
}

impl<N: NodeId> Suspicion<N> {
    /// A child says that nothing comes.
    pub fn report(&mut self, now_ms: u64, report: Report<N>) {
        let by = (report.stripe.0, report.child);
        self.reported_ms.insert(by, now_ms);
        let full = self.waiting.len() >= WAITING_MAX;
        let due_ms = if full {
            now_ms
        } else {
            now_ms.saturating_add(BLAME_MS)
        };
        self.waiting.push_back((due_ms, report));
    }

    /// The next report that has waited for long enough.
    pub fn poll_due(&mut self, now_ms: u64) -> Option<Report<N>> {
        if self.waiting.is_empty() {
            let fresh = |at: &u64| now_ms.saturating_sub(*at) <= FRESH_MS;
            self.reported_ms.retain(|_, at| fresh(at));
        }
        let (_, report) = self.waiting.pop_front_if(|(due_ms, _)| *due_ms <= now_ms)?;
        Some(report)
    }

    /// The child has a new parent, or is gone.
    pub fn forget(&mut self, stripe: Stripe, child: N) {
        self.reported_ms.remove(&(stripe.0, child));
    }

    /// Whether somebody on the way up has reported, too, the parent first.
    #[must_use]
    pub fn is_above(
        &self,
        now_ms: u64,
        report: Report<N>,
        parent_of: impl Fn(N) -> Option<N>,
    ) -> bool {
        let mut at = Some(report.parent);
        while let Some(node) = at {
            let reported = self.reported_ms.get(&(report.stripe.0, node));
            if reported.is_some_and(|ms| now_ms.saturating_sub(*ms) <= FRESH_MS) {
                return true;
            }
            at = parent_of(node);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(child: u32, parent: u32) -> Report<u32> {
        Report {
            child,
            parent,
            stripe: Stripe(0),
        }
    }

    #[test]
    fn only_the_topmost_of_a_silent_branch_is_believed() {
        // 1 feeds 2, which feeds 3.
        let parent_of = |node: u32| (node > 1).then(|| node - 1);
        let mut suspicion = Suspicion::default();
        suspicion.report(0, report(3, 2));
        let is_above = |s: &Suspicion<u32>, now_ms, report| s.is_above(now_ms, report, parent_of);
        assert!(!is_above(&suspicion, 100, report(3, 2)), "nobody else");
        suspicion.report(50, report(2, 1));
        assert!(is_above(&suspicion, 100, report(3, 2)));
        assert!(!is_above(&suspicion, 100, report(2, 1)), "2 is the topmost");
        let stripe = Stripe(1);
        let other = Report {
            stripe,
            ..report(3, 2)
        };
        assert!(!is_above(&suspicion, 100, other), "another stripe");
        assert!(!is_above(&suspicion, 2_000, report(3, 2)), "long ago");
        suspicion.forget(Stripe(0), 2);
        assert!(!is_above(&suspicion, 100, report(3, 2)));
    }

    #[test]
    fn reports_wait_for_those_from_above_and_are_bounded() {
        let mut suspicion = Suspicion::default();
        suspicion.report(0, report(3, 2));
        suspicion.report(50, report(2, 1));
        assert_eq!(suspicion.poll_due(BLAME_MS - 1), None);
        assert_eq!(suspicion.poll_due(BLAME_MS), Some(report(3, 2)));
        assert_eq!(suspicion.poll_due(BLAME_MS), None);
        assert_eq!(suspicion.poll_due(BLAME_MS + 50), Some(report(2, 1)));
        assert_eq!(suspicion.poll_due(5_000), None);
        assert!(suspicion.reported_ms.is_empty(), "what is old is forgotten");
    }
}
