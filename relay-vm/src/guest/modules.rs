//! The kernel's modules, in the image's order.

use crate::Error;
use rustix::io::Errno;
use std::fs::File;
use std::path::Path;

/// Where the image has them.
const FOLDER: &str = "/modules";
/// Modules that an image may name: twice what one needs.
const MODULES_MAX: usize = 64;
/// The list, in bytes: [`MODULES_MAX`] names.
const ORDER_BYTES_MAX: u64 = 8 * 1024;

/// Loads every module of `/modules/order`; the kernel checks their
/// signatures. How many there were.
///
/// # Errors
/// The list or a module cannot be read, or the kernel refuses one. A driver
/// whose device this machine lacks is no failure.
pub(super) fn load_all() -> Result<usize, Error> {
    let order = Path::new(FOLDER).join("order");
    let step = || "reading /modules/order";
    let length = order.metadata().map_err(Error::system(step()))?.len();
    if length > ORDER_BYTES_MAX {
        return Err(Error::Guest("/modules/order is too long"));
    }
    let text = std::fs::read_to_string(order).map_err(Error::system(step()))?;
    let names = names(&text)?;
    for name in &names {
        load(name)?;
    }
    Ok(names.len())
}

fn load(name: &str) -> Result<(), Error> {
    let file = File::open(Path::new(FOLDER).join(format!("{name}.ko")))
        .map_err(Error::system(format!("opening module {name}")))?;
    match rustix::system::finit_module(&file, c"", 0) {
        Ok(()) | Err(Errno::EXIST | Errno::NODEV) => Ok(()),
        Err(errno) => Err(Error::call(format!("loading module {name}"))(errno)),
    }
}

/// One name per line, with or without `.ko`.
fn names(text: &str) -> Result<Vec<&str>, Error> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let names: Vec<&str> = lines
        .map(|line| line.strip_suffix(".ko").unwrap_or(line))
        .collect();
    if names.len() > MODULES_MAX {
        return Err(Error::Guest("/modules/order names too many modules"));
    }
    let plain = |name: &&str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    if names.iter().all(plain) {
        Ok(names)
    } else {
        Err(Error::Guest("/modules/order names no module"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keeps_the_order_and_takes_both_spellings() {
        let found = names("virtio_ring.ko\nvirtio\n\nvirtio-rng.ko\n").unwrap();
        assert_eq!(found, ["virtio_ring", "virtio", "virtio-rng"]);
    }

    #[test]
    fn refuses_paths_and_too_many() {
        for text in ["../evil.ko", "a/b", "a b", ".ko", "a.ko.ko"] {
            assert!(names(text).is_err(), "{text}");
        }
        assert!(names(&"m\n".repeat(MODULES_MAX + 1)).is_err());
    }
}
