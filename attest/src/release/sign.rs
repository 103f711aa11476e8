//! The developer's side: keys, roots and releases.

use super::envelope::{signed_string, write};
use super::metadata::{self, Release};
use super::root::{self, Role, Root, RootRoles};
use super::{RELEASE_BYTES_MAX, ROOT_BYTES_MAX};
use crate::error::Error;
use certs::SigningKey;
use ring::rand::SecureRandom;
use serde::Serialize;
use wire::UnixMs;

/// Signs a release with as many keys as are at hand; whether they are enough
/// is the verifier's to say. Returns the text of `release.json`.
///
/// # Errors
/// `release_malformed` for a field out of its bound.
pub fn sign(release: &Release, keys: &[&SigningKey]) -> Result<Vec<u8>, Error> {
    release.check().map_err(Error::ReleaseMalformed)?;
    envelope(metadata::PAYLOAD_TYPE, release, keys)
        .filter(|json| json.len() <= RELEASE_BYTES_MAX)
        .ok_or(Error::ReleaseMalformed("size"))
}

/// Signs a root, with the old keys too when it is a rotation. Returns the
/// text of `root.json`.
///
/// # Errors
/// `root_malformed` for roles that make no sense.
pub fn sign_root(root: &Root, keys: &[&SigningKey]) -> Result<Vec<u8>, Error> {
    root.check().map_err(Error::RootMalformed)?;
    envelope(root::PAYLOAD_TYPE, root, keys)
        .filter(|json| json.len() <= ROOT_BYTES_MAX)
        .ok_or(Error::RootMalformed("size"))
}

fn envelope<T: Serialize>(kind: &str, value: &T, keys: &[&SigningKey]) -> Option<Vec<u8>> {
    let payload = serde_json::to_vec(value).ok()?;
    let message = signed_string(kind, &payload);
    let signatures: Vec<_> = keys
        .iter()
        .map(|key| (key.public(), key.sign_raw(&message)))
        .collect();
    write(kind, &payload, &signatures).ok()
}

/// A developer's keys: three root keys of which two are needed, and two
/// release keys of which one is.
#[derive(Debug)]
pub struct KeyRing {
    /// Kept offline, apart from each other.
    pub root: [SigningKey; 3],
    /// Sign releases.
    pub release: [SigningKey; 2],
}

impl KeyRing {
    /// Root signatures that are needed.
    pub const ROOT_THRESHOLD: u64 = 2;
    /// Release signatures that are needed.
    pub const RELEASE_THRESHOLD: u64 = 1;

    /// Fresh keys.
    ///
    /// # Errors
    /// [`Error::RandomnessUnavailable`].
    pub fn generate(rng: &dyn SecureRandom) -> Result<Self, Error> {
        let key = || SigningKey::generate(rng).map_err(|_| Error::RandomnessUnavailable);
        Ok(Self {
            root: [key()?, key()?, key()?],
            release: [key()?, key()?],
        })
    }

    /// The roles that these keys have.
    #[must_use]
    pub fn roles(&self) -> RootRoles {
        let public = |keys: &[SigningKey]| keys.iter().map(|key| key.public().into()).collect();
        RootRoles {
            root: Role::new(public(&self.root), Self::ROOT_THRESHOLD),
            release: Role::new(public(&self.release), Self::RELEASE_THRESHOLD),
        }
    }

    /// `root.json` of the first version, signed by all root keys.
    ///
    /// # Errors
    /// See [`sign_root`].
    pub fn first_root(&self, expires: UnixMs) -> Result<Vec<u8>, Error> {
        let root = Root::new(1, expires, self.roles());
        sign_root(&root, &self.root.each_ref())
    }

    /// `release.json`, signed by the first release key.
    ///
    /// # Errors
    /// See [`sign`].
    pub fn sign_release(&self, release: &Release) -> Result<Vec<u8>, Error> {
        let [first, _] = &self.release;
        sign(release, &[first])
    }
}
