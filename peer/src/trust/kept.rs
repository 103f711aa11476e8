//! What releases have taken back, kept in the data folder between two starts.

use crate::Error;
use crate::config::read_bounded;
use crate::wallet::write_secret;
use attest::{REVOCATIONS_BYTES_MAX, Revocations};
use link::Keeper;
use std::fs::{OpenOptions, create_dir_all};
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "revocations.json";
const LOCK: &str = "revocations.lock";

/// What was kept in the folder `data`; nothing if there is no file yet.
///
/// # Errors
/// [`Error::RevocationsDamaged`], [`Error::File`]: it never reads as nothing.
pub(super) fn read(data: &Path) -> Result<Revocations, Error> {
    let path = data.join(FILE);
    let bytes = match read_bounded(&path, REVOCATIONS_BYTES_MAX as u64, "trust") {
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(Revocations::default());
        }
        bytes => bytes?,
    };
    Revocations::parse(&bytes).map_err(|source| Error::RevocationsDamaged { path, source })
}

/// Keeps what is learnt in a data folder.
#[derive(Debug)]
pub(super) struct Kept {
    data: PathBuf,
}

impl Kept {
    pub(super) fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
        }
    }

    /// Adds to what is there: another client may have learnt meanwhile.
    fn add(&self, revocations: &Revocations) -> Result<(), Error> {
        create_dir_all(&self.data).map_err(failed(&self.data))?;
        let lock = self.data.join(LOCK);
        let held = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(failed(&lock))?;
        let mut all = read(&self.data)?;
        if all.merge(revocations) {
            let path = self.data.join(FILE);
            write_secret(&path, &all.to_json()?).map_err(failed(&path))?;
        }
        drop(held);
        Ok(())
    }
}

impl Keeper for Kept {
    fn keep(&self, revocations: &Revocations) -> bool {
        let kept = self.add(revocations);
        if let Err(error) = &kept {
            tracing::error!("what a release has taken back is not kept: {error}");
        }
        kept.is_ok()
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    Error::file("keep what releases have taken back", path)
}
