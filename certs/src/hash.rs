//! SHA-256 of several parts, without joining them first.

use ring::digest::{Context, SHA256};
use wire::Digest;

/// A SHA-256 computation that ends in a [`Digest`].
pub(crate) struct Hasher(Context);

impl Hasher {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        let mut out = [0; 32];
        // SHA-256 gives 32 bytes: both sides have the same length.
        out.copy_from_slice(self.0.finish().as_ref());
        Digest(out)
    }
}

/// SHA-256 of the concatenation. The caller sees to it that lengths are fixed
/// or prefixed.
pub(crate) fn sha256(parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finish()
}
