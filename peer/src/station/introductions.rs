//! For whom the station dials a relay: an address in an introduction is one
//! member's word, and a station that dials whatever it is told to is a tool
//! against others.

use super::controls::DialCheck;
use std::collections::{BTreeMap, BTreeSet};
use wire::{OrderId, Reason, SpkiHash};

/// Relays that may be introduced upon one grant: the one that was bought, and
/// twice again if the line breaks in between.
const PER_GRANT_MAX: u32 = 3;

/// The introductions of one run.
#[derive(Debug, Default)]
pub(super) struct Introductions {
    /// What is left of a member's grants. A grant that has expired counts: the
    /// relay may have come late, and is paid for.
    left: BTreeMap<SpkiHash, u32>,
    /// Orders whose relays were part of the tree, and who brought them.
    known: BTreeSet<(SpkiHash, OrderId)>,
    /// Members for whom a relay is being verified.
    under_way: BTreeSet<SpkiHash>,
}

impl Introductions {
    /// The member was granted a round.
    pub(super) fn grant(&mut self, member: SpkiHash) {
        self.left.insert(member, PER_GRANT_MAX);
    }

    /// What is left of grants, for saving it.
    pub(super) fn left(&self) -> impl Iterator<Item = (SpkiHash, u32)> + '_ {
        self.left.iter().map(|(member, left)| (*member, *left))
    }

    /// Who brought which order's relay, for saving it.
    pub(super) fn known(&self) -> impl Iterator<Item = (SpkiHash, OrderId)> + '_ {
        self.known.iter().copied()
    }

    /// What was left of a grant when it was saved.
    pub(super) fn restore_grant(&mut self, member: SpkiHash, left: u32) {
        self.left.insert(member, left.min(PER_GRANT_MAX));
    }

    /// Begins an attempt; [`Introductions::end`] must follow.
    ///
    /// # Errors
    /// `permit_missing` without a grant, `rate_limited` while another attempt
    /// of this member goes on.
    pub(super) fn begin(
        &mut self,
        check: DialCheck,
        member: SpkiHash,
        order: OrderId,
    ) -> Result<(), Reason> {
        let known = self.known.contains(&(member, order));
        let left = self.left.get(&member).copied().unwrap_or(0);
        check.of(known || left > 0, self.under_way.contains(&member))?;
        if !known {
            self.left.insert(member, left.saturating_sub(1));
        }
        self.under_way.insert(member);
        Ok(())
    }

    /// The attempt is over.
    pub(super) fn end(&mut self, member: SpkiHash) {
        self.under_way.remove(&member);
    }

    /// The relay of this order is part of the tree.
    pub(super) fn admitted(&mut self, member: SpkiHash, order: OrderId) {
        self.known.insert((member, order));
    }
}

#[cfg(test)]
mod tests;
