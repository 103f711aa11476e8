//! What happens next, in virtual time: by time, and at one time in the order
//! in which it was planned, so that a replay is exact.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

#[derive(Debug, Clone)]
struct Planned<E> {
    at_us: u64,
    serial: u64,
    event: E,
}

impl<E> PartialEq for Planned<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<E> Eq for Planned<E> {}
impl<E> PartialOrd for Planned<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> Ord for Planned<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at_us, self.serial).cmp(&(other.at_us, other.serial))
    }
}

/// Width of a slot, as a power of two of microseconds: 1,024.
const SLOT_BITS: u32 = 10;
/// Slots ahead: about eight seconds.
const SLOTS: u64 = 8_192;

/// Events to come. Those of the slot of time that is now are in a small heap;
/// those of the slots ahead lie unordered until their time has come, which
/// nearly all of them do; the rest is far.
#[derive(Debug)]
pub(super) struct Queue<E> {
    now: BinaryHeap<Reverse<Planned<E>>>,
    /// The slot that is now; later ones are at their number modulo [`SLOTS`].
    slot: u64,
    ahead: Vec<Vec<Planned<E>>>,
    /// Events in `ahead`.
    waiting: usize,
    far: BinaryHeap<Reverse<Planned<E>>>,
    serial: u64,
    now_us: u64,
}

impl<E> Queue<E> {
    pub(super) fn new() -> Self {
        Self {
            now: BinaryHeap::new(),
            slot: 0,
            ahead: (0..SLOTS).map(|_| Vec::new()).collect(),
            waiting: 0,
            far: BinaryHeap::new(),
            serial: 0,
            now_us: 0,
        }
    }

    /// The time of the event that was taken last, in microseconds.
    pub(super) const fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Plans an event; what is late happens now.
    pub(super) fn at(&mut self, at_us: u64, event: E) {
        self.serial += 1;
        self.place(Planned {
            at_us: at_us.max(self.now_us),
            serial: self.serial,
            event,
        });
    }

    fn place(&mut self, planned: Planned<E>) {
        let slot = planned.at_us >> SLOT_BITS;
        if slot <= self.slot {
            self.now.push(Reverse(planned));
        } else if slot - self.slot < SLOTS
            && let Some(ahead) = self.ahead.get_mut(place_of(slot))
        {
            ahead.push(planned);
            self.waiting += 1;
        } else {
            self.far.push(Reverse(planned));
        }
    }

    /// Plans an event in `in_us` microseconds.
    pub(super) fn after(&mut self, in_us: u64, event: E) {
        self.at(self.now_us.saturating_add(in_us), event);
    }

    /// The next event that is not after `until_us`.
    pub(super) fn next(&mut self, until_us: u64) -> Option<E> {
        while self.now.is_empty() {
            self.advance()?;
        }
        if self.now.peek()?.0.at_us > until_us {
            return None;
        }
        let planned = self.now.pop()?.0;
        self.now_us = planned.at_us;
        Some(planned.event)
    }

    /// Goes to the next slot; none if nothing is planned any more.
    fn advance(&mut self) -> Option<()> {
        if self.waiting == 0 {
            self.slot = self.far.peek()?.0.at_us >> SLOT_BITS;
        } else {
            self.slot += 1;
        }
        if let Some(ahead) = self.ahead.get_mut(place_of(self.slot)) {
            self.waiting -= ahead.len();
            self.now.extend(ahead.drain(..).map(Reverse));
        }
        let is_now = |p: &Reverse<Planned<E>>| p.0.at_us >> SLOT_BITS <= self.slot;
        while self.far.peek().is_some_and(is_now) {
            self.now.extend(self.far.pop());
        }
        Some(())
    }
}

fn place_of(slot: u64) -> usize {
    usize::try_from(slot % SLOTS).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_as_they_were_planned() {
        let mut queue = Queue::new();
        for (at_us, name) in [(5, "c"), (1, "a"), (5, "d"), (1, "b"), (9, "late")] {
            queue.at(at_us, name);
        }
        let taken: Vec<_> = std::iter::from_fn(|| queue.next(5)).collect();
        assert_eq!(taken, ["a", "b", "c", "d"]);
        assert_eq!(queue.now_us(), 5);
        queue.at(0, "overdue");
        assert_eq!(queue.next(5), Some("overdue"));
        assert_eq!(queue.now_us(), 5, "time does not go back");
    }

    #[test]
    fn events_far_ahead_come_in_their_order_too() {
        let mut queue = Queue::new();
        let mut expected = Vec::new();
        let mut lot = 1u64;
        for n in 0..2_000u64 {
            lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at_us = (lot >> 33) % 30_000_000;
            queue.at(at_us, (at_us, n));
            expected.push((at_us, n));
        }
        expected.sort_unstable();
        let mut taken = Vec::new();
        while let Some(event) = queue.next(u64::MAX) {
            taken.push(event);
            if taken.len() == 1_000 {
                let (now_us, n) = (queue.now_us(), 2_000);
                for in_us in [0, 1, 9_000_000] {
                    queue.after(in_us, (now_us + in_us, n));
                    expected.push((now_us + in_us, n));
                }
            }
        }
        expected.sort_unstable();
        assert_eq!(taken, expected);
    }
}
