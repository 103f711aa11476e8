//! Parents that bring everything, and bring it late (threat D5): the children's
//! receipts say so, and the child is moved.
//!
//! Pure: receipts go in, and who is to be moved comes out.

use std::collections::BTreeMap;
use wire::{SpkiHash, Stripe};

/// Moves of one child in a row that mend nothing: then its own clock or line
/// is what is late, and it stays where it is until something comes in time.
const MOVES_MAX: u32 = 2;

/// What one child's receipts say of one stripe.
#[derive(Debug)]
struct Child {
    parent: SpkiHash,
    /// Late receipts of this parent in a row.
    late: u32,
    /// Moves since something came in time.
    moves: u32,
}

impl Child {
    /// Whether it is itself late, and not merely says so for ever.
    const fn is_late(&self) -> bool {
        self.late > 0 && self.moves < MOVES_MAX
    }
}

/// Who gets the stream late, of whom.
#[derive(Debug)]
pub(super) struct Lateness {
    receipts_max: u32,
    children: BTreeMap<(SpkiHash, Stripe), Child>,
}

impl Lateness {
    /// Moves a child after so many late receipts in a row.
    pub(super) const fn new(receipts_max: u32) -> Self {
        Self {
            receipts_max,
            children: BTreeMap::new(),
        }
    }

    /// A verified receipt of `child` about `parent` in this stripe: how many chunks came in
    /// time, and how many late. Tells whether the child is to be moved.
    ///
    /// A receipt is late if most of its chunks are. A parent that is late
    /// itself is not left for it: its own edge has to be mended.
    pub(super) fn note(
        &mut self,
        (child, stripe): (SpkiHash, Stripe),
        parent: SpkiHash,
        in_time: usize,
        late: usize,
    ) -> bool {
        let above = self.children.get(&(parent, stripe));
        let excused = above.is_some_and(Child::is_late);
        let entry = self.children.entry((child, stripe)).or_insert(Child {
            parent,
            late: 0,
            moves: 0,
        });
        if entry.parent != parent {
            (entry.parent, entry.late) = (parent, 0);
        }
        if late <= in_time {
            (entry.late, entry.moves) = (0, 0);
            return false;
        }
        entry.late = entry.late.saturating_add(1);
        let moves = entry.late >= self.receipts_max && entry.moves < MOVES_MAX && !excused;
        if moves {
            entry.late = 0;
            entry.moves = entry.moves.saturating_add(1);
        }
        moves
    }

    /// The node is gone.
    pub(super) fn forget(&mut self, node: SpkiHash) {
        self.children.retain(|(child, _), _| *child != node);
    }
}

#[cfg(test)]
mod tests;
