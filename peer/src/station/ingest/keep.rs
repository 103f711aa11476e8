//! A copy of what is published.

use crate::Error;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file of `--keep`.
pub(super) struct Keep {
    file: std::fs::File,
    path: PathBuf,
}

impl Keep {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        match std::fs::File::create(path) {
            Ok(file) => Ok(Self {
                file,
                path: path.into(),
            }),
            Err(source) => Err(Error::File {
                step: "keep",
                path: path.into(),
                source,
            }),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|source| Error::File {
            step: "keep",
            path: self.path.clone(),
            source,
        })
    }
}
