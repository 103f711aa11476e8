//! Links whose other end has not yet shown that it may have one (threat E5):
//! a handshake under way, or a key of which nobody knows what it wants. They
//! are bounded, in all and for each address, and have to say soon what they
//! are for.

use crate::controls::HalfOpenCheck;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The name under which a dial is refused that would be one too many.
pub const HALF_OPEN_LIMIT: &str = "half_open_limit";

/// What an endpoint holds for strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HalfOpenLoad {
    /// Links that are half open now.
    pub held: usize,
    /// Dials that were refused as [`HALF_OPEN_LIMIT`], in all.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Held {
    in_all: usize,
    by_address: BTreeMap<IpAddr, usize>,
    refused: u64,
}

/// The half-open links of one endpoint.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    limits: HalfOpenCheck,
    held: Arc<Mutex<Held>>,
}

impl HalfOpen {
    pub(crate) fn new(limits: HalfOpenCheck) -> Self {
        Self {
            limits,
            held: Arc::default(),
        }
    }

    /// A place for one more link from there; none if that would be too many.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = holder(address);
        let mut held = lock(&self.held);
        let there = held.by_address.get(&address).copied().unwrap_or(0);
        if !self.limits.allows(held.in_all, there) {
            held.refused = held.refused.saturating_add(1);
            // Told at 1, 2, 4, 8: a flood must not fill the log.
            if held.refused.is_power_of_two() {
                tracing::warn!(%address, refused = held.refused, "{HALF_OPEN_LIMIT}");
            }
            return None;
        }
        held.in_all = held.in_all.saturating_add(1);
        held.by_address.insert(address, there.saturating_add(1));
        Some(Place {
            address,
            first_word_ms_max: self.limits.first_word_ms_max(),
            left: AtomicBool::new(false),
            held: self.held.clone(),
        })
    }

    pub(crate) fn load(&self) -> HalfOpenLoad {
        let held = lock(&self.held);
        HalfOpenLoad {
            held: held.in_all,
            refused: held.refused,
        }
    }
}

/// One half-open link; gone when it is dropped, or admitted.
#[derive(Debug)]
pub(crate) struct Place {
    address: IpAddr,
    first_word_ms_max: u64,
    left: AtomicBool,
    held: Arc<Mutex<Held>>,
}

impl Place {
    /// How long the other end may take to say what the link is for, in
    /// milliseconds.
    pub(crate) const fn first_word_ms_max(&self) -> u64 {
        self.first_word_ms_max
    }

    /// The link is no stranger's any more.
    pub(crate) fn leave(&self) {
        if self.left.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut held = lock(&self.held);
        held.in_all = held.in_all.saturating_sub(1);
        if let Some(there) = held.by_address.get_mut(&self.address) {
            *there = there.saturating_sub(1);
            if *there == 0 {
                held.by_address.remove(&self.address);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Whoever has one IPv6 address has the other ones of its /64, too.
fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

fn lock(held: &Mutex<Held>) -> std::sync::MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_has_so_many_places_and_all_have_more() {
        let open = HalfOpen::new(HalfOpenCheck::of(3, 2, 1));
        let first = open.enter(ip("192.0.2.1"));
        let _second = open.enter(ip("192.0.2.1"));
        assert!(open.enter(ip("192.0.2.1")).is_none());
        assert!(open.enter(ip("::ffff:192.0.2.1")).is_none(), "the same");
        let other = open.enter(ip("192.0.2.2"));
        assert!(other.is_some());
        assert!(open.enter(ip("192.0.2.3")).is_none(), "all are taken");
        assert_eq!(
            open.load(),
            HalfOpenLoad {
                held: 3,
                refused: 3
            }
        );
        drop(first);
        assert!(open.enter(ip("192.0.2.3")).is_some());
    }

    #[test]
    fn who_is_admitted_leaves_its_place_once() {
        let open = HalfOpen::new(HalfOpenCheck::of(9, 9, 1));
        let (one, other) = (open.enter(ip("::1")), open.enter(ip("::1")));
        let one = one.expect("a place");
        one.leave();
        one.leave();
        drop(one);
        assert_eq!(open.load().held, 1);
        drop(other);
        assert_eq!(open.load(), HalfOpenLoad::default());
        assert!(lock(&open.held).by_address.is_empty());
    }

    #[test]
    fn an_ipv6_network_is_one_holder() {
        let open = HalfOpen::new(HalfOpenCheck::of(9, 1, 1));
        let _one = open.enter(ip("2001:db8:1:2::3"));
        assert!(open.enter(ip("2001:db8:1:2:ffff::4")).is_none());
        assert!(open.enter(ip("2001:db8:1:3::3")).is_some());
    }
}
