//! Which free edges bring one node as many stripes as possible at once, when
//! so few are free that it matters who takes which.

use super::forest::Ix;

/// Parents for one node, by stripe.
#[derive(Debug)]
pub(super) struct Matching<'a> {
    /// By stripe, who could feed it, and how many edges he has free.
    offers: &'a [Vec<(Ix, u32)>],
    parents: Vec<Option<Ix>>,
}

impl<'a> Matching<'a> {
    /// The greatest matching, by augmenting paths (Kuhn, 1955).
    pub(super) fn new(offers: &'a [Vec<(Ix, u32)>]) -> Self {
        let mut matching = Self {
            offers,
            parents: vec![None; offers.len()],
        };
        for s in 0..offers.len() {
            matching.augment(s, &mut Vec::new());
        }
        matching
    }

    pub(super) fn len(&self) -> u32 {
        let found = self.parents.iter().flatten().count();
        u32::try_from(found).unwrap_or(u32::MAX)
    }

    pub(super) fn parents(self) -> Vec<Option<Ix>> {
        self.parents
    }

    fn augment(&mut self, s: usize, seen: &mut Vec<Ix>) -> bool {
        let offers: &'a [Vec<(Ix, u32)>] = self.offers;
        for (parent, free) in offers.get(s).into_iter().flatten() {
            if seen.contains(parent) {
                continue;
            }
            seen.push(*parent);
            let holders: Vec<usize> = (0..self.parents.len())
                .filter(|t| self.parents.get(*t) == Some(&Some(*parent)))
                .collect();
            let room = holders.len() < *free as usize;
            if room || holders.into_iter().any(|t| self.augment(t, seen)) {
                if let Some(slot) = self.parents.get_mut(s) {
                    *slot = Some(*parent);
                }
                return true;
            }
        }
        false
    }
}
