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

/// Events to come.
#[derive(Debug)]
pub(super) struct Queue<E> {
    heap: BinaryHeap<Reverse<Planned<E>>>,
    serial: u64,
    now_us: u64,
}

impl<E> Queue<E> {
    pub(super) const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
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
        self.heap.push(Reverse(Planned {
            at_us: at_us.max(self.now_us),
            serial: self.serial,
            event,
        }));
    }

    /// Plans an event in `in_us` microseconds.
    pub(super) fn after(&mut self, in_us: u64, event: E) {
        self.at(self.now_us.saturating_add(in_us), event);
    }

    /// The next event that is not after `until_us`.
    pub(super) fn next(&mut self, until_us: u64) -> Option<E> {
        if self.heap.peek()?.0.at_us > until_us {
            return None;
        }
        let planned = self.heap.pop()?.0;
        self.now_us = planned.at_us;
        Some(planned.event)
    }
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
}
