//! The boot channel: a virtual serial port between desk and guest.

use crate::Error;
use crate::boot::line::LINE_BYTES_MAX;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

/// The port's name, as the desk gives it to the machine.
const NAME: &str = "roundcast.boot";
/// Where the kernel lists such ports.
const PORTS: &str = "/sys/class/virtio-ports";
/// How long the driver may take to find its ports, in ms. Without a desk a
/// machine waits this long before it asks the metadata service.
const FIND_MS_MAX: u64 = 2_000;
/// How long a desk may take to say its first line, in ms.
const FIRST_LINE_MS_MAX: u64 = 30_000;
/// Pause between two looks, in ms.
const LOOK_MS: u64 = 20;

/// The guest's end.
#[derive(Debug)]
pub(super) struct Channel(File);

impl Channel {
    /// Finds the port; none if the machine has no such.
    ///
    /// # Errors
    /// It is there and cannot be opened.
    pub(super) fn find() -> Result<Option<Self>, Error> {
        for _ in 0..FIND_MS_MAX / LOOK_MS {
            if let Some(device) = device(Path::new(PORTS)) {
                return File::options()
                    .read(true)
                    .write(true)
                    .open(Path::new("/dev").join(device))
                    .map(|port| Some(Self(port)))
                    .map_err(Error::system("opening the boot channel"));
            }
            std::thread::sleep(Duration::from_millis(LOOK_MS));
        }
        Ok(None)
    }

    /// A second handle of the same port.
    pub(super) fn another(&self) -> Result<Self, Error> {
        self.0
            .try_clone()
            .map(Self)
            .map_err(Error::system("sharing the boot channel"))
    }

    /// The desk's first line, with its end. Until the desk has opened its end
    /// the port reads as ended: only an end after the first byte is one.
    pub(super) fn first_line(&mut self) -> Result<String, Error> {
        let mut line = Line::default();
        let mut looks = FIRST_LINE_MS_MAX / LOOK_MS;
        loop {
            // Byte by byte: what follows the line is the relay's.
            let mut byte = [0];
            let read = self
                .0
                .read(&mut byte)
                .map_err(Error::system("reading the boot channel"))?;
            if read == 0 {
                looks = looks
                    .checked_sub(1)
                    .filter(|_| line.is_empty())
                    .ok_or(Error::Guest("the desk says no first line"))?;
                std::thread::sleep(Duration::from_millis(LOOK_MS));
            } else if let Some(line) = line.push(byte)? {
                return Ok(line);
            }
        }
    }
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A line that is being heard.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The line with its end, once that has come.
    fn push(&mut self, [byte]: [u8; 1]) -> Result<Option<String>, Error> {
        if self.0.len() >= LINE_BYTES_MAX {
            return Err(Error::Boot("the first line is too long"));
        }
        self.0.push(byte);
        if byte != b'\n' {
            return Ok(None);
        }
        String::from_utf8(std::mem::take(&mut self.0))
            .map(Some)
            .map_err(|_| Error::Boot("the first line is no text"))
    }
}

/// The device whose port has [`NAME`].
fn device(ports: &Path) -> Option<std::ffi::OsString> {
    let entries = std::fs::read_dir(ports).ok()?;
    let named = |entry: &std::fs::DirEntry| {
        std::fs::read_to_string(entry.path().join("name")).is_ok_and(|name| name.trim() == NAME)
    };
    let found = entries.flatten().find(named)?;
    Some(found.file_name())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn finds_the_port_by_its_name_alone() {
        let ports = tempfile::tempdir().unwrap();
        for (port, name) in [("vport0p1", "other\n"), ("vport0p2", "roundcast.boot\n")] {
            std::fs::create_dir(ports.path().join(port)).unwrap();
            std::fs::write(ports.path().join(port).join("name"), name).unwrap();
        }
        std::fs::create_dir(ports.path().join("vport0p3")).unwrap();
        assert_eq!(device(ports.path()).unwrap(), "vport0p2");
        assert_eq!(device(&ports.path().join("none")), None);
    }

    #[test]
    fn a_line_ends_at_its_end_and_is_bounded() {
        let mut line = Line::default();
        assert_eq!(line.push(*b"a").unwrap(), None);
        assert_eq!(line.push(*b"\n").unwrap().unwrap(), "a\n");
        let mut long = Line::default();
        for _ in 0..LINE_BYTES_MAX {
            assert_eq!(long.push(*b"a").unwrap(), None);
        }
        assert!(long.push(*b"\n").is_err());
    }
}
