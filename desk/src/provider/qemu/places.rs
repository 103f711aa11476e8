//! Places for machines on this computer, whichever desk starts them: one lock
//! file for each, which the kernel lets go of with the desk that holds it.

use super::setting::GUESTS_MAX;
use crate::Error;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The lock files.
#[derive(Debug, Clone)]
pub(super) struct Places {
    files: Vec<PathBuf>,
}

/// A place, for as long as it is held.
#[derive(Debug)]
pub(super) struct Place {
    _lock: OwnedFd,
}

impl Places {
    /// Those in `folder`, which every desk of this computer has to share.
    ///
    /// # Errors
    /// [`Error::Setting`]: no lock file can be opened there.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let file = |number| folder.join(format!("roundcast-machine-{number}.lock"));
        let files: Vec<_> = (0..GUESTS_MAX).map(file).collect();
        if files.iter().any(|path| lock_file(path).is_err()) {
            return Err(Error::Setting(
                "qemu.places has to be a folder in which lock files can be opened",
            ));
        }
        Ok(Self { files })
    }

    /// Takes a place that nobody has.
    pub(super) fn take(&self) -> Option<Place> {
        self.files.iter().find_map(|path| {
            let file = lock_file(path).ok()?;
            flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
            Some(Place { _lock: file })
        })
    }
}

/// Opens a lock file, and makes it where it is not. For reading alone: another
/// user's file serves as well, and no kernel refuses to open it.
fn lock_file(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => {
            let mode = Mode::RUSR | Mode::RGRP | Mode::ROTH;
            match open(path, flags | OFlags::CREATE | OFlags::EXCL, mode) {
                // Another desk was first.
                Err(Errno::EXIST) => open(path, flags, Mode::empty()),
                made => made,
            }
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn two_desks_share_the_places_of_a_computer() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (Places::open(folder.path()), Places::open(folder.path()));
        let (one, two) = (one.unwrap(), two.unwrap());
        let first = one.take().unwrap();
        let second = two.take().unwrap();
        assert!(one.take().is_none() && two.take().is_none());
        drop(first);
        let again = two.take().unwrap();
        assert!(one.take().is_none());
        drop((second, again));
        assert!(one.take().is_some());
    }

    #[test]
    fn desks_that_share_none_count_for_themselves() {
        let places = || {
            let folder = tempfile::tempdir().unwrap();
            let places = Places::open(folder.path()).unwrap();
            (places.take(), places.take(), places.take(), folder)
        };
        for (one, two, three, _folder) in [places(), places()] {
            assert!(one.is_some() && two.is_some() && three.is_none());
        }
    }

    #[test]
    fn a_folder_without_room_for_locks_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Places::open(&folder.path().join("none")).unwrap_err();
        assert!(refused.to_string().contains("qemu.places"), "{refused}");
    }
}
