//! A child that says that a stripe is silent waits for a moment: if somebody
//! above says the same, he moves, and it goes on with its parent.

use super::coordinator::Coordinator;
use overlay::suspicion::Report;

impl Coordinator {
    /// Blames the parents of those whose reports have waited, unless the gap is
    /// further up: then the planner knows who above has no excuse.
    pub(super) fn blame(&mut self) {
        let now_ms = self.clock.mono_ms();
        while let Some(report) = self.suspicion.poll_due(now_ms) {
            let Report {
                child,
                parent,
                stripe,
            } = report;
            let at = usize::from(stripe.0);
            let parent_of = |node| {
                let parents = self.planner.node(node)?.parents;
                parents.get(at).copied().flatten()
            };
            let above = self.suspicion.is_above(now_ms, report, parent_of);
            if !above {
                self.planner.withheld(now_ms, child, parent, stripe);
            }
        }
    }
}
