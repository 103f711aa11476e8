//! Releases: what the developer says a relay's program is.
//!
//! TUF's roles and rules in the small: a root (2 of 3 by default) names the
//! release keys, a release names measurements, both expire, a new root is
//! signed by the old threshold and by its own. The container is a DSSE
//! envelope (Dead Simple Signing Envelope 1.0): the signatures are over the
//! pre-authentication encoding of exactly the bytes that were received, so
//! nothing has to be canonicalised and nothing is decoded before it is
//! verified. JSON is strict: unknown fields, repeated fields, trailing bytes
//! and anything over its bound are refused.

mod envelope;
mod hex32;
mod metadata;
mod root;
mod sign;

pub use hex32::Hex32;
pub use metadata::{Measurements, Release, SoftwareMeasurement, Tpm2Measurement};
pub use root::{Role, Root, RootRoles, TrustRoot};
pub use sign::{KeyRing, sign, sign_root};

use crate::error::Error;
use crate::signature::sha256;
use envelope::Envelope;
use wire::{Digest, UnixMs};

/// A `release.json`, in bytes: it travels in the relay's certificate.
pub const RELEASE_BYTES_MAX: usize = 16 * 1024;
/// A `root.json`, in bytes.
pub const ROOT_BYTES_MAX: usize = 16 * 1024;
/// Clocks of honest machines differ by less than this, in milliseconds.
pub const CLOCK_SKEW_MS_MAX: u64 = 5 * 60 * 1000;

/// A release that enough of the developer's keys signed and that is in date.
/// Only [`verify`] makes one, and the same checks on the way of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRelease {
    release: Release,
    digest: Digest,
}

impl VerifiedRelease {
    /// SHA-256 of the `release.json`, byte for byte.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The caller has made the checks of [`verify`] one by one.
    pub(crate) const fn checked(release: Release, digest: Digest) -> Self {
        Self { release, digest }
    }
}

impl std::ops::Deref for VerifiedRelease {
    type Target = Release;
    fn deref(&self) -> &Release {
        &self.release
    }
}

/// Verifies a `release.json`: the root's date, form, signatures, date.
///
/// # Errors
/// `root_expired`, `release_malformed`, `release_signature_invalid`,
/// `release_threshold`, `release_expired` or `clock_wrong`.
pub fn verify(json: &[u8], root: &TrustRoot, now: UnixMs) -> Result<VerifiedRelease, Error> {
    root.in_date(now)?;
    let unverified = Unverified::parse(json, RELEASE_BYTES_MAX)?;
    unverified.signed_by(root)?;
    let release = unverified.decode()?;
    in_date(&release, now)?;
    Ok(VerifiedRelease::checked(release, unverified.digest))
}

/// What a `release.json` says, whoever signed it, and whether its dates hold:
/// for its own operator, before he offers it to people who will verify it.
/// Never a verdict.
///
/// # Errors
/// `release_malformed`, `release_expired` or `clock_wrong`.
pub fn claimed(json: &[u8], now: UnixMs) -> Result<Release, Error> {
    let release = Unverified::parse(json, RELEASE_BYTES_MAX)?.decode()?;
    in_date(&release, now)?;
    Ok(release)
}

/// An envelope whose signatures were not yet checked.
pub(crate) struct Unverified {
    envelope: Envelope,
    pub(crate) digest: Digest,
}

impl Unverified {
    pub(crate) fn parse(json: &[u8], bytes_max: usize) -> Result<Self, Error> {
        let envelope = Envelope::parse(json, metadata::PAYLOAD_TYPE, bytes_max)
            .map_err(Error::ReleaseMalformed)?;
        Ok(Self {
            envelope,
            digest: sha256(&[json]),
        })
    }

    /// Enough of the root's release keys signed.
    pub(crate) fn signed_by(&self, root: &TrustRoot) -> Result<(), Error> {
        let role = root.release_role();
        let needed = role.threshold();
        match self.envelope.signers(role.keys()) {
            None | Some(0) => Err(Error::ReleaseSignatureInvalid),
            Some(found) if found < needed => Err(Error::ReleaseThreshold { found, needed }),
            Some(_) => Ok(()),
        }
    }

    /// The release; the caller verified the signatures before.
    pub(crate) fn decode(&self) -> Result<Release, Error> {
        Release::decode(self.envelope.payload())
    }
}

/// The release was made in the past and has not expired.
pub(crate) fn in_date(release: &Release, now: UnixMs) -> Result<(), Error> {
    if release.issued_ms > now.plus_ms(CLOCK_SKEW_MS_MAX).0 {
        return Err(Error::ClockWrong);
    }
    if release.expires_ms <= now.0 {
        return Err(Error::ReleaseExpired);
    }
    Ok(())
}
