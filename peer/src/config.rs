//! The configuration file: TOML, unknown fields refused. Trust roots are not
//! in it on purpose: they come from the command line alone (threat F3).

use crate::Error;
use crate::cli::{ConfigAction, ConfigVerb, SponsorMode};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A configuration file, in bytes: it has a dozen short lines.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// `config.toml`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// How others see you.
    pub name: Option<String>,
    /// Where to listen.
    pub listen: Option<SocketAddr>,
    /// Where your page listens.
    pub page: Option<SocketAddr>,
    /// What a broadcaster can upload.
    pub upload_mbps: Option<f64>,
    /// What a viewer gives to others.
    pub share_mbps: Option<f64>,
    /// Link to the station and relays only.
    pub relay_only: Option<bool>,
    /// Whether to be asked for a round.
    pub sponsor: Option<Sponsor>,
    /// Your desk's URI.
    pub desk: Option<String>,
}

/// Whether to be asked; `auto` needs a price on the command line.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sponsor {
    /// Ask me.
    Ask,
    /// Never ask me.
    Never,
}

impl From<Sponsor> for SponsorMode {
    fn from(value: Sponsor) -> Self {
        match value {
            Sponsor::Ask => Self::Ask,
            Sponsor::Never => Self::Never,
        }
    }
}

impl File {
    /// The file at `path`, which must exist; or the XDG one, if it exists.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Config`].
    pub fn load(path: Option<&PathBuf>) -> Result<Self, Error> {
        match path {
            Some(path) => Self::read(path),
            None => match dirs().map(|d| d.config_dir().join("config.toml")) {
                Some(path) if path.exists() => Self::read(&path),
                _ => Ok(Self::default()),
            },
        }
    }

    fn read(path: &Path) -> Result<Self, Error> {
        let text = read_bounded(path, FILE_BYTES_MAX, "config")?;
        let text = String::from_utf8(text).map_err(|_| Error::Config {
            path: path.into(),
            detail: "it is not UTF-8".into(),
        })?;
        toml::from_str(&text).map_err(|e| Error::Config {
            path: path.into(),
            detail: e.message().to_owned(),
        })
    }
}

/// Reads a file of at most `bytes_max` bytes.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn read_bounded(
    path: &Path,
    bytes_max: u64,
    step: &'static str,
) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let failed = |source| Error::File {
        step,
        path: path.into(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(failed(std::io::Error::other("it is too large")));
    }
    Ok(bytes)
}

fn dirs() -> Option<directories::ProjectDirs> {
    directories::ProjectDirs::from("", "", "roundcast")
}

/// The data folder: as given, or the XDG one.
///
/// # Errors
/// [`Error::Usage`] without a home folder.
pub fn data_dir(given: Option<PathBuf>) -> Result<PathBuf, Error> {
    given
        .or_else(|| dirs().map(|d| d.data_dir().to_owned()))
        .ok_or(Error::Usage("there is no home folder; say --data DIR"))
}

/// `roundcast config check`.
///
/// # Errors
/// What is wrong with the file.
pub fn run(options: &ConfigVerb) -> Result<u8, Error> {
    let ConfigAction::Check { config } = &options.verb;
    File::load(config.as_ref())?;
    crate::output::line("config: ok");
    Ok(0)
}
