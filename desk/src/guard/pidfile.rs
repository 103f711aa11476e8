//! The pid file of a boot's folder: who of it runs, for the next desk.

use super::process::Process;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// The file's name.
const FILE: &str = "processes.json";
/// The file, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// The guard and its programs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Processes {
    pub(super) processes: Vec<Process>,
}

impl Processes {
    /// What a folder's file says; `None` if there is none that can be read.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let path = folder.join(FILE);
        let length = fs::metadata(&path).ok()?.len();
        if length > FILE_BYTES_MAX {
            return None;
        }
        serde_json::from_slice(&fs::read(&path).ok()?).ok()
    }

    /// Writes the file whole or not at all. It need not survive the machine:
    /// nothing that it names does.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let partial = folder.join("processes.partial");
        fs::write(&partial, serde_json::to_vec(self)?)?;
        fs::rename(&partial, folder.join(FILE))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Processes::read(folder.path()), None);
        let processes = Processes {
            processes: vec![Process::of(std::process::id()).unwrap()],
        };
        processes.write(folder.path()).unwrap();
        assert_eq!(Processes::read(folder.path()), Some(processes));
        for bad in ["", "[]", "{\"processes\":[],\"x\":1}"] {
            fs::write(folder.path().join(FILE), bad).unwrap();
            assert_eq!(Processes::read(folder.path()), None, "{bad}");
        }
    }
}
