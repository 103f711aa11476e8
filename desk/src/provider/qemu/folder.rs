//! The folder of one boot: everything in it is made afresh, and goes with it.

use super::command::{BOOT_SOCKET, CONSOLE_SOCKET, TPM_STATE, VARIABLES};
use crate::error::LaunchFailure;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// A boot's folder, with the sockets at which the desk waits for its machine.
pub(super) struct BootFolder {
    path: PathBuf,
    boot: UnixListener,
    console: UnixListener,
}

impl BootFolder {
    /// Furnishes an empty folder: the firmware's variables as they were
    /// released, a place for a new TPM, and the sockets.
    pub(super) fn furnish(path: &Path, variables: &[u8]) -> Result<Self, LaunchFailure> {
        let furnished = std::fs::write(path.join(VARIABLES), variables)
            .and_then(|()| std::fs::create_dir(path.join(TPM_STATE)))
            .and_then(|()| Ok((listen(path, BOOT_SOCKET)?, listen(path, CONSOLE_SOCKET)?)));
        let (boot, console) = furnished.map_err(|_| LaunchFailure::Folder)?;
        Ok(Self {
            path: path.to_owned(),
            boot,
            console,
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The machine's console and its boot channel, when it has opened both.
    pub(super) async fn accept(&self) -> Result<(UnixStream, UnixStream), LaunchFailure> {
        let lost = |_| LaunchFailure::Folder;
        let (console, _) = self.console.accept().await.map_err(lost)?;
        let (channel, _) = self.boot.accept().await.map_err(lost)?;
        Ok((console, channel))
    }
}

/// Listens at `name` in a folder. A socket's path has 108 bytes at most, and
/// a data folder may lie deep: it is named by its open handle.
fn listen(folder: &Path, name: &str) -> std::io::Result<UnixListener> {
    let handle = File::open(folder)?;
    UnixListener::bind(format!("/proc/self/fd/{}/{name}", handle.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_deep_folder_has_its_sockets_too() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let furnished = BootFolder::furnish(&deep, b"keys").unwrap();
        assert_eq!(std::fs::read(deep.join(VARIABLES)).unwrap(), b"keys");
        assert!(deep.join(BOOT_SOCKET).exists() && deep.join(CONSOLE_SOCKET).exists());
        drop(furnished);
        let again = BootFolder::furnish(&deep, b"keys");
        assert_eq!(again.err(), Some(LaunchFailure::Folder));
    }
}
