//! The folder of the saved run: one station at a time, files replaced whole.

use super::journal::{Journal, Published, read};
use super::{STATE_BYTES_MAX, Saved};
use crate::Error;
use crate::station::keys::Keys;
use crate::wallet::{lock, make_folder, read_secret, remove, write_secret};
use ring::digest::{Digest, SHA256, digest};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The folder, held against other stations while the value lives, or the
/// process, however that ends.
#[derive(Debug)]
pub(in crate::station) struct Store {
    folder: PathBuf,
    // Held, not read: closing it opens the lock.
    _lock: File,
    /// Of what was written last.
    written: Option<Digest>,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    Error::file("save the run", path)
}

impl Store {
    /// Opens the folder under `data`, or makes it.
    ///
    /// # Errors
    /// [`Error::RunLocked`], [`Error::File`].
    pub(in crate::station) fn open(data: &Path) -> Result<Self, Error> {
        let folder = data.join("run");
        make_folder(&folder).map_err(failed(&folder))?;
        let path = folder.join("lock");
        let lock = lock(&path).map_err(failed(&path))?;
        Ok(Self {
            folder,
            _lock: lock.ok_or(Error::RunLocked)?,
            written: None,
        })
    }

    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The run that was cut short, if there is one.
    ///
    /// # Errors
    /// [`Error::RunDamaged`], [`Error::File`].
    pub(in crate::station) fn read(&self) -> Result<Option<Saved>, Error> {
        let path = self.state();
        let bytes = match read_secret(&path, STATE_BYTES_MAX) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(failed(&path))?,
        };
        let saved = Saved::from_file(&bytes);
        saved
            .map(Some)
            .map_err(|detail| Error::RunDamaged { path, detail })
    }

    /// Saves the run, if it differs from what was saved last; it is on the
    /// disk when this returns.
    ///
    /// # Errors
    /// [`Error::File`]; what is on the disk is the old one then.
    pub(in crate::station) fn save(&mut self, saved: &Saved) -> Result<(), Error> {
        let bytes = saved.to_file();
        let now = digest(&SHA256, &bytes);
        let same = |before: &Digest| before.as_ref() == now.as_ref();
        if self.written.as_ref().is_some_and(same) {
            return Ok(());
        }
        let path = self.state();
        write_secret(&path, &bytes).map_err(failed(&path))?;
        self.written = Some(now);
        Ok(())
    }

    /// The journal of a new run.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(in crate::station) fn begin_journal(&self, kept_ms: u64) -> Result<Journal, Error> {
        Journal::begin(&self.folder, kept_ms)
    }

    /// What the run's earlier lives published.
    ///
    /// # Errors
    /// [`Error::RunDamaged`], [`Error::File`].
    pub(in crate::station) fn published(&self, keys: &Keys) -> Result<Published, Error> {
        read(&self.folder, &keys.run, &keys.keyring.chunk.key())
    }

    /// The journal of a run that goes on.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(in crate::station) fn go_on_journal(
        &self,
        kept_ms: u64,
        published: &Published,
    ) -> Result<Journal, Error> {
        Journal::go_on(&self.folder, kept_ms, published)
    }

    /// The run has ended, or was given up: nothing is left to take up, its
    /// keys first.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(in crate::station) fn end(&mut self) -> Result<(), Error> {
        self.written = None;
        let path = self.state();
        remove(&path)
            .and_then(|()| Journal::remove(&self.folder))
            .map_err(failed(&path))
    }
}
