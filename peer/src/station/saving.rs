//! When a run is saved while it goes on.

use super::coordinator::Coordinator;
use serde_json::json;

/// Of its time the coordinator saves for one part in so many: writing out a
/// large audience takes a moment, in which nobody is heard.
const SHARE: u64 = 20;

/// How saving goes.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// That nothing could be saved was told.
    told: bool,
    /// Not before this is it the turn of saving again.
    after_ms: u64,
}

impl Saving {
    const fn is_due(&self, now_ms: u64) -> bool {
        now_ms >= self.after_ms
    }

    /// It was saved, from then till then.
    const fn note(&mut self, began_ms: u64, ended_ms: u64) {
        let took_ms = ended_ms.saturating_sub(began_ms);
        self.after_ms = ended_ms.saturating_add(took_ms.saturating_mul(SHARE - 1));
    }
}

impl Coordinator {
    /// Saves the run if it is time for that.
    pub(super) fn save_in_turn(&mut self) {
        let began_ms = self.clock.mono_ms();
        if self.saving.is_due(began_ms) {
            self.save();
            self.saving.note(began_ms, self.clock.mono_ms());
        }
    }

    /// Saves the run as it is now, if it has changed.
    pub(super) fn save(&mut self) {
        let Some(mut store) = self.store.take() else {
            return;
        };
        let saved = self.snapshot().and_then(|saved| store.save(&saved));
        self.store = Some(store);
        if let Err(e) = saved {
            if !std::mem::replace(&mut self.saving.told, true) {
                self.emit
                    .tell("run_not_saved", json!({"reason": e.reason()}));
                self.notice(page::Level::Error, e.to_string());
            }
        } else {
            self.saving.told = false;
        }
    }

    /// The run has ended: nothing of it can be taken up.
    pub(super) fn end_saved(&mut self) {
        if let Some(Err(e)) = self.store.take().map(|mut store| store.end()) {
            self.emit.say(&e.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_long_to_save_waits_long_for_the_next_time() {
        let mut saving = Saving::default();
        assert!(saving.is_due(0));
        saving.note(1_000, 1_000);
        assert!(saving.is_due(1_000), "it took no time");
        saving.note(2_000, 2_300);
        assert!(!saving.is_due(2_300 + 5_699));
        assert!(saving.is_due(2_300 + 5_700), "300 ms of 6 s");
    }
}
