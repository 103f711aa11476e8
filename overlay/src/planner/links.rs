//! Edges as they are, beside the trees as they are planned: a moved node keeps
//! its old edge of a stripe until the new one delivers (make before break).

use super::forest::{Ix, NONE};
use std::collections::{BTreeMap, BTreeSet};

/// The planned edge works.
const UP: u32 = 1 << 31;
const NOBODY: u32 = UP - 1;

/// What a new plan for one child in one stripe asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Parents whose edge ends now.
    pub(super) detach: Vec<Ix>,
    /// The parent to permit.
    pub(super) attach: Option<Ix>,
    /// The parent that sends meanwhile.
    pub(super) replaces: Option<Ix>,
}

#[derive(Debug, Clone)]
pub(super) struct Links {
    stripes: usize,
    /// By child, then stripe: the permitted parent, and whether it works.
    targets: Vec<u32>,
    /// By stripe, then child: the former parent, which still sends.
    old: Vec<BTreeMap<Ix, Ix>>,
    /// (parent, child, stripe) of the old edges.
    old_by_parent: BTreeSet<(Ix, Ix, u8)>,
}

impl Links {
    pub(super) fn new(stripes: u8) -> Self {
        Self {
            stripes: usize::from(stripes),
            targets: Vec::new(),
            old: vec![BTreeMap::new(); usize::from(stripes)],
            old_by_parent: BTreeSet::new(),
        }
    }

    /// Makes room for a node.
    pub(super) fn grow(&mut self, node: Ix) {
        let len = (node as usize + 1).saturating_mul(self.stripes);
        if self.targets.len() < len {
            self.targets.resize(len, NOBODY);
        }
    }

    /// Follows the plan for one child.
    pub(super) fn retarget(&mut self, child: Ix, s: u8, want: Option<Ix>) -> Change {
        let target = self.target(child, s);
        let old = self.old_of(child, s);
        let mut change = Change::default();
        match want {
            Some(parent) if target == Some(parent) => {}
            // Back to where it still hangs: the edge works as it is.
            Some(parent) if old == Some(parent) => {
                change.detach.extend(target);
                self.end_old(child, s);
                self.set(child, s, parent | UP);
                change.attach = Some(parent);
            }
            Some(parent) => {
                match target {
                    Some(former) if self.is_up(child, s) => {
                        change.detach.extend(self.end_old(child, s));
                        self.keep_old(child, s, former);
                    }
                    // An edge that never worked is no use as an old one.
                    Some(former) => change.detach.push(former),
                    None => {}
                }
                self.set(child, s, parent);
                change.attach = Some(parent);
                change.replaces = self.old_of(child, s);
            }
            None => {
                change.detach.extend(target);
                change.detach.extend(self.end_old(child, s));
                self.set(child, s, NOBODY);
            }
        }
        change
    }

    /// The edge works. False if it is not a planned one.
    pub(super) fn up(&mut self, child: Ix, s: u8, parent: Ix) -> bool {
        let planned = self.target(child, s) == Some(parent);
        if planned {
            self.set(child, s, parent | UP);
        }
        planned
    }

    /// The edge was there before it was planned here, and works.
    pub(super) fn adopt(&mut self, child: Ix, s: u8, parent: Ix) {
        self.set(child, s, parent | UP);
    }

    /// The planned edge is gone.
    pub(super) fn drop_target(&mut self, child: Ix, s: u8) {
        self.set(child, s, NOBODY);
    }

    /// Whether the child's planned edge works.
    pub(super) fn is_up(&self, child: Ix, s: u8) -> bool {
        self.raw(child, s) & UP != 0
    }

    /// The permitted parent.
    pub(super) fn target(&self, child: Ix, s: u8) -> Option<Ix> {
        let parent = self.raw(child, s) & !UP;
        (parent != NOBODY).then_some(parent)
    }

    pub(super) fn old_of(&self, child: Ix, s: u8) -> Option<Ix> {
        self.olds(s)?.get(&child).copied()
    }

    fn keep_old(&mut self, child: Ix, s: u8, former: Ix) {
        if let Some(old) = self.old.get_mut(usize::from(s)) {
            old.insert(child, former);
            self.old_by_parent.insert((former, child, s));
        }
    }

    /// Old edges, (child, stripe), that this parent still feeds.
    pub(super) fn old_from(&self, parent: Ix) -> Vec<(Ix, u8)> {
        self.old_by_parent
            .range((parent, 0, 0)..=(parent, NONE, u8::MAX))
            .map(|(_, child, s)| (*child, *s))
            .collect()
    }

    /// Old edges of one stripe, by child.
    pub(super) fn olds(&self, s: u8) -> Option<&BTreeMap<Ix, Ix>> {
        self.old.get(usize::from(s))
    }

    /// Ends an old edge; its parent, if there was one.
    pub(super) fn end_old(&mut self, child: Ix, s: u8) -> Option<Ix> {
        let parent = self.old.get_mut(usize::from(s))?.remove(&child)?;
        self.old_by_parent.remove(&(parent, child, s));
        Some(parent)
    }

    fn raw(&self, child: Ix, s: u8) -> u32 {
        let at = (child as usize)
            .saturating_mul(self.stripes)
            .saturating_add(usize::from(s));
        self.targets.get(at).copied().unwrap_or(NOBODY)
    }

    fn set(&mut self, child: Ix, s: u8, target: u32) {
        let at = (child as usize)
            .saturating_mul(self.stripes)
            .saturating_add(usize::from(s));
        if let Some(slot) = self.targets.get_mut(at) {
            *slot = target;
        }
    }
}
