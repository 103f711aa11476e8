//! `measure`: which registers a boot of the image gives.

use crate::build::IMAGE_FILE;
use crate::sign::measurements;
use crate::{Error, files, keys};
use boot::pcr::Bank;
use boot::predict::{Profile, SecureBoot, predict};
use serde::Serialize;
use std::path::Path;

/// An EC2 instance whose firmware checks no signatures.
const NITRO_PROFILE: &str = "nitro-setup-mode";

/// A profile, and how a release can revoke it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// The registers.
    #[serde(flatten)]
    pub profile: Profile,
    /// SHA-256 over the registers, in hexadecimal: what a TPM's quote signs,
    /// and what `sign --deny` takes.
    pub digest: String,
}

/// The profiles of [`measure`], each with its digest.
///
/// # Errors
/// As [`measure`].
pub fn with_digests(folder: &Path, public: Option<&Path>) -> Result<Vec<Measured>, Error> {
    let profiles = measure(folder, public)?;
    let digests = measurements(&profiles)?;
    let digests = digests.iter().map(|m| m.pcrs.digest().to_hex());
    Ok(profiles
        .into_iter()
        .zip(digests)
        .map(|(profile, digest)| Measured { profile, digest })
        .collect())
}

/// The profiles of the image in a folder: with Secure Boot under the keys in
/// `public`, if there are any, and without; each in both banks.
///
/// # Errors
/// `file_failed`, `stub_unknown`, `section_missing`.
pub fn measure(folder: &Path, public: Option<&Path>) -> Result<Vec<Profile>, Error> {
    let image = files::read(&folder.join(IMAGE_FILE))?;
    let certificates = public.map(keys::certificates).transpose()?;
    let mut settings = Vec::new();
    settings.extend(certificates.as_ref().map(SecureBoot::On));
    settings.push(SecureBoot::Off);
    let mut profiles = Vec::new();
    for setting in settings {
        for bank in Bank::ALL {
            profiles.push(predict(&image, bank, setting)?);
        }
    }
    Ok(profiles)
}

/// What NitroTPM shows of the image in a folder: bank SHA-384, on an instance
/// without Secure Boot keys of its own. What its firmware measures with keys
/// is published nowhere, and so is no profile.
///
/// # Errors
/// As [`measure`].
pub fn measure_nitro(folder: &Path) -> Result<Vec<Profile>, Error> {
    let image = files::read(&folder.join(IMAGE_FILE))?;
    let profile = predict(&image, Bank::Sha384, SecureBoot::Off)?;
    Ok(vec![Profile {
        name: NITRO_PROFILE.into(),
        ..profile
    }])
}
