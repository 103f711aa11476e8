//! Reading and writing the files of images and keys.

use crate::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// Programs, kernels, packages, disks: the largest is a kernel's package.
pub const BYTES_MAX: u64 = 256 << 20;
/// JSON files of an image.
const JSON_BYTES_MAX: u64 = 4 << 20;
/// The largest key is one of RSA with 4096 bits in PKCS#8.
const KEY_BYTES_MAX: u64 = 4096;
/// Holes of a disk are left out in pieces of this size.
const HOLE_BYTES: usize = 4096;

/// Reads a file of at most [`BYTES_MAX`].
///
/// # Errors
/// `file_failed`, `file_too_large`.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_bounded(path, BYTES_MAX)
}

fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(Error::file("read", path))?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::file("read", path))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= bytes_max) {
        Ok(bytes)
    } else {
        Err(Error::FileTooLarge {
            path: path.to_owned(),
            bytes_max,
        })
    }
}

/// Writes a file whole or not at all.
///
/// # Errors
/// `file_failed`, `disk_full`.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace(path, 0o644, |file| file.write_all(bytes))
}

/// Writes a disk, its zeros as holes: it takes the room of its content.
///
/// # Errors
/// `file_failed`, `disk_full`.
pub fn write_sparse(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace(path, 0o644, |file| {
        file.set_len(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
        let mut offset = 0;
        for piece in bytes.chunks(HOLE_BYTES) {
            if piece.iter().any(|byte| *byte != 0) {
                file.seek(SeekFrom::Start(offset))?;
                file.write_all(piece)?;
            }
            offset += HOLE_BYTES as u64;
        }
        Ok(())
    })
}

/// Writes a secret for its owner alone.
///
/// # Errors
/// `keys_exist`, `file_failed`, `disk_full`.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let opened = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path);
    let mut file = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Error::KeysExist(path.to_owned()));
        }
        opened => opened.map_err(Error::file("write", path))?,
    };
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(Error::file("write", path))
}

/// Reads a secret that only its owner may read.
///
/// # Errors
/// `file_failed`, `key_file_invalid`.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let refused = |detail| Error::KeyFile {
        path: path.to_owned(),
        detail,
    };
    let file = File::open(path).map_err(Error::file("read the key", path))?;
    let metadata = file.metadata().map_err(Error::file("read the key", path))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(refused(
            "others may read it; `chmod 600` it, or replace the key",
        ));
    }
    if metadata.len() > KEY_BYTES_MAX {
        return Err(refused(
            "it is too long for a key; restore it from a backup",
        ));
    }
    // The whole at once: a growing buffer would leave copies of the secret.
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES_MAX as usize));
    let read = file.take(KEY_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(Error::file("read the key", path))?;
    Ok(bytes)
}

/// Reads a JSON file of an image's folder.
///
/// # Errors
/// `file_failed`, `file_too_large`, `json_malformed`.
pub fn read_json<T: DeserializeOwned>(folder: &Path, name: &'static str) -> Result<T, Error> {
    let bytes = read_bounded(&folder.join(name), JSON_BYTES_MAX)?;
    serde_json::from_slice(&bytes).map_err(|_| Error::JsonMalformed { name })
}

/// Writes a JSON file for people too: indented, with a final newline.
///
/// # Errors
/// `file_failed`, `disk_full`.
pub fn write_json<T: Serialize>(folder: &Path, name: &'static str, value: &T) -> Result<(), Error> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|_| Error::JsonMalformed { name })?;
    bytes.push(b'\n');
    write(&folder.join(name), &bytes)
}

/// Makes a folder and those above it.
///
/// # Errors
/// `file_failed`, `disk_full`.
pub fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::file("make the folder", path))
}

/// Makes a folder that its owner alone may look into, and those above it.
///
/// # Errors
/// `file_failed`, `disk_full`.
pub fn make_own_folder(path: &Path) -> Result<(), Error> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.map_err(Error::file("make the folder", path))
}

fn replace(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), Error> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let opened = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(mode)
        .open(partial);
    let mut file = opened.map_err(Error::file("write", path))?;
    let done = fill(&mut file)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(partial, path));
    if done.is_err() {
        // What is left of it is of no use to anybody.
        let _ = fs::remove_file(partial);
    }
    done.map_err(Error::file("write", path))
}
