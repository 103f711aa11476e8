//! A node's uplink: one token bucket, and who waits for it, as
//! `overlay/link/src/pace.rs` has it. Better standing first, within one
//! standing by arrival; each child waits for one record at a time.

use super::mesh::LinkIx;
use super::node::EdgeIx;
use overlay::TokenBucket;
use std::collections::BTreeMap;
use wire::statement::Priority;

/// See `overlay/link/src/pace.rs`.
const BURST_MS: u64 = 3;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Edge(EdgeIx),
    /// A repair, when nothing of the stream waits.
    Link(LinkIx),
}

/// Who goes before whom: the stream before repairs, better standing first.
type Turn = (bool, Priority);

/// What the uplink does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Nobody,
    /// This one goes now.
    Go(Sender),
    /// The first one goes after so many microseconds.
    Wait(u64),
}

#[derive(Debug)]
pub(super) struct Uplink {
    bucket: TokenBucket,
    waiting: BTreeMap<(Turn, u64), (Sender, u64)>,
    arrivals: u64,
    /// When it is looked after the next time; none if nobody waits.
    pub(super) look_us: Option<u64>,
    pub(super) sent_bytes: u64,
    meter: Meter,
}

impl Uplink {
    pub(super) fn new(rate_bps: u64, now_us: u64) -> Self {
        let burst_bytes = TokenBucket::BURST_BYTES.max(rate_bps / 8 * BURST_MS / 1_000);
        Self {
            bucket: TokenBucket::with_burst(rate_bps, burst_bytes, now_us),
            waiting: BTreeMap::new(),
            arrivals: 0,
            look_us: None,
            sent_bytes: 0,
            meter: Meter::new(rate_bps, burst_bytes, now_us),
        }
    }

    pub(super) const fn rate_bps(&self) -> u64 {
        self.bucket.rate_bps()
    }

    /// Sends at once if nobody waits and the bytes fit; else the sender waits.
    pub(super) fn acquire(
        &mut self,
        sender: Sender,
        priority: Priority,
        bytes: u64,
        now_us: u64,
    ) -> bool {
        if self.waiting.is_empty() && self.bucket.try_take(bytes, now_us) {
            self.note(bytes, now_us);
            return true;
        }
        self.arrivals += 1;
        let turn = (matches!(sender, Sender::Link(_)), priority);
        self.waiting.insert((turn, self.arrivals), (sender, bytes));
        false
    }

    /// Who goes next.
    pub(super) fn next(&mut self, now_us: u64) -> Next {
        let Some(first) = self.waiting.first_entry() else {
            return Next::Nobody;
        };
        let (sender, bytes) = *first.get();
        if !self.bucket.try_take(bytes, now_us) {
            return Next::Wait(self.bucket.wait_us(bytes, now_us).max(1));
        }
        first.remove();
        self.note(bytes, now_us);
        Next::Go(sender)
    }

    /// The sender waits no more.
    pub(super) fn forget(&mut self, sender: Sender) {
        self.waiting.retain(|_, (s, _)| *s != sender);
    }

    /// Control messages, which go at once and are paid for afterwards.
    pub(super) fn charge(&mut self, bytes: u64, now_us: u64) {
        let _ = self.bucket.take(bytes, now_us);
    }

    /// Whether more was ever sent than rate and burst allow.
    pub(super) const fn exceeded(&self) -> bool {
        self.meter.exceeded
    }

    fn note(&mut self, bytes: u64, now_us: u64) {
        self.sent_bytes += bytes;
        self.meter.note(bytes, now_us);
    }
}

/// Measures the same limit in another way: a leaky bucket that overflows if
/// in any window more than rate x time + burst + one record was sent.
#[derive(Debug)]
pub(super) struct Meter {
    rate_bps: u64,
    /// In bits times 10^6.
    level: u128,
    full: u128,
    updated_us: u64,
    pub(super) exceeded: bool,
}

impl Meter {
    pub(super) const fn new(rate_bps: u64, burst_bytes: u64, now_us: u64) -> Self {
        let record = wire::message::group::RECORD_BYTES_MAX as u128;
        Self {
            rate_bps,
            level: 0,
            full: (burst_bytes as u128 + record) * 8_000_000,
            updated_us: now_us,
            exceeded: false,
        }
    }

    pub(super) fn note(&mut self, bytes: u64, now_us: u64) {
        let gone = u128::from(self.rate_bps) * u128::from(now_us.saturating_sub(self.updated_us));
        self.updated_us = now_us;
        self.level = self.level.saturating_sub(gone) + u128::from(bytes) * 8_000_000;
        self.exceeded |= self.level > self.full;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MBIT: u64 = 1_000_000;

    #[test]
    fn better_standing_goes_first_on_a_full_uplink() {
        let mut uplink = Uplink::new(MBIT, 0);
        uplink.charge(100_000, 0);
        for (edge, priority) in [(1, Priority::FreeRider), (2, Priority::OwnSponsor)] {
            let edge = Sender::Edge(EdgeIx(edge));
            assert!(!uplink.acquire(edge, priority, 1_000, 0));
        }
        let link = Sender::Link(LinkIx(1));
        assert!(!uplink.acquire(link, Priority::OwnSponsor, 1_000, 0));
        let Next::Wait(us) = uplink.next(0) else {
            panic!("there is no credit");
        };
        assert_eq!(uplink.next(us), Next::Go(Sender::Edge(EdgeIx(2))));
        uplink.forget(Sender::Edge(EdgeIx(1)));
        assert_eq!(uplink.next(10 * us), Next::Go(link), "repairs are last");
        assert_eq!(uplink.next(10 * us), Next::Nobody);
        assert!(!uplink.exceeded());
    }

    #[test]
    fn the_meter_notices_what_a_broken_bucket_lets_pass() {
        let mut meter = Meter::new(MBIT, 2_000, 0);
        for step in 0..100 {
            meter.note(1_250, step * 10_000);
        }
        assert!(!meter.exceeded, "the rate itself is kept");
        for step in 0..100 {
            meter.note(1_500, 1_000_000 + step * 10_000);
        }
        assert!(meter.exceeded);
    }
}
