//! A release folder: what a machine boots from.

use crate::Error;
use std::path::Path;

/// The disk.
const DISK: &str = "disk.img";
/// The developer's signed statement.
const STATEMENT: &str = "release.json";
/// The firmware's variables with the Secure Boot keys.
const VARIABLES: &str = "OVMF_VARS.fd";
/// A variables file, in bytes: the firmware's flash is 4 MiB in all.
const VARIABLES_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// An image release.
#[derive(Debug, Clone)]
pub struct Release {
    /// Absolute, as the emulator is told.
    pub(super) disk: String,
    pub(super) statement: String,
    pub(super) variables: Vec<u8>,
}

impl Release {
    /// Reads the folder. Whether its statement is the developer's, and the
    /// disk what it says, is for the relay's verifiers to say.
    ///
    /// # Errors
    /// [`Error::Release`].
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let failed = |name: &str, detail| Error::Release {
            path: folder.join(name),
            detail,
        };
        let disk = folder
            .join(DISK)
            .canonicalize()
            .ok()
            .filter(|path| path.is_file())
            .ok_or_else(|| {
                failed(
                    DISK,
                    "there is no disk; build the image with roundcast-image",
                )
            })?;
        let disk = disk.to_str().map(str::to_owned);
        let read = |name, bytes_max, missing| {
            let path = folder.join(name);
            let length = std::fs::metadata(&path).map_err(|_| failed(name, missing))?;
            if length.len() > bytes_max {
                return Err(failed(
                    name,
                    "it is too long; this is another file than is meant",
                ));
            }
            std::fs::read(&path).map_err(|_| failed(name, "it cannot be read; check its rights"))
        };
        let statement = read(
            STATEMENT,
            attest::release::RELEASE_BYTES_MAX as u64,
            "there is no statement; sign the image with roundcast-image",
        )?;
        let variables = read(
            VARIABLES,
            VARIABLES_BYTES_MAX,
            "there are no firmware variables; copy the file from `public` of the keys",
        )?;
        Ok(Self {
            disk: disk.ok_or_else(|| failed(DISK, "its path is not UTF-8; move the folder"))?,
            statement: String::from_utf8(statement).map_err(|_| {
                failed(
                    STATEMENT,
                    "it cannot be read as text; sign the release again",
                )
            })?,
            variables,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_missing_or_overlong_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in [DISK, STATEMENT, VARIABLES] {
            let text = Release::open(folder.path()).unwrap_err().to_string();
            assert!(text.contains(name), "{text}");
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let release = Release::open(folder.path()).unwrap();
        assert_eq!(release.statement, "x");
        assert!(release.disk.starts_with('/'));
        let long = vec![b'x'; attest::release::RELEASE_BYTES_MAX + 1];
        std::fs::write(folder.path().join(STATEMENT), long).unwrap();
        let refused = Release::open(folder.path()).unwrap_err();
        assert_eq!(refused.reason(), "release_bundle_invalid");
    }
}
