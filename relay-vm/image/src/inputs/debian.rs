//! Packages through Debian's own programs, which check the mirror's
//! signatures.

use super::Pin;
use crate::command::run;
use crate::{Error, files};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a package says of itself.
pub(super) struct Fields {
    pub(super) package: String,
    pub(super) version: String,
    /// The source package, with its version where it differs.
    pub(super) source: String,
    /// Sources that its content was built from besides.
    pub(super) built_using: Option<String>,
}

/// The pinned package from the cache or the mirror; the current one if the
/// mirror has the pinned one no more.
pub(super) fn download(pin: &Pin, cache: &Path) -> Result<PathBuf, Error> {
    files::make_folder(cache)?;
    let kept = cache.join(file_name(&pin.package, &pin.version));
    if kept.is_file() {
        return Ok(kept);
    }
    match fetch(&pin.package, &pin.version, cache) {
        Err(Error::ToolFailed { .. }) => {
            let package = current_name(&pin.current)?;
            let version = current_version(&package)?;
            fetch(&package, &version, cache)
        }
        done => done,
    }
}

/// apt writes into its working folder; the name is apt's, with a colon of the
/// version escaped.
fn fetch(package: &str, version: &str, cache: &Path) -> Result<PathBuf, Error> {
    let path = cache.join(file_name(package, version));
    if !path.is_file() {
        let mut apt = Command::new("apt-get");
        apt.args(["--quiet", "download", &format!("{package}={version}")])
            .current_dir(cache);
        run("download", "apt", &mut apt)?;
    }
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::PackageContent {
            package: package.to_owned(),
            what: "amd64 package",
        })
    }
}

fn file_name(package: &str, version: &str) -> String {
    format!("{package}_{}_amd64.deb", version.replace(':', "%3a"))
}

/// The package that a name without content depends on, or the name itself.
fn current_name(name: &str) -> Result<String, Error> {
    let listing = cache_query("depends", name)?;
    let needed = listing
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "));
    let image = needed.filter(|needed| needed.starts_with("linux-image-"));
    Ok(image.unwrap_or(name).trim().to_owned())
}

fn current_version(package: &str) -> Result<String, Error> {
    let policy = cache_query("policy", package)?;
    let version = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "));
    match version {
        Some(version) if version != "(none)" => Ok(version.to_owned()),
        _ => Err(Error::PackageContent {
            package: package.to_owned(),
            what: "version on the mirror",
        }),
    }
}

fn cache_query(query: &str, package: &str) -> Result<String, Error> {
    // Its words are looked for below: they must not be translated.
    let mut command = Command::new("apt-cache");
    run(
        "look for a package",
        "apt",
        command.env("LC_ALL", "C.UTF-8").args([query, package]),
    )
}

/// Reads a package's control fields.
pub(super) fn fields(package: &Path) -> Result<Fields, Error> {
    let field = |name: &str| {
        let mut command = Command::new("dpkg-deb");
        run(
            "read the package",
            "dpkg",
            command.arg("--field").arg(package).arg(name),
        )
        .map(|text| text.trim().to_owned())
    };
    let name = field("Package")?;
    let source = field("Source")?;
    let built_using = field("Built-Using")?;
    Ok(Fields {
        version: field("Version")?,
        source: if source.is_empty() {
            name.clone()
        } else {
            source
        },
        package: name,
        built_using: Some(built_using).filter(|text| !text.is_empty()),
    })
}

/// Unpacks a package into a folder; runs none of its scripts.
pub(super) fn unpack(package: &Path, folder: &Path) -> Result<(), Error> {
    let mut command = Command::new("dpkg-deb");
    command.arg("--extract").arg(package).arg(folder);
    run("unpack", "dpkg", &mut command).map(|_| ())
}
