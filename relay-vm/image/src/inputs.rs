//! What an image is made of besides the program: kernel and stub.

mod debian;
mod package;

pub use package::{Kernel, Stub};

use crate::recipe::Origin;
use crate::{Error, digest, files};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The pins of this source.
const PINNED: &str = include_str!("../inputs.toml");

/// A Debian package by version and hash.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Its name.
    pub package: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the `.deb` file.
    pub sha256: String,
    /// The package that leads to the current version.
    pub current: String,
}

/// What does not come from a package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Names of modules that the program loads.
    pub modules: Vec<String>,
    /// The kernel's command line.
    pub command_line: String,
}

/// The file `inputs.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// The kernel with its modules.
    pub kernel: Pin,
    /// systemd's stub.
    pub stub: Pin,
    /// The rest.
    pub image: Content,
}

impl Inputs {
    /// Those of this source, or of a file.
    ///
    /// # Errors
    /// `inputs_malformed`, `file_failed`.
    pub fn load(path: Option<&Path>) -> Result<Self, Error> {
        let text = match path {
            None => PINNED.to_owned(),
            Some(path) => String::from_utf8(files::read(path)?)
                .map_err(|_| Error::Inputs("it is not text".into()))?,
        };
        toml::from_str(&text).map_err(|error| Error::Inputs(error.message().to_owned()))
    }
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// The Debian mirror: the pinned version, or the current one where the
    /// mirror has dropped it.
    Mirror,
    /// A `.deb` file.
    File(PathBuf),
}

impl std::str::FromStr for From {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Mirror,
            path => Self::File(path.into()),
        })
    }
}

/// A package at hand, and where it came from.
#[derive(Debug)]
pub struct Package {
    path: PathBuf,
    /// For the recipe.
    pub origin: Origin,
}

/// Gets a package; downloads are kept in `cache`.
///
/// # Errors
/// `tool_missing`, `tool_failed`, `input_changed`, `file_failed`.
pub fn obtain(pin: &Pin, from: &From, cache: &Path) -> Result<Package, Error> {
    let path = match from {
        From::Mirror => debian::download(pin, cache)?,
        From::File(path) => path.clone(),
    };
    let fields = debian::fields(&path)?;
    let sha256 = digest::sha256(&files::read(&path)?);
    let named = fields.package == pin.package && fields.version == pin.version;
    if named && sha256 != pin.sha256 {
        return Err(Error::InputChanged {
            package: pin.package.clone(),
            expected: pin.sha256.clone(),
            found: sha256,
        });
    }
    let origin = Origin {
        package: fields.package,
        version: fields.version,
        source: fields.source,
        built_using: fields.built_using,
        package_sha256: sha256,
        pinned: named,
    };
    Ok(Package { path, origin })
}
