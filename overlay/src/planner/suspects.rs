//! Members that may be dead: a child no longer reaches them, and their own line
//! to the coordinator has not ended yet. What they hold is free soon, so nobody
//! is refused meanwhile.

use super::config::SUSPECT_MS;
use super::forest::Ix;
use std::collections::BTreeMap;

/// Who they are, and until when each is suspected.
#[derive(Debug, Clone, Default)]
pub(super) struct Suspects {
    until_ms: BTreeMap<Ix, u64>,
    /// Of whom it came to nothing, and until when it is not believed again.
    cleared_ms: BTreeMap<Ix, u64>,
}

impl Suspects {
    /// Somebody does not reach it. Said again, it counts from the first time:
    /// nobody can keep others waiting for long.
    pub(super) fn note(&mut self, now_ms: u64, ix: Ix) {
        self.pass(now_ms);
        if !self.cleared_ms.contains_key(&ix) {
            let until_ms = now_ms.saturating_add(SUSPECT_MS);
            self.until_ms.entry(ix).or_insert(until_ms);
        }
    }

    /// Whether somebody does not reach it, and it has not come to nothing.
    pub(super) fn has(&self, ix: Ix) -> bool {
        self.until_ms.contains_key(&ix)
    }

    /// It is gone.
    pub(super) fn forget(&mut self, ix: Ix) {
        self.until_ms.remove(&ix);
        self.cleared_ms.remove(&ix);
    }

    /// Time has passed; true if somebody is still suspected.
    pub(super) fn pass(&mut self, now_ms: u64) -> bool {
        let over = self
            .until_ms
            .extract_if(.., |_, until_ms| *until_ms <= now_ms);
        let over = over.map(|(ix, until_ms)| (ix, until_ms.saturating_add(SUSPECT_MS)));
        self.cleared_ms.extend(over);
        self.cleared_ms.retain(|_, until_ms| now_ms < *until_ms);
        !self.until_ms.is_empty()
    }

    /// When the next one comes to nothing.
    pub(super) fn next_deadline_ms(&self) -> Option<u64> {
        self.until_ms.values().copied().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspicion_ends_and_cannot_be_kept_up() {
        let mut suspects = Suspects::default();
        assert!(!suspects.pass(0));
        suspects.note(100, 7);
        suspects.note(5_000, 7);
        assert_eq!(suspects.next_deadline_ms(), Some(100 + SUSPECT_MS));
        assert!(suspects.pass(99 + SUSPECT_MS));
        assert!(!suspects.pass(100 + SUSPECT_MS));
        suspects.note(101 + SUSPECT_MS, 7);
        assert!(!suspects.pass(102 + SUSPECT_MS), "it was found to be there");
        suspects.note(100 + 2 * SUSPECT_MS, 7);
        assert!(suspects.pass(101 + 2 * SUSPECT_MS), "that is long ago");
        suspects.forget(7);
        assert_eq!(suspects.next_deadline_ms(), None);
    }
}
