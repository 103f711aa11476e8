//! Links: delay by region and access line, jitter, and loss as the time that
//! sending again costs, since QUIC delivers everything in the end.

use super::rng::{Purpose, Rng};
use super::scenario::Links;

/// Bytes of media in one packet.
const PACKET_BYTES: u64 = 1_200;
/// Jitter, as a part of the one-way delay.
const JITTER_PERCENT: u64 = 20;
/// A lost packet is noticed after 9/8 of a round trip (RFC 9002 section 6.1.2).
const LOSS_DETECTION_EIGHTHS: u64 = 9;

/// Where a node is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) region: usize,
    /// One way over the node's own line.
    pub(super) access_us: u64,
}

#[derive(Debug)]
pub(super) struct Network {
    links: Links,
    rng: Rng,
}

impl Network {
    pub(super) fn new(links: &Links, seed: u64) -> Self {
        Self {
            links: links.clone(),
            rng: Rng::new(seed, Purpose::Network),
        }
    }

    /// One way from one place to another, without jitter.
    pub(super) fn one_way_us(&self, a: Place, b: Place) -> u64 {
        let row = self.links.delay_ms.get(a.region);
        let between_ms = row.and_then(|row| row.get(b.region)).copied().unwrap_or(0);
        between_ms * 1_000 + a.access_us + b.access_us
    }

    /// How long so many bytes are under way after they were sent.
    pub(super) fn delay_us(&mut self, a: Place, b: Place, bytes: u64) -> u64 {
        let one_way_us = self.one_way_us(a, b);
        let jitter_us = self.rng.below(one_way_us * JITTER_PERCENT / 100 + 1);
        let packets = bytes.div_ceil(PACKET_BYTES);
        let lost = self.rng.ppm(packets.saturating_mul(self.links.loss_ppm));
        let again_us = if lost {
            2 * one_way_us * LOSS_DETECTION_EIGHTHS / 8
        } else {
            0
        };
        one_way_us + jitter_us + again_us
    }
}
