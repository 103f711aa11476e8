//! Edges as they are, beside the tree as it is planned: a moved node keeps
//! its old edge until the new one delivers (make before break).

use crate::NodeId;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
struct Link<N> {
    /// The planned parent, and whether the edge works.
    target: Option<(N, bool)>,
    /// The former parent, which still sends.
    old: Option<N>,
}

impl<N> Default for Link<N> {
    fn default() -> Self {
        Self {
            target: None,
            old: None,
        }
    }
}

/// What a new plan for one child asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change<N> {
    /// Parents whose edge ends now.
    pub(super) detach: Vec<N>,
    /// The parent to permit.
    pub(super) attach: Option<N>,
    /// The parent that sends meanwhile.
    pub(super) replaces: Option<N>,
}

#[derive(Debug, Clone)]
pub(super) struct Links<N> {
    links: BTreeMap<N, Link<N>>,
    /// Every edge, old ones included, by parent.
    by_parent: BTreeMap<N, BTreeSet<N>>,
    /// (parent, child) of the old edges.
    old: BTreeSet<(N, N)>,
}

impl<N: NodeId> Links<N> {
    pub(super) fn new() -> Self {
        Self {
            links: BTreeMap::new(),
            by_parent: BTreeMap::new(),
            old: BTreeSet::new(),
        }
    }

    /// Follows the plan for one child.
    pub(super) fn retarget(&mut self, child: N, want: Option<N>) -> Change<N> {
        let mut link = self.links.remove(&child).unwrap_or_default();
        if let Some(old) = link.old {
            self.old.remove(&(old, child));
        }
        let mut change = Change {
            detach: Vec::new(),
            attach: None,
            replaces: None,
        };
        match want {
            Some(parent) if link.target.is_some_and(|(t, _)| t == parent) => {}
            // Back to where it still hangs: the edge works as it is.
            Some(parent) if link.old == Some(parent) => {
                change.detach.extend(link.target.map(|(t, _)| t));
                link.target = Some((parent, true));
                link.old = None;
                change.attach = Some(parent);
            }
            Some(parent) => {
                match link.target {
                    Some((former, true)) => {
                        change.detach.extend(link.old);
                        link.old = Some(former);
                    }
                    // An edge that never worked is no use as an old one.
                    Some((former, false)) => change.detach.push(former),
                    None => {}
                }
                link.target = Some((parent, false));
                change.attach = Some(parent);
                change.replaces = link.old;
            }
            None => {
                change.detach.extend(link.target.map(|(t, _)| t));
                change.detach.extend(link.old);
                link = Link::default();
            }
        }
        for parent in &change.detach {
            self.forget_edge(*parent, child);
        }
        if let Some((parent, _)) = link.target {
            self.by_parent.entry(parent).or_default().insert(child);
        }
        self.old.extend(link.old.map(|parent| (parent, child)));
        if link.target.is_some() || link.old.is_some() {
            self.links.insert(child, link);
        }
        change
    }

    /// The edge works. False if it is not a planned one.
    pub(super) fn up(&mut self, child: N, parent: N) -> bool {
        match self.links.get_mut(&child).and_then(|l| l.target.as_mut()) {
            Some((target, up)) if *target == parent => {
                *up = true;
                true
            }
            _ => false,
        }
    }

    /// The edge is gone. True if it was the planned one.
    pub(super) fn failed(&mut self, child: N, parent: N) -> bool {
        let Some(link) = self.links.get_mut(&child) else {
            return false;
        };
        let planned = link.target.is_some_and(|(t, _)| t == parent);
        if planned {
            link.target = None;
        } else if link.old == Some(parent) {
            link.old = None;
            self.old.remove(&(parent, child));
        } else {
            return false;
        }
        self.forget_edge(parent, child);
        planned
    }

    /// The node is gone: its edges, (parent, child), end.
    pub(super) fn remove(&mut self, node: N) -> Vec<(N, N)> {
        let mut ended = Vec::new();
        for parent in self.retarget(node, None).detach {
            ended.push((parent, node));
        }
        for child in self.by_parent.remove(&node).unwrap_or_default() {
            self.failed(child, node);
            ended.push((node, child));
        }
        ended
    }

    /// Whether the child's planned edge works.
    pub(super) fn is_up(&self, child: N) -> bool {
        self.links
            .get(&child)
            .and_then(|l| l.target)
            .is_some_and(|(_, up)| up)
    }

    /// Whether any child's planned edge from this parent works.
    pub(super) fn feeds_somebody(&self, parent: N) -> bool {
        self.by_parent
            .get(&parent)
            .into_iter()
            .flatten()
            .any(|child| self.is_up(*child) && self.target(*child) == Some(parent))
    }

    fn target(&self, child: N) -> Option<N> {
        self.links
            .get(&child)
            .and_then(|l| l.target)
            .map(|(parent, _)| parent)
    }

    /// Edges that the parent carries, old ones included.
    pub(super) fn carried(&self, parent: N) -> u32 {
        self.by_parent
            .get(&parent)
            .map_or(0, |c| u32::try_from(c.len()).unwrap_or(u32::MAX))
    }

    /// Old edges, (parent, child).
    pub(super) fn old_edges(&self) -> Vec<(N, N)> {
        self.old.iter().copied().collect()
    }

    /// Every edge, (parent, child).
    pub(super) fn edges(&self) -> impl Iterator<Item = (N, N)> + '_ {
        self.by_parent
            .iter()
            .flat_map(|(parent, children)| children.iter().map(|c| (*parent, *c)))
    }

    /// Ends an old edge.
    pub(super) fn end_old(&mut self, parent: N, child: N) {
        if let Some(link) = self.links.get_mut(&child)
            && link.old == Some(parent)
        {
            link.old = None;
            self.old.remove(&(parent, child));
            self.forget_edge(parent, child);
        }
    }

    fn forget_edge(&mut self, parent: N, child: N) {
        if let Some(children) = self.by_parent.get_mut(&parent) {
            children.remove(&child);
            if children.is_empty() {
                self.by_parent.remove(&parent);
            }
        }
    }
}
