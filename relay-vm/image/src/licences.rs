//! The licences of what an image holds besides the program's own source, as
//! the packages carry them, and the texts that these refer to.

use crate::inputs::{Kernel, Stub};
use crate::{Error, files};
use std::path::Path;

/// A file of an image's folder, and where it is on a Debian machine.
type Copied = (&'static str, &'static str);

/// Of what is linked into a static program.
const LINKED: [Copied; 2] = [
    ("glibc-copyright", "/usr/share/doc/libc6/copyright"),
    ("libgcc-copyright", "/usr/share/doc/libgcc-s1/copyright"),
];
/// The licences by their names there.
const TEXTS: [Copied; 3] = [
    ("GPL-2.txt", "/usr/share/common-licenses/GPL-2"),
    ("GPL-3.txt", "/usr/share/common-licenses/GPL-3"),
    ("LGPL-2.1.txt", "/usr/share/common-licenses/LGPL-2.1"),
];

/// Names and contents of the files.
///
/// # Errors
/// `file_failed`: this machine has dropped the licences of its own packages.
pub(crate) fn list(kernel: &Kernel, stub: &Stub) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
    let mut list = vec![
        ("kernel-copyright", kernel.copyright.clone()),
        ("stub-copyright", stub.copyright.clone()),
    ];
    for (name, path) in LINKED.into_iter().chain(TEXTS) {
        list.push((name, files::read(Path::new(path))?));
    }
    Ok(list)
}
