//! The project's programs: built on demand by the cargo that runs us, found
//! by what it reports.

use serde_json::Value;
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use thiserror::Error;

/// The profile that everything is built in: optimised, and quick to link.
const PROFILE: &str = "demo";
/// The packages whose programs make up an evening.
const PACKAGES: [&str; 3] = ["peer", "relay-vm", "desk"];

/// Why there are no programs.
#[derive(Debug, Error)]
pub enum ProgramsError {
    /// cargo could not be run.
    #[error("run {cargo} build: {source}; install Rust and start this with `cargo demo`")]
    Cargo {
        /// The executable.
        cargo: String,
        /// Why.
        source: io::Error,
    },
    /// cargo refused.
    #[error("build the programs of {packages}: cargo failed; its messages are above")]
    Build {
        /// What was built.
        packages: String,
    },
    /// The build did not produce a program.
    #[error(
        "find the program {0}: neither cargo nor the target folder has it; start this with `cargo demo`"
    )]
    Missing(String),
    /// The own executable's place is unknown.
    #[error("find the target folder: {0}; start this with `cargo demo`")]
    Target(io::Error),
}

impl ProgramsError {
    /// The stable name.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Cargo { .. } => "cargo_missing",
            Self::Build { .. } => "build_failed",
            Self::Missing(_) => "program_missing",
            Self::Target(_) => "target_missing",
        }
    }
}

/// The executables of an evening.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The client.
    pub roundcast: PathBuf,
    /// The relay.
    pub relay: PathBuf,
    /// Shop and desk.
    pub desk: PathBuf,
    /// The developer's tool for images; empty where there are none.
    pub image: PathBuf,
}

impl Programs {
    /// Builds the programs if this process was started by cargo; else finds
    /// them beside the own executable. `images` says whether the tool for
    /// images is among them.
    ///
    /// # Errors
    /// See [`ProgramsError`].
    pub fn find(images: bool) -> Result<Self, ProgramsError> {
        let (folder, _) = folders()?;
        let built = match cargo() {
            Some(cargo) => {
                let image = images.then_some("image");
                let packages: Vec<_> = PACKAGES.into_iter().chain(image).collect();
                build(&cargo, &packages, None)?
            }
            None => BTreeMap::new(),
        };
        let find = |name: &str| locate(&built, &folder, name);
        Ok(Self {
            roundcast: find("roundcast")?,
            relay: find("roundcast-relay")?,
            desk: find("roundcast-desk")?,
            image: if images {
                find("roundcast-image")?
            } else {
                PathBuf::new()
            },
        })
    }
}

/// Builds or finds one of threat-model's programs. They are built in an
/// invocation and target folder of their own: cargo would otherwise unify
/// their `ablation` feature into the programs that are attacked.
///
/// # Errors
/// See [`ProgramsError`].
pub fn attacker(name: &str) -> Result<PathBuf, ProgramsError> {
    let (_, target) = folders()?;
    let target = target.join("threat-model");
    let built = match cargo() {
        Some(cargo) => build(&cargo, &["threat-model"], Some(&target))?,
        None => BTreeMap::new(),
    };
    locate(&built, &target.join(PROFILE), name)
}

/// cargo sets this for what it runs.
fn cargo() -> Option<String> {
    env::var("CARGO").ok()
}

/// The folder of our own executable, and the target folder above it.
fn folders() -> Result<(PathBuf, PathBuf), ProgramsError> {
    let own = env::current_exe().map_err(ProgramsError::Target)?;
    let missing = || ProgramsError::Target(io::ErrorKind::NotFound.into());
    let folder = own.parent().ok_or_else(missing)?;
    let target = folder.parent().ok_or_else(missing)?;
    Ok((folder.to_owned(), target.to_owned()))
}

fn build(
    cargo: &str,
    packages: &[&str],
    target: Option<&Path>,
) -> Result<BTreeMap<String, PathBuf>, ProgramsError> {
    let mut command = Command::new(cargo);
    command.args(["build", "--profile", PROFILE, "--bins"]);
    command.args(packages.iter().flat_map(|package| ["-p", package]));
    command.arg("--message-format=json-render-diagnostics");
    if let Some(target) = target {
        command.arg("--target-dir").arg(target);
    }
    // What cargo told us of our own package: build scripts that watch it (ring
    // does) would run again, and all that depends on them be built again.
    for (name, _) in env::vars_os().filter(|(name, _)| tells_of_us(name)) {
        command.env_remove(name);
    }
    // cargo resolves packages by the folder it runs in.
    if let Some(folder) = env::var_os("CARGO_MANIFEST_DIR") {
        command.current_dir(folder);
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| ProgramsError::Cargo {
            cargo: cargo.to_owned(),
            source,
        })?;
    if !output.status.success() {
        return Err(ProgramsError::Build {
            packages: packages.join(", "),
        });
    }
    Ok(executables(&String::from_utf8_lossy(&output.stdout)))
}

/// Variables that cargo sets for what it runs, and not for a build.
fn tells_of_us(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// Reads cargo's messages: name of each executable, and where it is.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let path = message.get("executable")?.as_str()?;
        let name = message.get("target")?.get("name")?.as_str()?;
        Some((name.to_owned(), PathBuf::from(path)))
    };
    messages.lines().filter_map(executable).collect()
}

fn locate(
    built: &BTreeMap<String, PathBuf>,
    folder: &Path,
    name: &str,
) -> Result<PathBuf, ProgramsError> {
    let beside = folder.join(name);
    match built.get(name) {
        Some(path) => Ok(path.clone()),
        None if beside.is_file() => Ok(beside),
        None => Err(ProgramsError::Missing(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_executables_in_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"wire"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"roundcast"},"executable":"/t/demo/roundcast"}"#,
            "\nnot json\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = executables(messages);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found.get("roundcast"),
            Some(&PathBuf::from("/t/demo/roundcast"))
        );
    }

    #[test]
    fn hides_from_the_build_who_asks_for_it() {
        assert!(tells_of_us(OsStr::new("CARGO_PKG_NAME")));
        assert!(tells_of_us(OsStr::new("CARGO_MANIFEST_DIR")));
        assert!(!tells_of_us(OsStr::new("CARGO_HOME")));
        assert!(!tells_of_us(OsStr::new("CARGO_TARGET_DIR")));
    }

    #[test]
    fn names_a_program_that_is_nowhere() {
        let error = locate(&BTreeMap::new(), Path::new("/nowhere"), "roundcast");
        assert!(matches!(error, Err(ProgramsError::Missing(name)) if name == "roundcast"));
    }
}
