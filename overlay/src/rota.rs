//! Taking turns: what everybody is told now and then, a bounded number at a
//! time, so that a large audience costs no more a second than that.

use crate::NodeId;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Whose turn it was last.
#[derive(Debug, Clone)]
pub struct Rota<N> {
    last: Option<N>,
}

impl<N> Default for Rota<N> {
    fn default() -> Self {
        Self { last: None }
    }
}

impl<N: NodeId> Rota<N> {
    /// The next of `all` whose turn it is, `most` of them: everybody if there
    /// are no more. Who comes or goes meanwhile changes nobody else's turn.
    pub fn take<V>(&mut self, all: &BTreeMap<N, V>, most: usize) -> Vec<N> {
        let from = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let later = all.range((from, Bound::Unbounded));
        let around = later.chain(all.range(..));
        let turns: Vec<N> = around
            .map(|(node, _)| *node)
            .take(most.min(all.len()))
            .collect();
        self.last = turns.last().copied();
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(count: u32) -> BTreeMap<u32, ()> {
        (0..count).map(|node| (node, ())).collect()
    }

    #[test]
    fn a_few_get_all_of_it_and_many_take_turns() {
        let mut rota = Rota::default();
        assert_eq!(rota.take(&all(3), 4).len(), 3);
        let (mut rota, all) = (Rota::default(), all(10));
        assert_eq!(rota.take(&all, 4), [0, 1, 2, 3]);
        assert_eq!(rota.take(&all, 4), [4, 5, 6, 7]);
        assert_eq!(rota.take(&all, 4), [8, 9, 0, 1]);
        let nobody: BTreeMap<u32, ()> = BTreeMap::new();
        assert!(rota.take(&nobody, 4).is_empty());
    }

    #[test]
    fn who_goes_changes_nobody_else_s_turn() {
        let (mut rota, mut all) = (Rota::default(), all(6));
        assert_eq!(rota.take(&all, 2), [0, 1]);
        all.remove(&1);
        all.remove(&2);
        assert_eq!(rota.take(&all, 2), [3, 4]);
    }
}
