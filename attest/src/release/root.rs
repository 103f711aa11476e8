//! The developer's root: which keys sign releases, and which sign roots.

use super::ROOT_BYTES_MAX;
use super::envelope::Envelope;
use super::hex32::Hex32;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use wire::UnixMs;

/// DSSE payload type of a root.
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.roundcast.root.v1+json";
/// The `schema` of a root.
const SCHEMA: &str = "roundcast.root/1";
/// Keys of one role.
const KEYS_MAX: usize = 8;
/// One stolen root key must not be enough.
const ROOT_THRESHOLD_MIN: u64 = 2;

/// Who may sign something, and how many of them must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    keys: Vec<Hex32>,
    threshold: u64,
}

impl Role {
    /// A role; [`TrustRoot::parse`] checks that it makes sense.
    #[must_use]
    pub const fn new(keys: Vec<Hex32>, threshold: u64) -> Self {
        Self { keys, threshold }
    }

    /// The public keys (Ed25519).
    #[must_use]
    pub fn keys(&self) -> &[Hex32] {
        &self.keys
    }

    /// Signatures that are needed.
    #[must_use]
    pub fn threshold(&self) -> usize {
        usize::try_from(self.threshold).unwrap_or(usize::MAX)
    }

    fn sensible(&self, threshold_min: u64) -> bool {
        let distinct: BTreeSet<_> = self.keys.iter().collect();
        distinct.len() == self.keys.len()
            && self.keys.len() <= KEYS_MAX
            && self.threshold >= threshold_min
            && self.threshold() <= self.keys.len()
    }
}

/// The two roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootRoles {
    /// Signs roots; its keys are kept offline.
    pub root: Role,
    /// Signs releases.
    pub release: Role,
}

/// A root as it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    schema: String,
    /// From 1 up, by one each time.
    pub version: u64,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: u64,
    /// Who signs what.
    pub roles: RootRoles,
}

impl Root {
    /// A root.
    #[must_use]
    pub fn new(version: u64, expires: UnixMs, roles: RootRoles) -> Self {
        Self {
            schema: SCHEMA.into(),
            version,
            expires_ms: expires.0,
            roles,
        }
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        let RootRoles { root, release } = &self.roles;
        if self.schema != SCHEMA {
            Err("schema")
        } else if self.version == 0 {
            Err("version")
        } else if !root.sensible(ROOT_THRESHOLD_MIN) {
            Err("root role")
        } else if !release.sensible(1) {
            Err("release role")
        } else if release.keys.iter().any(|key| root.keys.contains(key)) {
            // Release keys are online: an offline key among them is not.
            Err("roles: one key in both")
        } else {
            Ok(())
        }
    }
}

/// A root that its own threshold signed. Which root to begin with is the
/// caller's choice (compiled in, or `--trust-root FILE`); afterwards only
/// [`TrustRoot::rotate`] leads to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRoot {
    root: Root,
}

impl TrustRoot {
    /// Reads a `root.json` that the caller chose to trust.
    ///
    /// # Errors
    /// `root_malformed`, `root_signature_invalid` or `root_threshold`. Its
    /// date is checked at each use.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let (root, envelope) = open(json)?;
        signed(&envelope, &root.roles.root)?;
        Ok(Self { root })
    }

    /// Follows a new root: the next version, signed by this root's threshold
    /// and by its own (TUF 1.0 section 5.3). The old root's date does not
    /// matter: who slept through it must still be able to follow.
    ///
    /// # Errors
    /// As [`TrustRoot::parse`], and `root_version`.
    pub fn rotate(&self, json: &[u8]) -> Result<Self, Error> {
        let (root, envelope) = open(json)?;
        signed(&envelope, &self.root.roles.root)?;
        signed(&envelope, &root.roles.root)?;
        let needed = self.root.version.saturating_add(1);
        if root.version != needed {
            return Err(Error::RootVersion {
                found: root.version,
                needed,
            });
        }
        Ok(Self { root })
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.root.version
    }

    pub(crate) fn in_date(&self, now: UnixMs) -> Result<(), Error> {
        if self.root.expires_ms <= now.0 {
            return Err(Error::RootExpired);
        }
        Ok(())
    }

    pub(super) const fn release_role(&self) -> &Role {
        &self.root.roles.release
    }
}

/// A root must be decoded to learn by whom it is to be signed; the caller
/// checks the signatures before anything else is done with it.
fn open(json: &[u8]) -> Result<(Root, Envelope), Error> {
    let envelope =
        Envelope::parse(json, PAYLOAD_TYPE, ROOT_BYTES_MAX).map_err(Error::RootMalformed)?;
    let root: Root =
        serde_json::from_slice(envelope.payload()).map_err(|_| Error::RootMalformed("payload"))?;
    root.check().map_err(Error::RootMalformed)?;
    Ok((root, envelope))
}

fn signed(envelope: &Envelope, role: &Role) -> Result<(), Error> {
    let needed = role.threshold();
    match envelope.signers(role.keys()) {
        None | Some(0) => Err(Error::RootSignatureInvalid),
        Some(found) if found < needed => Err(Error::RootThreshold { found, needed }),
        Some(_) => Ok(()),
    }
}
