//! Who is to blame when a whole branch goes silent: every node below a gap
//! notices it, and only the topmost one should move.
//!
//! A child's report waits for a moment. If by then its parent, or any node
//! above, has reported a gap of its own, the child keeps its parent; but not
//! for long, since who withholds could say so, too, and starve its children
//! (threat D6).

use crate::NodeId;
use std::collections::{BTreeMap, VecDeque};
use wire::Stripe;

/// How long a report waits for one from above, in milliseconds: what those
/// above notice at the same time takes no longer to come.
pub const BLAME_MS: u64 = 150;
/// How long a report says something about who is below.
const FRESH_MS: u64 = 1_000;
/// How long those above may excuse a parent, in milliseconds: by a child's second
/// report whoever is above has had its repair.
const EXCUSE_MS_MAX: u64 = 1_500;
/// Reports that are further apart have nothing to do with each other.
const PAUSE_MS: u64 = 3_000;
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

/// What a child has said of one parent.
#[derive(Debug, Clone, Copy)]
struct Said<N> {
    parent: N,
    first_ms: u64,
    last_ms: u64,
}

/// Reports of silence.
#[derive(Debug, Clone)]
pub struct Suspicion<N> {
    excuse_ms_max: u64,
    said: BTreeMap<(u8, N), Said<N>>,
    waiting: VecDeque<(u64, Report<N>)>,
}

impl<N: NodeId> Default for Suspicion<N> {
    fn default() -> Self {
        Self::excusing_ms(EXCUSE_MS_MAX)
    }
}

impl<N: NodeId> Suspicion<N> {
    /// Those above excuse a parent for so long, in milliseconds.
    const fn excusing_ms(excuse_ms_max: u64) -> Self {
        Self {
            excuse_ms_max,
            said: BTreeMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// A child says that nothing comes.
    pub fn report(&mut self, now_ms: u64, report: Report<N>) {
        let before = self.said.get(&(report.stripe.0, report.child));
        let goes_on = |said: &&Said<N>| {
            said.parent == report.parent && now_ms.saturating_sub(said.last_ms) <= PAUSE_MS
        };
        let said = Said {
            parent: report.parent,
            first_ms: before.filter(goes_on).map_or(now_ms, |said| said.first_ms),
            last_ms: now_ms,
        };
        self.said.insert((report.stripe.0, report.child), said);
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
            let goes_on = |said: &Said<N>| now_ms.saturating_sub(said.last_ms) <= PAUSE_MS;
            self.said.retain(|_, said| goes_on(said));
        }
        let (_, report) = self.waiting.pop_front_if(|(due_ms, _)| *due_ms <= now_ms)?;
        Some(report)
    }

    /// The child has a new parent, or is gone.
    pub fn forget(&mut self, stripe: Stripe, child: N) {
        self.said.remove(&(stripe.0, child));
    }

    /// Whether somebody on the way up has reported, too, the parent first, and
    /// the child has not said so for too long.
    #[must_use]
    pub fn is_above(
        &self,
        now_ms: u64,
        report: Report<N>,
        parent_of: impl Fn(N) -> Option<N>,
    ) -> bool {
        let said = |node: N| self.said.get(&(report.stripe.0, node));
        let since_ms = |said: &Said<N>| now_ms.saturating_sub(said.first_ms);
        if said(report.child).is_some_and(|said| since_ms(said) >= self.excuse_ms_max) {
            return false;
        }
        let mut at = Some(report.parent);
        while let Some(node) = at {
            let fresh = |said: &Said<N>| now_ms.saturating_sub(said.last_ms) <= FRESH_MS;
            if said(node).is_some_and(fresh) {
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
        assert!(suspicion.said.is_empty(), "what is old is forgotten");
    }

    /// 2 withholds from 3, and says all the time that 1 does it. When 3 is
    /// believed, as it reports every two seconds.
    fn believed_at_ms(excuse_ms_max: u64) -> Option<u64> {
        let parent_of = |node: u32| (node > 1).then(|| node - 1);
        let mut suspicion = Suspicion::excusing_ms(excuse_ms_max);
        for now_ms in (0..60_000).step_by(50) {
            if now_ms % 500 == 0 {
                suspicion.report(now_ms, report(2, 1));
            }
            if now_ms % 2_000 == 0 {
                suspicion.report(now_ms, report(3, 2));
            }
            while let Some(due) = suspicion.poll_due(now_ms) {
                if due.child == 3 && !suspicion.is_above(now_ms, due, parent_of) {
                    return Some(now_ms);
                }
            }
        }
        None
    }

    #[test]
    fn who_withholds_and_blames_others_is_left_at_the_second_report() {
        assert_eq!(believed_at_ms(EXCUSE_MS_MAX), Some(2_000 + BLAME_MS));
    }

    #[test]
    fn without_a_bound_on_excuses_its_children_starve() {
        assert_eq!(believed_at_ms(u64::MAX), None);
    }
}
