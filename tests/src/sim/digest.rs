//! One number for a whole run: equal runs have equal digests.

use ring::digest::{Context, SHA256};
use std::fmt::Debug;

/// SHA-256 over everything that was decided and seen.
pub(super) struct Digest(Context);

impl Digest {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Something decided, with its time.
    pub(super) fn decided(&mut self, now_us: u64, what: &impl Debug) {
        self.0.update(&now_us.to_be_bytes());
        self.0.update(format!("{what:?}").as_bytes());
    }

    /// A chunk became complete somewhere.
    pub(super) fn complete(&mut self, now_us: u64, node: u32, sequence: u64) {
        self.0.update(&now_us.to_be_bytes());
        self.0.update(&node.to_be_bytes());
        self.0.update(&sequence.to_be_bytes());
    }

    pub(super) fn to_hex(&self) -> String {
        hex::encode(self.0.clone().finish().as_ref())
    }
}
