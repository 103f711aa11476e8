//! Who is to blame when a whole branch goes silent: every node below a gap
//! notices it, and only the topmost one should move.
//!
//! A child's report waits for a moment. If by then its parent, or any node
//! above, has reported a gap of its own, the child keeps its parent.

use super::node::Id;
use std::collections::BTreeMap;

/// How long a report says something about who is below.
const FRESH_MS: u64 = 1_000;

/// Reports of silence, by stripe and child.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    reported_ms: BTreeMap<(u8, Id), u64>,
}

impl Suspicion {
    /// The child says that nothing comes.
    pub(super) fn report(&mut self, now_ms: u64, stripe: u8, child: Id) {
        self.reported_ms.insert((stripe, child), now_ms);
    }

    /// The child has a new parent, or is gone.
    pub(super) fn forget(&mut self, stripe: u8, child: Id) {
        self.reported_ms.remove(&(stripe, child));
    }

    /// Whether somebody on the way from `parent` up has reported, too.
    pub(super) fn is_above(
        &self,
        now_ms: u64,
        stripe: u8,
        parent: Id,
        parent_of: impl Fn(Id) -> Option<Id>,
    ) -> bool {
        let mut at = Some(parent);
        while let Some(node) = at {
            let reported = self.reported_ms.get(&(stripe, node));
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

    #[test]
    fn only_the_topmost_of_a_silent_branch_is_believed() {
        // 1 feeds 2, which feeds 3.
        let parent_of = |node: Id| (node > 1).then(|| node - 1);
        let mut suspicion = Suspicion::default();
        suspicion.report(0, 0, 3);
        assert!(!suspicion.is_above(100, 0, 2, parent_of), "nobody else");
        suspicion.report(50, 0, 2);
        assert!(suspicion.is_above(100, 0, 2, parent_of));
        assert!(
            !suspicion.is_above(100, 0, 1, parent_of),
            "2 is the topmost"
        );
        assert!(!suspicion.is_above(100, 1, 2, parent_of), "another stripe");
        assert!(!suspicion.is_above(2_000, 0, 2, parent_of), "long ago");
        suspicion.forget(0, 2);
        assert!(!suspicion.is_above(100, 0, 2, parent_of));
    }
}
