//! Files with secrets: for their owner alone, and never half written.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// Suffix of a file that is being written; what has it is never read.
const PARTIAL: &str = "partial";

/// Replaces the file at `path` by `bytes`, mode 0600. When it returns, the
/// file is on the disk; if it fails, the old one is as it was.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_added_extension(PARTIAL);
    // A leftover might be readable by others: it is not written to again.
    absent_is_fine(fs::remove_file(&partial))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // On a full disk the leftover is in the way of whatever else is saved.
        let _ = fs::remove_file(&partial);
    }
    written.and_then(|()| sync_folder(path))
}

/// Removes a file, also from the disk; one that is not there is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_file(path)).and_then(|()| sync_folder(path))
}

/// Makes a folder that its owner alone can enter, also if it is there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// Locks a file, which is made if it is not there, for as long as the value
/// lives, or the process, however that ends; none while another one has it.
pub(crate) fn lock(path: &Path) -> io::Result<Option<File>> {
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Reads a file of at most `bytes_max` bytes.
pub(crate) fn read_secret(path: &Path, bytes_max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    // At once as large as it may get: growing would leave copies in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max.saturating_add(1)));
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
