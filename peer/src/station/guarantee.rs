//! Who misses nothing when any one node but the station dies: told to each
//! viewer about himself, and counted for the broadcaster.

use super::coordinator::Coordinator;
use serde_json::json;
use std::collections::BTreeMap;
use wire::SpkiHash;
use wire::message::control::Down;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Guarantees {
    told: BTreeMap<SpkiHash, bool>,
    /// Viewers who miss nothing, and all.
    counted: (u32, u32),
}

impl Guarantees {
    /// Viewers who miss nothing when any one node dies.
    pub(super) const fn sure(&self) -> u32 {
        self.counted.0
    }

    /// Whoever is on a new line has been told nothing there.
    pub(super) fn forget(&mut self, node: SpkiHash) {
        self.told.remove(&node);
    }

    /// Takes note of what holds now; who has to be told.
    fn update(&mut self, now: &[(SpkiHash, bool)]) -> Vec<(SpkiHash, bool)> {
        let news = |(node, sure): &&(SpkiHash, bool)| self.told.get(node) != Some(sure);
        let news = now.iter().filter(news).copied().collect();
        self.told = now.iter().copied().collect();
        news
    }
}

impl Coordinator {
    /// Tells everybody whose case has changed, and the broadcaster how many
    /// they are.
    pub(super) fn tell_guarantees(&mut self) {
        let now = self.planner.guarantees();
        for (node, sure) in self.guarantees.update(&now) {
            self.say(node, Down::Guarantee(sure));
        }
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let sure = now.iter().filter(|(_, sure)| *sure).count();
        let counted = (count(sure), count(now.len()));
        if counted != self.guarantees.counted {
            self.guarantees.counted = counted;
            let fields = json!({"viewers_guaranteed": counted.0, "viewers": counted.1});
            self.emit.tell("guarantee", fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SpkiHash = SpkiHash([1; 32]);
    const TWO: SpkiHash = SpkiHash([2; 32]);

    #[test]
    fn each_is_told_once_and_again_on_a_new_line() {
        let mut guarantees = Guarantees::default();
        assert_eq!(guarantees.update(&[(ONE, true)]), [(ONE, true)]);
        assert_eq!(
            guarantees.update(&[(ONE, true), (TWO, false)]),
            [(TWO, false)]
        );
        let turned = [(ONE, false), (TWO, false)];
        assert_eq!(guarantees.update(&turned), [(ONE, false)]);
        guarantees.forget(TWO);
        assert_eq!(guarantees.update(&turned), [(TWO, false)]);
        assert_eq!(guarantees.update(&[]), []);
        assert_eq!(guarantees.update(&[(ONE, false)]), [(ONE, false)]);
    }
}
