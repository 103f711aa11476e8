//! How a viewer leaves: with the last chunk played, for who watches to the
//! end, or with the newest one, for who is called away. Neither loses the tail
//! of what was sent.

use super::control::{End, Session};
use serde_json::json;
use wire::Sequence;
use wire::message::control::{Empty, Up};

/// How long a viewer that was told to go still plays on, and serves children
/// that have no other parent yet.
const QUIT_MS_MAX: u64 = 2_000;

/// What a viewer still waits for before it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Leaving {
    /// It watches.
    #[default]
    No,
    /// It has the last chunk, and its children may not have it yet. The
    /// station ends this wait, and so does the loss of the line to it.
    AfterChildren,
    /// It was told to go: first to this chunk, but not longer than until then.
    At { head: Sequence, until_ms: u64 },
}

impl Leaving {
    /// Whether the time has come.
    fn is_due(self, next: Option<Sequence>, children: u32, now_ms: u64) -> bool {
        match self {
            Self::No => false,
            Self::AfterChildren => children == 0,
            Self::At { head, until_ms } => {
                let played = next.is_none_or(|next| next > head);
                (played && children == 0) || now_ms >= until_ms
            }
        }
    }
}

impl Session {
    /// The user wants to go: plays on to the newest chunk that is known to be
    /// published, and until the station has handed the children over. Told
    /// again, or after the stream's end, at once.
    pub(super) fn quit(&mut self) -> Option<End> {
        let head = self.playout.report.head();
        match (self.leaving, head) {
            (Leaving::No, Some(head)) => {
                let until_ms = self.clock.mono_ms().saturating_add(QUIT_MS_MAX);
                self.leaving = Leaving::At { head, until_ms };
                let _ = self.up.send(Up::Leaving(Empty {}));
                None
            }
            _ => Some(End::Done),
        }
    }

    /// Looks, after each step of the session, whether it is over.
    pub(super) fn may_leave(&mut self) -> bool {
        if self.leaving == Leaving::No {
            if !self.playout.has_ended() {
                return false;
            }
            self.leaving = Leaving::AfterChildren;
            self.emit.tell("stream_ended", json!({}));
        }
        let children = self.node.load().children;
        self.leaving
            .is_due(self.playout.next(), children, self.clock.mono_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_to_go_plays_to_the_head_or_for_two_seconds() {
        let leaving = Leaving::At {
            head: Sequence(7),
            until_ms: 2_000,
        };
        for (next, now_ms, due) in [
            (Some(7), 0, false),
            (Some(8), 0, true),
            (Some(1), 1_999, false),
            (Some(1), 2_000, true),
            (None, 0, true),
        ] {
            let next = next.map(Sequence);
            assert_eq!(leaving.is_due(next, 0, now_ms), due, "{next:?} {now_ms}");
        }
    }

    #[test]
    fn who_is_told_to_go_waits_for_its_children_to_be_handed_over() {
        let leaving = Leaving::At {
            head: Sequence(7),
            until_ms: 2_000,
        };
        let played = Some(Sequence(8));
        assert!(!leaving.is_due(played, 1, 1_999));
        assert!(leaving.is_due(played, 0, 1_999));
        assert!(leaving.is_due(played, 1, 2_000), "they had their time");
    }

    #[test]
    fn who_has_the_last_chunk_stays_for_its_children() {
        assert!(!Leaving::AfterChildren.is_due(Some(Sequence(8)), 1, u64::MAX));
        assert!(Leaving::AfterChildren.is_due(Some(Sequence(8)), 0, 0));
        assert!(!Leaving::No.is_due(None, 0, u64::MAX));
    }
}
