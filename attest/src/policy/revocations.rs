//! What the developer has taken back, as verified releases have told it.

use crate::error::Error;
use crate::release::{Hex32, VerifiedRelease};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use wire::Digest;

/// The kept form, in bytes: some 15,000 denied digests. A release lists 64.
pub const REVOCATIONS_BYTES_MAX: usize = 1024 * 1024;
/// The `schema` of the kept form.
const SCHEMA: &str = "roundcast.revocations/1";

/// The floor of security versions, and the SHA-256 of programs, images and
/// `release.json` files that are denied. It only ever grows: only
/// [`VerifiedRelease`]s and what was kept of them are added to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Revocations {
    pub(super) security_version_min: u64,
    pub(super) denied: BTreeSet<Digest>,
}

/// The kept form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    schema: String,
    security_version_min: u64,
    /// In ascending order, none twice.
    denied: Vec<Hex32>,
}

impl Revocations {
    /// Reads what [`Revocations::to_json`] has written.
    ///
    /// # Errors
    /// `release_malformed` for anything else.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        if json.len() > REVOCATIONS_BYTES_MAX {
            return Err(Error::ReleaseMalformed("record of revocations: length"));
        }
        let form: Form = serde_json::from_slice(json)
            .map_err(|_| Error::ReleaseMalformed("record of revocations: form"))?;
        if form.schema != SCHEMA {
            return Err(Error::ReleaseMalformed("record of revocations: schema"));
        }
        if !form.denied.is_sorted_by(|one, next| one < next) {
            return Err(Error::ReleaseMalformed(
                "record of revocations: order of the denied",
            ));
        }
        Ok(Self {
            security_version_min: form.security_version_min,
            denied: form.denied.iter().map(|hex| Digest(hex.0)).collect(),
        })
    }

    /// The form to be kept: one line of JSON, the same for the same content.
    ///
    /// # Errors
    /// `release_malformed` if it is longer than [`REVOCATIONS_BYTES_MAX`]:
    /// it could not be read again.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let form = Form {
            schema: SCHEMA.into(),
            security_version_min: self.security_version_min,
            denied: self.denied.iter().copied().map(Hex32::from).collect(),
        };
        serde_json::to_vec(&form)
            .ok()
            .filter(|json| json.len() <= REVOCATIONS_BYTES_MAX)
            .ok_or(Error::ReleaseMalformed("record of revocations: length"))
    }

    /// Adds what `other` has more; tells whether that was anything.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = (self.security_version_min, self.denied.len());
        self.security_version_min = self.security_version_min.max(other.security_version_min);
        self.denied.extend(&other.denied);
        before != (self.security_version_min, self.denied.len())
    }

    /// Lowest security version that is accepted.
    #[must_use]
    pub const fn security_version_min(&self) -> u64 {
        self.security_version_min
    }
}

impl From<&VerifiedRelease> for Revocations {
    fn from(release: &VerifiedRelease) -> Self {
        Self {
            security_version_min: release.security_version_min,
            denied: release.denied.iter().map(|hex| Digest(hex.0)).collect(),
        }
    }
}
