//! `verify`: a release's folder against itself, against the developer's keys,
//! and against a rebuild.

use crate::build::{DISK_FILE, IMAGE_FILE};
use crate::digest::sha256;
use crate::recipe::{self, Recipe};
use crate::sign::{RELEASE_FILE, measurements};
use crate::{Error, files, keys, measure};
use attest::release::{self, Tpm2Measurement, TrustRoot};
use boot::{authenticode, disk, pe};
use serde::Serialize;
use std::path::{Path, PathBuf};
use wire::UnixMs;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Holds,
    /// Not as it should be.
    Differs,
    /// Nothing can be said: what is needed was not given, or the inputs were
    /// others.
    Unknown,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub part: &'static str,
    /// The outcome.
    pub outcome: Outcome,
    /// In words, for people.
    pub detail: String,
}

impl Finding {
    fn new(part: &'static str, outcome: Outcome, detail: impl Into<String>) -> Self {
        Self {
            part,
            outcome,
            detail: detail.into(),
        }
    }

    fn compare(part: &'static str, found: &str, expected: &str) -> Self {
        if found == expected {
            Self::new(part, Outcome::Holds, one_line(found))
        } else {
            let detail = format!("{}, not {}", one_line(found), one_line(expected));
            Self::new(part, Outcome::Differs, detail)
        }
    }

    fn of<T, E: std::fmt::Display>(part: &'static str, result: Result<T, E>, detail: &str) -> Self {
        match result {
            Ok(_) => Self::new(part, Outcome::Holds, detail),
            Err(error) => Self::new(part, Outcome::Differs, error.to_string()),
        }
    }
}

fn one_line(text: &str) -> String {
    text.trim_end().escape_default().to_string()
}

/// What to verify with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The developer's root.
    pub root: Option<PathBuf>,
    /// The folder with the certificates of Secure Boot.
    pub public: Option<PathBuf>,
    /// A rebuild's folder.
    pub against: Option<PathBuf>,
}

/// Checks everything that can be checked; differences are findings, an error
/// is a folder that cannot be read.
///
/// # Errors
/// `file_failed`, `json_malformed`, `executable_malformed`.
pub fn verify(folder: &Path, options: &Options, now: UnixMs) -> Result<Vec<Finding>, Error> {
    let recipe: Recipe = files::read_json(folder, recipe::FILE)?;
    let image = files::read(&folder.join(IMAGE_FILE))?;
    let mut findings = content(&image, &recipe)?;
    findings.push(disk_of(&image, &files::read(&folder.join(DISK_FILE))?));
    findings.push(signature(&image, options)?);
    findings.extend(release_of(folder, options, now)?);
    if let Some(rebuilt) = &options.against {
        let rebuilt = files::read_json(rebuilt, recipe::FILE)?;
        findings.push(rebuild(&recipe, &rebuilt));
    }
    Ok(findings)
}

/// The image against its recipe, section by section.
fn content(image: &[u8], recipe: &Recipe) -> Result<Vec<Finding>, Error> {
    let unsigned = authenticode::unsigned(image)?;
    let parsed = pe::read(&unsigned, "image")?;
    let section = |name| pe::section(&parsed, name).unwrap_or_default();
    let hash = |name| sha256(section(name));
    let text = |name| String::from_utf8_lossy(section(name)).into_owned();
    Ok(vec![
        Finding::compare("kernel", &hash(".linux"), &recipe.kernel.sha256),
        Finding::compare("initrd", &hash(".initrd"), &recipe.output.initrd_sha256),
        Finding::compare("command line", &text(".cmdline"), &recipe.command_line),
        Finding::compare("os-release", &text(".osrel"), &recipe.os_release),
        Finding::compare("image", &sha256(&unsigned), &recipe.output.image_sha256),
    ])
}

fn disk_of(image: &[u8], disk: &[u8]) -> Finding {
    match disk::executable(disk) {
        Ok(found) if found == image => {
            Finding::new("disk", Outcome::Holds, "holds the image and nothing else")
        }
        Ok(_) => Finding::new("disk", Outcome::Differs, "holds another image"),
        Err(error) => Finding::new("disk", Outcome::Differs, error.to_string()),
    }
}

fn signature(image: &[u8], options: &Options) -> Result<Finding, Error> {
    let part = "signature";
    let Some(public) = &options.public else {
        return Ok(Finding::new(
            part,
            Outcome::Unknown,
            "no certificates given (--public)",
        ));
    };
    let certificate = keys::certificates(public)?.db;
    Ok(Finding::of(
        part,
        authenticode::verify(image, &certificate),
        "by the key of `db`",
    ))
}

/// The release against the root, and its measurements against the image.
fn release_of(folder: &Path, options: &Options, now: UnixMs) -> Result<Vec<Finding>, Error> {
    let Some(root) = &options.root else {
        let detail = "no root given (--root)";
        return Ok(vec![Finding::new("release", Outcome::Unknown, detail)]);
    };
    let root = TrustRoot::parse(&files::read(root)?)?;
    let json = files::read(&folder.join(RELEASE_FILE))?;
    let release = match release::verify(&json, &root, now) {
        Ok(release) => release,
        Err(error) => return Ok(vec![Finding::of("release", Err::<(), _>(error), "")]),
    };
    let said = Finding::new("release", Outcome::Holds, release.name());
    let predicted = measurements(&measure::measure(folder, options.public.as_deref())?)?;
    let nitro = measurements(&measure::measure_nitro(folder)?)?;
    let released = &release.measurements.tpm2;
    let not_in = |list: &[Tpm2Measurement], predicted: &[Tpm2Measurement]| {
        let other = list.iter().find(|profile| !predicted.contains(profile));
        other.cloned()
    };
    let other =
        not_in(&release.measurements.nitro_tpm, &nitro).or_else(|| not_in(released, &predicted));
    let measured = match other {
        None if released.is_empty() => Finding::new(
            "measurements",
            Outcome::Differs,
            "the release has none for a TPM",
        ),
        None => Finding::new(
            "measurements",
            Outcome::Holds,
            "as predicted from the image",
        ),
        Some(other) if options.public.is_none() => {
            let detail = format!("{}: no certificates given (--public)", other.name);
            Finding::new("measurements", Outcome::Unknown, detail)
        }
        Some(other) => {
            let detail = format!("{} is not what this image gives", other.name);
            Finding::new("measurements", Outcome::Differs, detail)
        }
    };
    Ok(vec![said, measured])
}

/// A rebuild with the same inputs must give the same bytes; with other inputs
/// it says nothing.
fn rebuild(recipe: &Recipe, rebuilt: &Recipe) -> Finding {
    let part = "rebuild";
    let (ours, theirs) = (&rebuilt.output, &recipe.output);
    if ours == theirs && rebuilt.program.sha256 == recipe.program.sha256 {
        return Finding::new(part, Outcome::Holds, "the same bytes");
    }
    let other = rebuilt.other_inputs(recipe);
    if other.is_empty() {
        let program = rebuilt.program.sha256 != recipe.program.sha256;
        let detail = if program {
            "same inputs, another program"
        } else {
            "same inputs, another image"
        };
        return Finding::new(part, Outcome::Differs, detail);
    }
    Finding::new(
        part,
        Outcome::Unknown,
        format!("other inputs: {}", other.join(", ")),
    )
}
