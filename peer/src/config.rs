//! The configuration file: TOML, unknown fields refused. Trust roots are not
//! in it on purpose: they come from the command line alone (threat F3).

use crate::Error;
use crate::cli::{self, ConfigAction, ConfigVerb, SponsorMode};
use serde::Deserialize;
use serde_json::json;
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
        match Self::find(path) {
            Some(path) => Self::read(&path),
            None => Ok(Self::default()),
        }
    }

    /// The file that counts: the named one, or the XDG one, if it exists.
    fn find(named: Option<&PathBuf>) -> Option<PathBuf> {
        named.cloned().or_else(|| {
            let path = dirs()?.config_dir().join("config.toml");
            path.exists().then_some(path)
        })
    }

    /// Whether every value is one that `broadcast` and `watch` take.
    fn check(&self, path: &Path) -> Result<(), Error> {
        let wrong = |detail: &str| Error::Config {
            path: path.into(),
            detail: detail.to_owned(),
        };
        if let Some(uri) = &self.desk {
            uri.parse::<voucher::DeskUri>()
                .map_err(|e| wrong(&format!("desk: {e}")))?;
        }
        for (name, mbps) in [
            ("upload_mbps", self.upload_mbps),
            ("share_mbps", self.share_mbps),
        ] {
            if mbps.is_some_and(|mbps| cli::bps(mbps, name).is_err()) {
                return Err(wrong(&format!("{name} must be a rate in Mbit/s")));
            }
        }
        if self.page.is_some_and(|page| !page.ip().is_loopback()) {
            return Err(wrong(
                "page must be a loopback address, such as 127.0.0.1:0",
            ));
        }
        Ok(())
    }

    fn read(path: &Path) -> Result<Self, Error> {
        let text = read_bounded(path, FILE_BYTES_MAX, "config")?;
        let text = String::from_utf8(text).map_err(|_| Error::Config {
            path: path.into(),
            detail: "it is not UTF-8".into(),
        })?;
        let file: Self = toml::from_str(&text).map_err(|e| Error::Config {
            path: path.into(),
            detail: with_line(&text, &e),
        })?;
        file.check(path)?;
        Ok(file)
    }
}

/// What is wrong, and in which line.
fn with_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message.to_owned(),
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
    let ConfigAction::Check { config, json } = &options.verb;
    let path = File::find(config.as_ref());
    File::load(config.as_ref())?;
    let path = path.map(|path| path.display().to_string());
    if *json {
        let told = json!({"schema": "roundcast.config/1", "ok": true, "path": path});
        crate::output::line(&told.to_string());
        return Ok(0);
    }
    match path {
        Some(path) => crate::output::line(&format!("config: {path}: ok")),
        None => crate::output::line("config: there is no file; the defaults hold"),
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(text: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let error = File::load(Some(&file.path().to_owned())).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    }

    #[test]
    fn a_value_that_no_command_takes_is_refused_with_its_name() {
        for (text, named) in [
            ("name = 'A'\ncolour = 'red'", "line 2: "),
            ("desk = 'https://desk.example'", "desk: "),
            ("share_mbps = -1.0", "share_mbps must be a rate"),
            ("upload_mbps = inf", "upload_mbps must be a rate"),
            ("page = '0.0.0.0:80'", "page must be a loopback address"),
        ] {
            let said = refused(text);
            assert!(said.contains(named), "{text}: {said}");
        }
    }

    #[test]
    fn a_named_file_counts_even_if_it_is_missing() {
        let missing = PathBuf::from("/nonexistent/config.toml");
        assert_eq!(File::find(Some(&missing)), Some(missing.clone()));
        let error = File::load(Some(&missing)).unwrap_err();
        assert_eq!(error.reason(), "file_unusable");
    }
}
