//! Whom a relay obeys; who may challenge, and how often: a quote costs a TPM
//! milliseconds.

use attest::live::Rate;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wire::SpkiHash;

/// Whose commands a relay obeys. A value that a relay is started with, so
/// that a test can show what it is good for (threat A8).
#[derive(Debug, Clone, Copy, Default)]
pub struct Commanders(Obeyed);

#[derive(Debug, Clone, Copy, Default)]
enum Obeyed {
    #[default]
    Holder,
    #[cfg(feature = "ablation")]
    Anyone,
}

impl Commanders {
    /// Whoever reaches the relay.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_anyone() -> Self {
        let _ = certs::ablation::marker();
        Self(Obeyed::Anyone)
    }

    pub(crate) fn obeys(self, peer: SpkiHash, holder: SpkiHash) -> bool {
        match self.0 {
            Obeyed::Holder => peer == holder,
            #[cfg(feature = "ablation")]
            Obeyed::Anyone => true,
        }
    }
}

/// Challengers remembered: more than any relay has children. When the table
/// is full, those that say nothing any more go; if all of them still count,
/// a stranger waits until the relay is less busy.
const CHALLENGERS_MAX: usize = 4_096;

/// The accounts of all challengers.
#[derive(Debug, Default)]
pub(crate) struct Challengers {
    accounts: Mutex<BTreeMap<SpkiHash, Rate>>,
}

impl Challengers {
    /// Whether `peer` may challenge now; [`Challengers::end`] must follow.
    pub(crate) fn begin(&self, peer: SpkiHash, now_ms: u64) -> bool {
        let mut accounts = self.lock();
        if accounts.len() >= CHALLENGERS_MAX && !accounts.contains_key(&peer) {
            accounts.retain(|_, account| !account.is_idle(now_ms));
            if accounts.len() >= CHALLENGERS_MAX {
                return false;
            }
        }
        accounts.entry(peer).or_default().begin(now_ms).is_ok()
    }

    /// The challenge was answered, or will not be.
    pub(crate) fn end(&self, peer: SpkiHash) {
        if let Some(account) = self.lock().get_mut(&peer) {
            account.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SpkiHash, Rate>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attest::live::RATE_WINDOW_MS;

    #[test]
    fn one_challengers_storm_does_not_touch_another() {
        let all = Challengers::default();
        let (storm, calm) = (SpkiHash([1; 32]), SpkiHash([2; 32]));
        assert!(all.begin(storm, 0));
        assert!(!all.begin(storm, 0), "one outstanding at a time");
        assert!(all.begin(calm, 0));
        all.end(storm);
        assert!(all.begin(storm, 1));
    }

    #[test]
    fn who_comes_after_thousands_of_others_is_answered_once_they_are_quiet() {
        let all = Challengers::default();
        let name = |number: usize| {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&(number as u64).to_be_bytes());
            SpkiHash(name)
        };
        for number in 0..CHALLENGERS_MAX {
            assert!(all.begin(name(number), 0));
        }
        let late = name(CHALLENGERS_MAX);
        assert!(!all.begin(late, RATE_WINDOW_MS), "all are outstanding");
        for number in 1..CHALLENGERS_MAX {
            all.end(name(number));
        }
        assert!(!all.begin(late, RATE_WINDOW_MS - 1), "all still count");
        assert!(all.begin(late, RATE_WINDOW_MS));
        let left = all.lock().len();
        assert_eq!(left, 2, "who is outstanding, and who has come");
    }
}
