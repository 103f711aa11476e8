//! The file systems that the kernel offers; the image brings no other.

use crate::Error;
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use std::fs::create_dir_all;

/// Type and place; also the name of the source.
struct Mount {
    kind: &'static str,
    at: &'static str,
    flags: MountFlags,
    data: Option<&'static std::ffi::CStr>,
}

const STRICT: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

const MOUNTS: [Mount; 4] = [
    Mount {
        kind: "proc",
        at: "/proc",
        flags: STRICT,
        // The relay's process sees no other.
        data: Some(c"hidepid=2"),
    },
    Mount {
        kind: "sysfs",
        at: "/sys",
        flags: STRICT,
        data: None,
    },
    Mount {
        kind: "devtmpfs",
        at: "/dev",
        // It is there for its devices.
        flags: MountFlags::NOSUID.union(MountFlags::NOEXEC),
        data: None,
    },
    Mount {
        kind: "securityfs",
        at: "/sys/kernel/security",
        flags: STRICT,
        data: None,
    },
];

/// Mounts them all. One that the kernel has mounted already stays.
///
/// # Errors
/// [`Error::System`] names the place.
pub(super) fn mount_all() -> Result<(), Error> {
    for Mount {
        kind,
        at,
        flags,
        data,
    } in MOUNTS
    {
        let step = || format!("mounting {kind} at {at}");
        // Under /sys the kernel makes the folder itself.
        if !at.starts_with("/sys/") {
            create_dir_all(at).map_err(Error::system(step()))?;
        }
        match mount(kind, at, kind, flags, data) {
            Ok(()) | Err(Errno::BUSY) => {}
            Err(errno) => return Err(Error::call(step())(errno)),
        }
    }
    Ok(())
}
