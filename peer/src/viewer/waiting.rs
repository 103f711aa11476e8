//! A viewer who waits for a place tells how far relays would be from him.

use super::control::Session;
use wire::Minor;
use wire::message::control::Up;
use wire::message::lines::Regions;

/// Without a place in all trees for so long a viewer waits: those that are free
/// take less.
const WAITS_MS: u64 = 500;
/// Regions do not move: who waits again measures again after so long.
const AGAIN_MS: u64 = 10 * 60_000;

/// How long a viewer has been waiting.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    since_ms: Option<u64>,
    looked_ms: Option<u64>,
}

impl Waiting {
    /// Whether it is time to look how far relays would be.
    pub(super) fn note(&mut self, now_ms: u64, placed: bool) -> bool {
        if placed {
            self.since_ms = None;
            return false;
        }
        let since_ms = *self.since_ms.get_or_insert(now_ms);
        let waits = now_ms.saturating_sub(since_ms) >= WAITS_MS;
        let rests = |ms: u64| now_ms.saturating_sub(ms) < AGAIN_MS;
        if !waits || self.looked_ms.is_some_and(rests) {
            return false;
        }
        self.looked_ms = Some(now_ms);
        true
    }
}

impl Session {
    pub(super) fn note_waiting(&mut self, now_ms: u64) {
        // Whose picture is a smaller one waits, too.
        let best = self.playout.rendition().is_none_or(|r| r.0 == 0);
        let stripes = usize::from(self.membership.run.stripes.count());
        let placed = best && self.parents.len() >= stripes;
        if self.waiting.note(now_ms, placed) {
            self.sponsor.look_around();
        }
    }

    /// The desk's regions were measured.
    pub(super) fn tell_regions(&self, regions: Regions) {
        if self.membership.link.minor >= Minor::LINES {
            let _ = self.up.send(Up::Regions(regions));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_looks_around_once_in_a_while() {
        let mut waiting = Waiting::default();
        assert!(!waiting.note(0, false), "a free place takes a moment");
        assert!(waiting.note(WAITS_MS, false));
        assert!(
            !waiting.note(WAITS_MS * 4, false),
            "it was measured already"
        );
        assert!(!waiting.note(AGAIN_MS, true));
        assert!(
            !waiting.note(AGAIN_MS * 2, false),
            "it has just begun to wait"
        );
        assert!(waiting.note(AGAIN_MS * 2 + WAITS_MS, false));
    }
}
