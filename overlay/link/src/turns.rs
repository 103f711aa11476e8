//! Challenges that two ends exchange, counted over all links between them: a
//! relay allows one at a time and a few per span for each key, whichever link
//! they come on.

use attest::live::CHALLENGES_MAX;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use tokio::sync::{Mutex, OwnedMutexGuard};
use wire::SpkiHash;

/// The challenges of this end to one other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<VecDeque<u64>>>);

/// One challenge under way; others wait until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _alone: OwnedMutexGuard<VecDeque<u64>>,
}

impl Turns {
    /// Waits until no other challenge is under way; this one begins then, at
    /// the monotonic time that `now_ms` tells.
    pub(crate) async fn begin(&self, now_ms: impl FnOnce() -> u64) -> Turn {
        let mut begun = self.0.clone().lock_owned().await;
        begun.push_back(now_ms());
        while begun.len() > CHALLENGES_MAX {
            begun.pop_front();
        }
        Turn { _alone: begun }
    }

    /// When one more challenge is within the limit of [`CHALLENGES_MAX`] per
    /// `window_ms`, in monotonic milliseconds; 0 for now.
    pub(crate) async fn free_ms(&self, window_ms: u64) -> u64 {
        let begun = self.0.lock().await;
        match begun.front() {
            Some(oldest_ms) if begun.len() >= CHALLENGES_MAX => oldest_ms.saturating_add(window_ms),
            _ => 0,
        }
    }
}

/// The turns of one endpoint, for as long as a link uses them.
#[derive(Debug, Default)]
pub(crate) struct AllTurns(StdMutex<BTreeMap<SpkiHash, Weak<Mutex<VecDeque<u64>>>>>);

impl AllTurns {
    /// Those with `peer`.
    pub(crate) fn with(&self, peer: SpkiHash) -> Turns {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, turns| turns.strong_count() > 0);
        if let Some(turns) = all.get(&peer).and_then(Weak::upgrade) {
            return Turns(turns);
        }
        let turns = Turns::default();
        all.insert(peer, Arc::downgrade(&turns.0));
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_links_to_one_relay_share_its_limit_and_others_have_their_own() {
        let all = AllTurns::default();
        let (control, edge) = (all.with(SpkiHash([1; 32])), all.with(SpkiHash([1; 32])));
        let other = all.with(SpkiHash([2; 32]));
        for at_ms in [10, 20] {
            drop(control.begin(|| at_ms).await);
        }
        assert_eq!(edge.free_ms(35_000).await, 0);
        drop(edge.begin(|| 30).await);
        assert_eq!(control.free_ms(35_000).await, 35_010);
        assert_eq!(other.free_ms(35_000).await, 0);
    }

    #[tokio::test]
    async fn one_challenge_is_under_way_at_a_time() {
        let all = AllTurns::default();
        let (control, edge) = (all.with(SpkiHash([1; 32])), all.with(SpkiHash([1; 32])));
        let turn = control.begin(|| 0).await;
        let waiting = edge.begin(|| 1);
        tokio::pin!(waiting);
        let soon = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, &mut waiting).await.is_err());
        drop(turn);
        assert!(tokio::time::timeout(soon, &mut waiting).await.is_ok());
    }
}
