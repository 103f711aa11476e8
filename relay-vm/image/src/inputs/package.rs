//! Taking kernel, modules and stub out of packages.

use super::{Package, debian};
use crate::recipe::Origin;
use crate::{Error, files};
use boot::modules::{self, Modules};
use std::fs;
use std::path::{Path, PathBuf};

const STUB_PATH: &str = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";
/// Folders of a package are not nested deeper.
const DEPTH_MAX: usize = 16;

/// A kernel with its modules.
#[derive(Debug)]
pub struct Kernel {
    /// `vmlinuz`.
    pub file: Vec<u8>,
    /// All modules of the package.
    pub modules: Modules,
    /// The licence that the package carries.
    pub copyright: Vec<u8>,
    /// Where it comes from.
    pub origin: Origin,
}

impl Kernel {
    /// Unpacks a package of the form `linux-image-*`.
    ///
    /// # Errors
    /// `package_content`, `tool_failed`, `file_failed`.
    pub fn open(package: Package) -> Result<Self, Error> {
        let folder = unpacked(&package)?;
        let lacks = |what| Error::PackageContent {
            package: package.origin.package.clone(),
            what,
        };
        let vmlinuz = listed(&folder.path().join("boot"))?
            .into_iter()
            .find(|path| stem_begins(path, "vmlinuz-"))
            .ok_or_else(|| lacks("boot/vmlinuz-*"))?;
        let mut found = Modules::new();
        for libraries in ["lib/modules", "usr/lib/modules"] {
            collect(&folder.path().join(libraries), DEPTH_MAX, &mut found)?;
        }
        if found.is_empty() {
            return Err(lacks("uncompressed kernel modules"));
        }
        Ok(Self {
            file: files::read(&vmlinuz)?,
            modules: found,
            copyright: files::read(&copyright_path(folder.path(), &package.origin.package))?,
            origin: package.origin,
        })
    }
}

/// systemd's stub.
#[derive(Debug)]
pub struct Stub {
    /// `linuxx64.efi.stub`.
    pub file: Vec<u8>,
    /// The licence that the package carries.
    pub copyright: Vec<u8>,
    /// Where it comes from.
    pub origin: Origin,
}

impl Stub {
    /// Unpacks the package `systemd-boot-efi`.
    ///
    /// # Errors
    /// `package_content`, `tool_failed`, `file_failed`.
    pub fn open(package: Package) -> Result<Self, Error> {
        let folder = unpacked(&package)?;
        let path = folder.path().join(STUB_PATH);
        if !path.is_file() {
            let package = package.origin.package;
            return Err(Error::PackageContent {
                package,
                what: "linuxx64.efi.stub",
            });
        }
        Ok(Self {
            file: files::read(&path)?,
            copyright: files::read(&copyright_path(folder.path(), &package.origin.package))?,
            origin: package.origin,
        })
    }
}

fn unpacked(package: &Package) -> Result<tempfile::TempDir, Error> {
    let folder = tempfile::tempdir().map_err(Error::file("make the folder", Path::new("/tmp")))?;
    debian::unpack(&package.path, folder.path())?;
    Ok(folder)
}

fn copyright_path(folder: &Path, package: &str) -> PathBuf {
    folder.join("usr/share/doc").join(package).join("copyright")
}

fn stem_begins(path: &Path, begin: &str) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(begin))
}

/// The entries of a folder in order of their names; none if it is not there.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(Error::file("read", folder))?;
    let paths: Result<Vec<_>, _> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let mut paths = paths.map_err(Error::file("read", folder))?;
    paths.sort();
    Ok(paths)
}

fn collect(folder: &Path, depth: usize, found: &mut Modules) -> Result<(), Error> {
    for path in listed(folder)? {
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() && depth > 0 {
            collect(&path, depth - 1, found)?;
        } else if path.extension().is_some_and(|extension| extension == "ko")
            && let Some(stem) = path.file_stem()
        {
            found.insert(modules::name(&stem.to_string_lossy()), files::read(&path)?);
        }
    }
    Ok(())
}
