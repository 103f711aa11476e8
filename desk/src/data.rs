//! The desk's data folder: keys, ledger, and a folder per running order.
//!
//! ```text
//! DIR/lock            held while a desk serves
//! DIR/desk.key        Ed25519 seed, 0600
//! DIR/keys/CLASS.pk8  RSA class key, PKCS#8, 0600
//! DIR/ledger.sqlite
//! DIR/orders/ORDER/   a relay's working folder
//! DIR/tpm-ca/         the CA of emulated machines' TPMs
//! ```

use crate::Error;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A key's file, in bytes: an RSA key of 2048 bits in PKCS#8 takes 1,220.
const KEY_FILE_BYTES_MAX: u64 = 4 * 1024;

/// An existing data folder that only its owner can enter.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let data = Self(path.to_owned());
        data.make(path)?;
        data.make(&data.keys())?;
        data.make(&data.0.join("orders"))?;
        Ok(data)
    }

    fn make(&self, path: &Path) -> Result<(), Error> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(Error::file("make the data folder", path))
    }

    /// Where the ledger is.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.0.join("ledger.sqlite")
    }

    /// Where the class keys are.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// Where the desk's own key is.
    #[must_use]
    pub fn desk_key(&self) -> PathBuf {
        self.0.join("desk.key")
    }

    /// A fresh, empty folder for an order.
    ///
    /// # Errors
    /// [`Error::File`], also if the folder is there already.
    pub fn order(&self, order: &wire::OrderId) -> Result<PathBuf, Error> {
        let path = self.0.join("orders").join(order.to_hex());
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(Error::file("make the order's folder", &path))?;
        Ok(path)
    }

    /// The folder of the TPMs' CA, absolute; made if it is missing.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn tpm_ca(&self) -> Result<PathBuf, Error> {
        let path = self.0.join("tpm-ca");
        self.make(&path)?;
        path.canonicalize()
            .map_err(Error::file("find the TPM CA's folder", &path))
    }

    /// Ends and removes what relays of an earlier desk left behind.
    ///
    /// # Errors
    /// [`Error::Leftover`], [`Error::File`].
    pub fn clear_orders(&self) -> Result<(), Error> {
        let path = self.0.join("orders");
        crate::guard::leftover::end(&path)?;
        fs::remove_dir_all(&path)
            .map_err(Error::file("clear the orders' folder", &path))
            .and_then(|()| self.make(&path))
    }

    /// Holds the folder against a second desk until the guard is dropped or
    /// the process ends, however it ends.
    ///
    /// # Errors
    /// [`Error::DataInUse`], [`Error::File`].
    pub fn lock(&self) -> Result<DataLock, Error> {
        let path = self.0.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(Error::file("open the lock", &path))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| Error::DataInUse(self.0.clone()))?;
        Ok(DataLock(file))
    }
}

/// The lock on a data folder.
#[derive(Debug)]
pub struct DataLock(#[allow(dead_code, reason = "held, not used")] File);

/// Reads a secret that only its owner may read; `None` if there is none.
///
/// # Errors
/// [`Error::File`]; [`Error::KeyFile`] if others may read it or it is too
/// long.
pub fn read_secret(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read the key", path)(error)),
    };
    let failed = |detail| Error::KeyFile {
        path: path.to_owned(),
        detail,
    };
    let metadata = file.metadata().map_err(Error::file("read the key", path))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(failed(
            "others may read it; `chmod 600` it, or replace the key",
        ));
    }
    if metadata.len() > KEY_FILE_BYTES_MAX {
        return Err(failed("it is too long for a key; restore it from a backup"));
    }
    // The whole at once: a growing buffer would leave copies of the secret.
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES_MAX as usize));
    file.take(KEY_FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(Error::file("read the key", path))?;
    Ok(Some(bytes))
}

/// Writes a secret, 0600, whole or not at all, and on the disk when it
/// returns.
///
/// # Errors
/// [`Error::File`].
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = || Error::file("write the key", path);
    let partial = path.with_extension("partial");
    // A leftover might be readable by others: it is not written to again.
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed()(error)),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&partial)
        .map_err(failed())?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&partial, path))
        .map_err(failed())?;
    match path.parent() {
        Some(parent) => File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(failed()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_written_for_its_owner_alone_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("desk.key");
        assert!(read_secret(&path).unwrap().is_none());
        write_secret(&path, b"secret").unwrap();
        assert_eq!(read_secret(&path).unwrap().unwrap().as_slice(), b"secret");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        // Also over what an earlier write has left behind.
        let partial = path.with_extension("partial");
        fs::write(&partial, b"left").unwrap();
        fs::set_permissions(&partial, fs::Permissions::from_mode(0o644)).unwrap();
        write_secret(&path, b"other").unwrap();
        assert_eq!(read_secret(&path).unwrap().unwrap().as_slice(), b"other");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("desk.key");
        write_secret(&path, b"secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(read_secret(&path).unwrap_err().reason(), "key_file_invalid");
    }

    #[test]
    fn a_second_desk_is_kept_out() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let held = data.lock().unwrap();
        assert_eq!(data.lock().unwrap_err().reason(), "data_in_use");
        drop(held);
        data.lock().unwrap();
    }
}
