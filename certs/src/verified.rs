//! The type that a decision may rest on.

use crate::Error;
use crate::hash::sha256;
use crate::key::verify_raw;
use std::ops::Deref;
use wire::{Digest, PublicKey, Signed, Statement};

/// A value that passed every check of the function that returned it. Only
/// this crate can make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    digest: Digest,
}

impl<T> Verified<T> {
    pub(crate) const fn new(value: T, digest: Digest) -> Self {
        Self { value, digest }
    }

    /// SHA-256 of the exact signed body (of the DER, for a certificate): the
    /// name under which other statements refer to this one.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The value, no longer marked as verified.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// Checks the signature over the exact bytes, then decodes them.
pub(crate) fn open<T: Statement>(
    signed: &Signed<T>,
    key: &PublicKey,
    wrong_signature: Error,
) -> Result<Verified<T>, Error> {
    if !verify_raw(key, &signed.signed_string(), signed.signature()) {
        return Err(wrong_signature);
    }
    let value = T::from_bytes(signed.body())?;
    Ok(Verified::new(value, sha256(&[signed.body()])))
}
