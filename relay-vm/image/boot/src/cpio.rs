//! The archive that the kernel unpacks as its first file system: cpio in the
//! form `newc` (Linux, `Documentation/driver-api/early-userspace/buffer-format.rst`).
//!
//! Inode numbers count up, times, owners and device numbers of the medium are
//! zero, and paths are in byte order: the archive tells nothing of where or
//! when it was made.

use crate::Error;
use std::collections::BTreeMap;

/// A path, in bytes: far under the kernel's `PATH_MAX`.
const PATH_BYTES_MAX: usize = 255;
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// What begins each header.
const MAGIC: &[u8] = b"070701";
const HEADER_BYTES: usize = 110;
/// The name behind the last file.
const TRAILER: &str = "TRAILER!!!";

/// The files of an archive by path, in its order. Takes what this module
/// writes: names of text, nothing behind the end.
///
/// # Errors
/// `archive_malformed`.
pub fn files(archive: &[u8]) -> Result<Vec<(&str, &[u8])>, Error> {
    let mut found = Vec::new();
    let mut rest = archive;
    loop {
        let (path, mode, data) = entry(&mut rest).ok_or(Error::ArchiveMalformed)?;
        if path == TRAILER {
            return if rest.is_empty() {
                Ok(found)
            } else {
                Err(Error::ArchiveMalformed)
            };
        }
        if mode & REGULAR == REGULAR {
            found.push((path, data));
        }
    }
}

/// The next entry: path, mode, content.
fn entry<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, u32, &'a [u8])> {
    let header = rest.get(..HEADER_BYTES)?.strip_prefix(MAGIC)?;
    let field = |number: usize| {
        let digits = header.get(8 * number..8 * number + 8)?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let (mode, size, name_size) = (field(1)?, field(6)?, field(11)?);
    let name_end = HEADER_BYTES.checked_add(usize::try_from(name_size).ok()?)?;
    let name = rest.get(HEADER_BYTES..name_end)?.strip_suffix(&[0])?;
    let begin = name_end.next_multiple_of(4);
    let end = begin.checked_add(usize::try_from(size).ok()?)?;
    let data = rest.get(begin..end)?;
    *rest = rest.get(end.checked_next_multiple_of(4)?..)?;
    Some((std::str::from_utf8(name).ok()?, mode, data))
}

#[derive(Debug, Clone)]
enum Node {
    Directory,
    File { permissions: u32, data: Vec<u8> },
    Device { major: u32, minor: u32 },
}

/// An archive in the making.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    nodes: BTreeMap<String, Node>,
}

impl Archive {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an empty directory, and those above it.
    ///
    /// # Errors
    /// `archive_path`.
    pub fn directory(&mut self, path: &str) -> Result<(), Error> {
        self.insert(path, Node::Directory)
    }

    /// Adds a file, and the directories above it. `permissions` are the lower
    /// nine bits of its mode.
    ///
    /// # Errors
    /// `archive_path` if the path is not relative, plain and free.
    pub fn file(&mut self, path: &str, permissions: u32, data: Vec<u8>) -> Result<(), Error> {
        let permissions = permissions & 0o777;
        self.insert(path, Node::File { permissions, data })
    }

    /// Adds a character device, for its owner alone.
    ///
    /// # Errors
    /// `archive_path`.
    pub fn device(&mut self, path: &str, major: u32, minor: u32) -> Result<(), Error> {
        self.insert(path, Node::Device { major, minor })
    }

    fn insert(&mut self, path: &str, node: Node) -> Result<(), Error> {
        let refused = || Error::ArchivePath(path.to_owned());
        let plain = |part: &str| {
            !matches!(part, "" | "." | "..") && part.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if path.len() > PATH_BYTES_MAX || !path.split('/').all(plain) {
            return Err(refused());
        }
        for (end, _) in path.match_indices('/') {
            let above = path.get(..end).ok_or_else(refused)?;
            let found = self
                .nodes
                .entry(above.to_owned())
                .or_insert(Node::Directory);
            if !matches!(found, Node::Directory) {
                return Err(refused());
            }
        }
        let taken = self.nodes.insert(path.to_owned(), node.clone());
        match (taken, node) {
            (None, _) | (Some(Node::Directory), Node::Directory) => Ok(()),
            _ => Err(refused()),
        }
    }

    /// The archive's bytes.
    ///
    /// # Errors
    /// `archive_file_size`.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        for (inode, (path, node)) in (1..).zip(&self.nodes) {
            let (mode, links, device, data) = match node {
                Node::Directory => (DIRECTORY | 0o755, 2, (0, 0), [].as_slice()),
                Node::File { permissions, data } => {
                    (REGULAR | permissions, 1, (0, 0), data.as_slice())
                }
                Node::Device { major, minor } => {
                    (CHARACTER_DEVICE | 0o600, 1, (*major, *minor), [].as_slice())
                }
            };
            let header = Header {
                inode,
                mode,
                links,
                device,
            };
            header.write(&mut out, path, data)?;
        }
        let end = Header {
            inode: 0,
            mode: 0,
            links: 1,
            device: (0, 0),
        };
        end.write(&mut out, TRAILER, &[])?;
        Ok(out)
    }
}

struct Header {
    inode: u32,
    mode: u32,
    links: u32,
    device: (u32, u32),
}

impl Header {
    fn write(&self, out: &mut Vec<u8>, path: &str, data: &[u8]) -> Result<(), Error> {
        let size =
            u32::try_from(data.len()).map_err(|_| Error::ArchiveFileSize(path.to_owned()))?;
        let name_size = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
        let (major, minor) = self.device;
        let fields = [
            self.inode, self.mode, 0, 0, self.links, 0, size, 0, 0, major, minor, name_size, 0,
        ];
        out.extend_from_slice(b"070701");
        for field in fields {
            out.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        out.extend_from_slice(path.as_bytes());
        out.push(0);
        // The header is 110 bytes long: alignment counts from its begin, and
        // every record begins at a multiple of four.
        crate::bytes::pad(out, 4);
        out.extend_from_slice(data);
        crate::bytes::pad(out, 4);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn archive(paths: &[&str]) -> Result<Vec<u8>, Error> {
        let mut archive = Archive::new();
        for path in paths {
            archive.file(path, 0o500, path.as_bytes().to_vec())?;
        }
        archive.to_bytes()
    }

    #[test]
    fn the_order_of_adding_does_not_show() {
        assert_eq!(archive(&["b/x", "a", "b/a"]), archive(&["b/a", "b/x", "a"]));
    }

    #[test]
    fn a_directory_stands_before_what_is_in_it() {
        let bytes = archive(&["b-1", "b/x", "b.c"]).unwrap();
        let place = |name: &[u8]| bytes.windows(name.len()).position(|w| w == name).unwrap();
        assert!(place(b"\x62\x00") < place(b"b/x\x00"));
    }

    #[test]
    fn files_are_read_back_as_they_were_written() {
        let mut archive = Archive::new();
        archive
            .file("modules/a.ko", 0o400, b"odd".to_vec())
            .unwrap();
        archive.file("init", 0o500, b"program".to_vec()).unwrap();
        archive.device("dev/console", 5, 1).unwrap();
        let bytes = archive.to_bytes().unwrap();
        let expected = [("init", b"program".as_slice()), ("modules/a.ko", b"odd")];
        assert_eq!(files(&bytes).unwrap(), expected);
        for length in 0..bytes.len() {
            assert_eq!(files(&bytes[..length]), Err(Error::ArchiveMalformed));
        }
        let more = [bytes.as_slice(), &[0; 4]].concat();
        assert_eq!(files(&more), Err(Error::ArchiveMalformed));
    }

    #[test]
    fn the_first_record_is_as_the_kernel_documents_it() {
        let mut archive = Archive::new();
        archive.device("console", 5, 1).unwrap();
        let bytes = archive.to_bytes().unwrap();
        let record: &[u8] = b"070701000000010000218000000000000000000000000100000000\
            000000000000000000000000000000050000000100000008000000\
            00console\0";
        assert_eq!(&bytes[..record.len()], record);
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in [
            "", "/init", "a//b", "../x", "a/./b", "a/", "a b", "ä", "a\0b",
        ] {
            let error = archive(&[path]).unwrap_err();
            assert_eq!(error.reason(), "archive_path", "{path:?}");
        }
        let error = archive(&["a", "a/b"]).unwrap_err();
        assert_eq!(error.reason(), "archive_path");
        assert_eq!(archive(&["a", "a"]).unwrap_err().reason(), "archive_path");
        assert_eq!(archive(&["a/b", "a"]).unwrap_err().reason(), "archive_path");
    }
}
