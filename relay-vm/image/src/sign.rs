//! `sign`: the image for firmware, the release for viewers.

use crate::build::{DISK_FILE, IMAGE_FILE};
use crate::recipe::{self, Recipe};
use crate::{Error, files, keys, measure};
use attest::release::{Hex32, Release, SoftwareMeasurement, Tpm2Measurement, sign};
use boot::authenticode::{self, Signer};
use boot::disk;
use boot::predict::Profile;
use ring::digest::{SHA256, digest};
use ring::rand::SecureRandom;
use std::path::{Path, PathBuf};
use wire::UnixMs;

/// The release in an image's folder.
pub const RELEASE_FILE: &str = "release.json";
const DAY_MS: u64 = 24 * 3600 * 1000;
/// A release that is forgotten must end.
const DAYS_MAX: u64 = 400;

/// User data of a machine, in bytes: what EC2 allows, and a guest reads.
const USER_DATA_BYTES_MAX: usize = 16 * 1024;
/// What stands in a machine's user data beside the release, in bytes at most:
/// order and parameters in hexadecimal, an address, and the names of fields.
const OPENING_BYTES_MAX: usize = 2 * 1024;

/// What the release says.
#[derive(Debug, Clone)]
pub struct Options {
    /// What orders name.
    pub channel: String,
    /// For people.
    pub version: String,
    /// Compared with floors.
    pub security_version: u64,
    /// The floor that it announces.
    pub security_version_min: u64,
    /// Until it ends.
    pub days: u64,
    /// The source's commit, if the recipe names none.
    pub commit: Option<String>,
    /// A program for the platform kind `software`.
    pub software: Option<PathBuf>,
    /// What it revokes: SHA-256 of a program, of a `release.json`, or of an
    /// image's registers.
    pub denied: Vec<Hex32>,
    /// Also admit machines that check no signatures.
    pub without_secure_boot: bool,
}

/// Signs the image in `folder` with `db`, writes the disk anew, and writes
/// `release.json`. `keys` holds `online` and `public`. An image that `db` has
/// signed stays as it is and gets a new release: so a release is renewed, and
/// a signing that was cut off is brought to its end.
///
/// # Errors
/// `already_signed` by another key, `key_file_invalid`, `release_malformed`,
/// `commit_unknown`, `user_data_too_large`.
pub fn sign_folder(
    folder: &Path,
    keys: &Path,
    options: &Options,
    now: UnixMs,
    rng: &dyn SecureRandom,
) -> Result<(), Error> {
    let (online, public) = (keys.join(keys::ONLINE), keys.join(keys::PUBLIC));
    let recipe: Recipe = files::read_json(folder, recipe::FILE)?;
    let release = release(folder, &public, &recipe, options, now)?;
    let release = sign(&release, &[&keys::release_key(&online)?])?;
    fits_user_data(&release)?;
    let path = folder.join(IMAGE_FILE);
    let certificate = keys::certificates(&public)?.db;
    let key = keys::db_key(&online)?;
    let signer = Signer {
        certificate: &certificate,
        key: &key,
    };
    let mut image = files::read(&path)?;
    if authenticode::verify(&image, &certificate).is_err() {
        image = authenticode::sign(&image, &signer, rng)?;
        files::write(&path, &image)?;
    }
    files::write_sparse(&folder.join(DISK_FILE), &disk::write(&image)?)?;
    files::write(&folder.join(RELEASE_FILE), &release)
}

/// A machine without a desk's channel is started with a line that holds the
/// release as one of its values.
fn fits_user_data(release: &[u8]) -> Result<(), Error> {
    let malformed = |_| Error::JsonMalformed { name: RELEASE_FILE };
    let value = serde_json::to_string(&String::from_utf8_lossy(release)).map_err(malformed)?;
    let bytes = value.len().saturating_add(OPENING_BYTES_MAX);
    if bytes > USER_DATA_BYTES_MAX {
        return Err(Error::UserDataTooLarge {
            bytes,
            bytes_max: USER_DATA_BYTES_MAX,
        });
    }
    Ok(())
}

fn release(
    folder: &Path,
    public: &Path,
    recipe: &Recipe,
    options: &Options,
    now: UnixMs,
) -> Result<Release, Error> {
    if !(1..=DAYS_MAX).contains(&options.days) {
        return Err(Error::Option {
            option: "--days",
            detail: "from 1 to 400",
        });
    }
    let commit = options.commit.as_ref().or(recipe.program.commit.as_ref());
    let commit = commit.ok_or(Error::CommitUnknown)?;
    let expires = now.plus_ms(options.days * DAY_MS);
    let how = how_to_rebuild(recipe);
    let mut release = Release::new(
        &options.channel,
        &options.version,
        commit,
        &how,
        now,
        expires,
    );
    release.security_version = options.security_version;
    release.security_version_min = options.security_version_min;
    release.denied.clone_from(&options.denied);
    let mut profiles = measure::measure(folder, Some(public))?;
    if !options.without_secure_boot {
        profiles.retain(|profile| profile.name.starts_with("ovmf-secure-boot"));
    }
    release.measurements.tpm2 = measurements(&profiles)?;
    // The register of what was started holds the image there too, whether or
    // not its signature is checked.
    release.measurements.nitro_tpm = measurements(&measure::measure_nitro(folder)?)?;
    if let Some(path) = &options.software {
        let mut executable = [0; 32];
        executable.copy_from_slice(digest(&SHA256, &files::read(path)?).as_ref());
        release.measurements.software = Some(SoftwareMeasurement {
            executable_sha256: Hex32(executable),
        });
    }
    Ok(release)
}

/// Profiles in the form of a release.
///
/// # Errors
/// `json_malformed` never in fact: both have one form in JSON.
pub fn measurements(profiles: &[Profile]) -> Result<Vec<Tpm2Measurement>, Error> {
    serde_json::to_value(profiles)
        .and_then(serde_json::from_value)
        .map_err(|_| Error::JsonMalformed { name: RELEASE_FILE })
}

/// What the release says about making its image again.
pub(crate) fn how_to_rebuild(recipe: &Recipe) -> String {
    let package = |input: &recipe::Input| {
        format!(
            "{} {} (SHA-256 {})",
            input.origin.package, input.origin.version, input.sha256
        )
    };
    format!(
        "`roundcast-image build` at this commit; kernel {}; stub {}; unsigned image SHA-256 {}",
        package(&recipe.kernel),
        package(&recipe.stub),
        recipe.output.image_sha256
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_that_user_data_has_no_room_for_is_refused() {
        let refused = |release: &[u8]| fits_user_data(release).err().map(|e| e.reason());
        let room = USER_DATA_BYTES_MAX - OPENING_BYTES_MAX;
        // Two quotes around it.
        assert_eq!(refused(&vec![b'x'; room - 2]), None);
        let too_large = Some("user_data_too_large");
        assert_eq!(refused(&vec![b'x'; room - 1]), too_large);
        // Each of its own quotes takes two bytes.
        assert_eq!(refused(&vec![b'"'; room / 2]), too_large);
    }
}
