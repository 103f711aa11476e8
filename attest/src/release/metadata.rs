//! What a release says.

use super::hex32::Hex32;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use wire::UnixMs;
use wire::limits::LABEL_BYTES_MAX;

/// DSSE payload type of a release.
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.roundcast.release.v1+json";
/// The `schema` of a release.
const SCHEMA: &str = "roundcast.release/1";
/// A version text, in bytes.
const VERSION_BYTES_MAX: usize = 64;
/// The recipe's text (how to rebuild), in bytes.
const RECIPE_BYTES_MAX: usize = 1024;
/// Revoked programs and releases that one release lists; older ones are
/// under the floor of security versions.
const DENIED_MAX: usize = 64;

/// Measurement of the platform kind `software`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftwareMeasurement {
    /// SHA-256 of the executable.
    pub executable_sha256: Hex32,
}

/// Measurements per platform kind; a kind that is absent cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurements {
    /// Development runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software: Option<SoftwareMeasurement>,
}

/// A release of the relay, as the developer signs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    schema: String,
    /// What orders name, e.g. `stable`.
    pub channel: String,
    /// For people, e.g. `0.1.0`.
    pub version: String,
    /// Monotonic; compared with floors.
    pub security_version: u64,
    /// The floor that this release announces: older ones are revoked.
    pub security_version_min: u64,
    /// When it was signed, milliseconds since 1970.
    pub issued_ms: u64,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: u64,
    /// The source's commit: 40 or 64 hexadecimal digits.
    pub source_commit: String,
    /// How to rebuild it byte for byte.
    pub recipe: String,
    /// What a genuine relay measures.
    pub measurements: Measurements,
    /// Revoked: SHA-256 of executables or of `release.json` files.
    pub denied: Vec<Hex32>,
}

impl Release {
    /// A release of security version 1, with nothing measured and nothing
    /// denied yet; [`super::sign`] checks the fields.
    #[must_use]
    pub fn new(
        channel: &str,
        version: &str,
        source_commit: &str,
        recipe: &str,
        issued: UnixMs,
        expires: UnixMs,
    ) -> Self {
        Self {
            schema: SCHEMA.into(),
            channel: channel.into(),
            version: version.into(),
            security_version: 1,
            security_version_min: 1,
            issued_ms: issued.0,
            expires_ms: expires.0,
            source_commit: source_commit.into(),
            recipe: recipe.into(),
            measurements: Measurements::default(),
            denied: Vec::new(),
        }
    }

    /// The name beside every verdict, e.g. `stable 0.1.0`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.channel, self.version)
    }

    pub(super) fn decode(payload: &[u8]) -> Result<Self, Error> {
        let release: Self =
            serde_json::from_slice(payload).map_err(|_| Error::ReleaseMalformed("payload"))?;
        release.check().map_err(Error::ReleaseMalformed)?;
        Ok(release)
    }

    /// Every field within its bound; the error names the field.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let label = |text: &str, max: usize| {
            let graphic = |c: char| c.is_ascii_alphanumeric() || ".-+_".contains(c);
            !text.is_empty() && text.len() <= max && text.chars().all(graphic)
        };
        let commit = self.source_commit.as_str();
        let hexadecimal = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        let fields = [
            (self.schema == SCHEMA, "schema"),
            (label(&self.channel, LABEL_BYTES_MAX), "channel"),
            (label(&self.version, VERSION_BYTES_MAX), "version"),
            (
                self.security_version_min <= self.security_version,
                "security version",
            ),
            (self.issued_ms < self.expires_ms, "expiry"),
            (
                matches!(commit.len(), 40 | 64) && commit.chars().all(hexadecimal),
                "source commit",
            ),
            (
                self.recipe.len() <= RECIPE_BYTES_MAX && !self.recipe.chars().any(char::is_control),
                "recipe",
            ),
            (self.denied.len() <= DENIED_MAX, "denied"),
        ];
        match fields.iter().find(|(holds, _)| !holds) {
            Some((_, field)) => Err(field),
            None => Ok(()),
        }
    }
}
