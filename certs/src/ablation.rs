//! What takes a control out, for the tests that show what it is good for.
//! Nothing of this is in a build without the `ablation` feature; what is, can
//! be found by its marker.

use crate::block::VerifiedBlock;
use crate::chunk::{HeaderLimits, HeaderVerifier};
use crate::hash::sha256;
use crate::seal::{ChunkSealer, EpochSecret, Publisher};
use crate::x509::{Member, StreamCa};
use crate::{Error, Verified};
use wire::statement::{BatchedPermit, ChunkHeader, Permit, RunStatement};
use wire::{Decode, Encode, Signed, Statement};

pub use wire::ablation::{MARKER, marker};

impl<T: Encode> Verified<T> {
    /// Takes a value for verified.
    #[must_use]
    pub fn dangerously_assume(value: T) -> Self {
        let _ = marker();
        let digest = sha256(&[&value.to_bytes()]);
        Self::new(value, digest)
    }
}

impl<T: Statement> Verified<T> {
    /// Takes the body of a statement for verified.
    ///
    /// # Errors
    /// `statement_malformed`.
    pub fn dangerously_unsigned(signed: &Signed<T>) -> Result<Self, Error> {
        let _ = marker();
        let value = T::from_bytes(signed.body())?;
        Ok(Self::new(value, sha256(&[signed.body()])))
    }
}

impl Verified<Permit> {
    /// Takes a permit for verified without its path and signature.
    ///
    /// # Errors
    /// `statement_malformed`.
    pub fn dangerously_unproven(batched: &BatchedPermit) -> Result<Self, Error> {
        let _ = marker();
        let value = Permit::from_bytes(batched.body())?;
        Ok(Self::new(value, sha256(&[batched.body()])))
    }
}

impl Verified<Member> {
    /// Takes a node for a member without a certificate of the stream CA.
    #[must_use]
    pub fn dangerously_member(member: Member) -> Self {
        let _ = marker();
        let digest = sha256(&[member.spki.as_bytes()]);
        Self::new(member, digest)
    }
}

impl HeaderVerifier {
    /// A verifier that accepts every header that decodes.
    #[must_use]
    pub fn dangerously_accept_any(run: &Verified<RunStatement>, limits: HeaderLimits) -> Self {
        let _ = marker();
        let mut verifier = Self::new(run, limits);
        verifier.accept_any = true;
        verifier
    }
}

impl HeaderVerifier {
    /// A verifier that accepts every header that the run's chunk key signed,
    /// whatever stream, run, epoch or rendition it speaks of.
    #[must_use]
    pub fn dangerously_any_scope(run: &Verified<RunStatement>, limits: HeaderLimits) -> Self {
        let _ = marker();
        let mut verifier = Self::new(run, limits);
        verifier.any_scope = true;
        verifier
    }
}

impl Publisher {
    /// The same publisher, which from now on cuts and signs chunks without
    /// sealing them.
    #[must_use]
    pub fn dangerously_unsealed(mut self) -> Self {
        let _ = marker();
        self.unsealed = true;
        self
    }
}

impl ChunkSealer {
    /// A sealer whose key depends on the secret alone, not on run, epoch or
    /// rendition.
    ///
    /// # Errors
    /// `seal_invalid`.
    pub fn dangerously_unscoped(secret: &EpochSecret) -> Result<Self, Error> {
        let _ = marker();
        Self::from_unscoped(secret)
    }
}

impl StreamCa {
    /// The seed of its key, for looking whether it is printed anywhere.
    #[must_use]
    pub fn dangerously_exposed(&self) -> &[u8; 32] {
        let _ = marker();
        self.key().seed()
    }
}

/// A block that was not compared with its header's root.
#[must_use]
pub fn dangerously_verified(header: &Verified<ChunkHeader>, index: u16) -> VerifiedBlock {
    let _ = marker();
    let stripe = crate::block::stripe_of(header, index);
    VerifiedBlock::new(header.key(), index, stripe, header.digest())
}
