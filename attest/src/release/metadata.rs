//! What a release says.

use super::hex32::Hex32;
use crate::error::Error;
use crate::tpm2::{Bank, PcrForm, Pcrs};
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

/// Profiles of one kind of machines with a TPM: kinds of firmware, times banks.
const PROFILES_MAX: usize = 8;

/// Measurement of the platform kind `software`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftwareMeasurement {
    /// SHA-256 of the executable.
    pub executable_sha256: Hex32,
}

/// What the registers of a TPM hold after one kind of firmware has booted
/// the image. In JSON `{"name": .., "bank": "sha256", "pcrs": {"4": hex, ..}}`
/// with all of [`crate::tpm2::PCRS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Tpm2Form", into = "Tpm2Form")]
pub struct Tpm2Measurement {
    /// For people, e.g. `ovmf-secure-boot`.
    pub name: String,
    /// The registers' values.
    pub pcrs: Pcrs,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tpm2Form {
    name: String,
    bank: String,
    pcrs: PcrForm,
}

impl TryFrom<Tpm2Form> for Tpm2Measurement {
    type Error = Error;
    fn try_from(form: Tpm2Form) -> Result<Self, Error> {
        let bank = Bank::from_name(&form.bank).ok_or(Error::ReleaseMalformed("bank"))?;
        Ok(Self {
            name: form.name,
            pcrs: form.pcrs.values(bank)?,
        })
    }
}

impl From<Tpm2Measurement> for Tpm2Form {
    fn from(measurement: Tpm2Measurement) -> Self {
        Self {
            name: measurement.name,
            bank: measurement.pcrs.bank().name().into(),
            pcrs: (&measurement.pcrs).into(),
        }
    }
}

impl Tpm2Measurement {
    /// A name, every measured register measured, every other one untouched.
    fn holds(&self) -> bool {
        label(&self.name, LABEL_BYTES_MAX)
            && self.pcrs.unmeasured().is_none()
            && self.pcrs.injected().is_none()
    }
}

/// Measurements per platform kind; a kind that is absent cannot be run. What
/// one kind's firmware leaves is never compared with another kind's registers:
/// a profile that an operator's machines may show proves nothing in a cloud.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurements {
    /// Development runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software: Option<SoftwareMeasurement>,
    /// Machines with a TPM, one profile per firmware and bank.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tpm2: Vec<Tpm2Measurement>,
    /// Instances with NitroTPM, whose documents show bank `sha384` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nitro_tpm: Vec<Tpm2Measurement>,
    /// Instances whose TPM's attestation key Google Cloud certified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gcp_tpm: Vec<Tpm2Measurement>,
    /// Instances whose TPM's attestation key Azure certified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub azure_tpm: Vec<Tpm2Measurement>,
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
    /// Revoked: SHA-256 of executables, of `release.json` files, or of the
    /// registers that an image leaves.
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
        let measured = &self.measurements;
        let sha384 = |profile: &Tpm2Measurement| profile.pcrs.bank() == Bank::Sha384;
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
            (profiles(&measured.tpm2), "tpm2 measurements"),
            (
                profiles(&measured.nitro_tpm) && measured.nitro_tpm.iter().all(sha384),
                "nitro_tpm measurements",
            ),
            (profiles(&measured.gcp_tpm), "gcp_tpm measurements"),
            (profiles(&measured.azure_tpm), "azure_tpm measurements"),
            (self.denied.len() <= DENIED_MAX, "denied"),
        ];
        match fields.iter().find(|(holds, _)| !holds) {
            Some((_, field)) => Err(field),
            None => Ok(()),
        }
    }
}

/// The profiles of one kind are few, and each is whole.
fn profiles(list: &[Tpm2Measurement]) -> bool {
    list.len() <= PROFILES_MAX && list.iter().all(Tpm2Measurement::holds)
}

/// A short name of letters, digits and `.-+_`.
fn label(text: &str, bytes_max: usize) -> bool {
    let graphic = |c: char| c.is_ascii_alphanumeric() || ".-+_".contains(c);
    !text.is_empty() && text.len() <= bytes_max && text.chars().all(graphic)
}
