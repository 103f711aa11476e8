//! `verify`: a release's folder against itself, against the developer's keys,
//! and against a rebuild.

use crate::build::{self, DISK_FILE, IMAGE_FILE};
use crate::digest::sha256;
use crate::recipe::{self, Recipe};
use crate::sign::{RELEASE_FILE, how_to_rebuild, measurements};
use crate::{Error, files, keys, measure};
use attest::release::{self, Measurements, Tpm2Measurement, TrustRoot};
use boot::{authenticode, cpio, disk, pe, uki};
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
    findings.extend(release_of(folder, &recipe, options, now)?);
    if let Some(rebuilt) = &options.against {
        findings.push(rebuild(&recipe, rebuilt)?);
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
    // The stub is joined with the rest: its own bytes cannot be told apart
    // again, and are covered by the image's hash.
    let stub = uki::stub_version(&unsigned).unwrap_or_default();
    let mut findings = vec![
        Finding::compare("kernel", &hash(".linux"), &recipe.kernel.sha256),
        Finding::compare("initrd", &hash(".initrd"), &recipe.output.initrd_sha256),
        Finding::compare("command line", &text(".cmdline"), &recipe.command_line),
        Finding::compare("os-release", &text(".osrel"), &recipe.os_release),
        Finding::compare("stub", stub, &recipe.stub.version_text),
        Finding::compare("image", &sha256(&unsigned), &recipe.output.image_sha256),
    ];
    findings.extend(archive(section(".initrd"), recipe));
    Ok(findings)
}

/// The program and the modules in the archive, against the recipe's.
fn archive(initrd: &[u8], recipe: &Recipe) -> [Finding; 2] {
    let files = match cpio::files(initrd) {
        Ok(files) => files,
        Err(error) => {
            let differs = |part| Finding::new(part, Outcome::Differs, error.to_string());
            return [differs("program"), differs("modules")];
        }
    };
    let hash = |path: &str| {
        let file = files.iter().find(|(name, _)| *name == path);
        file.map_or_else(|| "none".to_owned(), |(_, data)| sha256(data))
    };
    let told: String = recipe
        .modules
        .iter()
        .map(|module| format!("{}\n", module.name))
        .collect();
    let as_listed = hash(build::ORDER_PATH) == sha256(told.as_bytes());
    let other = recipe
        .modules
        .iter()
        .find(|module| hash(&build::module_path(&module.name)) != module.sha256);
    let modules = match other {
        Some(other) => Err(format!("{} is another file", other.name)),
        None if !as_listed => Err("the archive lists others".to_owned()),
        // Program, order, and nothing that the recipe does not name.
        None if files.len() != recipe.modules.len() + 2 => {
            Err("the archive holds other files too".to_owned())
        }
        None => Ok(()),
    };
    let detail = format!("{} as in the recipe", recipe.modules.len());
    [
        Finding::compare(
            "program",
            &hash(build::PROGRAM_PATH),
            &recipe.program.sha256,
        ),
        Finding::of("modules", modules, &detail),
    ]
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
fn release_of(
    folder: &Path,
    recipe: &Recipe,
    options: &Options,
    now: UnixMs,
) -> Result<Vec<Finding>, Error> {
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
    let source = match &recipe.program.commit {
        Some(commit) => Finding::compare("commit", &release.source_commit, commit),
        None => Finding::new("commit", Outcome::Unknown, "the recipe names none"),
    };
    let how = Finding::of(
        "recipe",
        Some(())
            .filter(|()| release.recipe == how_to_rebuild(recipe))
            .ok_or("the release says otherwise how to rebuild it"),
        "as the release says",
    );
    let measured = measured(folder, &release.measurements, options)?;
    Ok(vec![said, source, how, measured])
}

/// The first released profile that was not predicted.
fn not_in<'a>(
    released: &'a [Tpm2Measurement],
    predicted: &[Tpm2Measurement],
) -> Option<&'a Tpm2Measurement> {
    released.iter().find(|profile| !predicted.contains(profile))
}

/// What the release promises of a TPM, against what the image gives.
fn measured(folder: &Path, released: &Measurements, options: &Options) -> Result<Finding, Error> {
    let predicted = measurements(&measure::measure(folder, options.public.as_deref())?)?;
    let nitro = measurements(&measure::measure_nitro(folder)?)?;
    let other = not_in(&released.nitro_tpm, &nitro).or_else(|| not_in(&released.tpm2, &predicted));
    Ok(match other {
        None if released.tpm2.is_empty() => Finding::new(
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
    })
}

/// A rebuild with the same inputs must give the same bytes; with other inputs
/// it says nothing. The other folder's recipe is believed only as far as the
/// files beside it bear it out.
fn rebuild(recipe: &Recipe, folder: &Path) -> Result<Finding, Error> {
    let part = "rebuild";
    let rebuilt: Recipe = files::read_json(folder, recipe::FILE)?;
    let image = files::read(&folder.join(IMAGE_FILE))?;
    let mut own = content(&image, &rebuilt)?;
    own.push(disk_of(&image, &files::read(&folder.join(DISK_FILE))?));
    if let Some(other) = own.iter().find(|f| f.outcome != Outcome::Holds) {
        let detail = format!(
            "not as its own recipe says: {}: {}",
            other.part, other.detail
        );
        return Ok(Finding::new(part, Outcome::Differs, detail));
    }
    Ok(compare(part, recipe, &rebuilt))
}

fn compare(part: &'static str, recipe: &Recipe, rebuilt: &Recipe) -> Finding {
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
