//! Which number a member has. Nothing is ever decided by the order in which
//! names lie here, so a table of hashes does, with keys of its own: a member
//! chooses its name.

use super::forest::Ix;
use std::hash::Hash;

#[expect(clippy::disallowed_types, reason = "no order of it decides anything")]
type Table<N> = std::collections::HashMap<N, Ix>;

#[derive(Debug, Clone)]
pub(super) struct Index<N>(Table<N>);

impl<N: Copy + Eq + Ord + Hash> Index<N> {
    pub(super) fn new() -> Self {
        Self(Table::new())
    }

    pub(super) fn get(&self, name: N) -> Option<Ix> {
        self.0.get(&name).copied()
    }

    pub(super) fn insert(&mut self, name: N, ix: Ix) {
        self.0.insert(name, ix);
    }

    pub(super) fn remove(&mut self, name: N) {
        self.0.remove(&name);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Everybody, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = (N, Ix)> + '_ {
        self.0.iter().map(|(name, ix)| (*name, *ix))
    }

    /// Everybody, by name.
    pub(super) fn in_order(&self) -> Vec<(N, Ix)> {
        let mut all: Vec<(N, Ix)> = self.all().collect();
        all.sort_unstable();
        all
    }
}
