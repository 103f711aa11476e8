//! The program inside the image: one static executable, the same bytes
//! wherever it is compiled.

use crate::command::run;
use crate::digest::sha256;
use crate::recipe::Toolchain;
use crate::{Error, files};
use boot::Error as BootError;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Object, ObjectSection};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The only target of images.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The program interpreter's header (ELF's `PT_INTERP`): a static executable
/// has none.
const INTERPRETER: u32 = object::elf::PT_INTERP;

/// What begins the linker's line in an executable's section `.comment`.
const LINKER_MARK: &str = "Linker: ";
/// The C library that is linked in, as the C compiler finds it.
const LIBC: &str = "libc.a";
/// Variables that steer rustc, cargo, or the compiler of the C in
/// dependencies. What an image is compiled with is this file's to say: one of
/// them would give other bytes under an unchanged recipe.
const STEERING: [&str; 12] = [
    "AR",
    "ARFLAGS",
    "CC",
    "CFLAGS",
    "CPPFLAGS",
    "CXX",
    "CXXFLAGS",
    "LDFLAGS",
    "RANLIB",
    "RUSTC",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
];
/// As [`STEERING`], by how they begin: `CARGO_PROFILE_RELEASE_LTO`,
/// `RUSTC_WRAPPER`, `CC_x86_64_unknown_linux_gnu`.
const STEERING_PREFIXES: [&str; 13] = [
    "AR_",
    "CARGO_BUILD_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CARGO_UNSTABLE_",
    "CC_",
    "CFLAGS_",
    "CXXFLAGS_",
    "CXX_",
    "HOST_",
    "RUSTC_",
    "TARGET_",
    "CRATE_CC_",
];

/// Which program to compile, and where.
#[derive(Debug, Clone)]
pub struct Source {
    /// The project's folder, with `Cargo.lock`.
    pub folder: PathBuf,
    /// The package.
    pub package: String,
    /// Its program.
    pub program: String,
    /// Cargo's target folder; a folder of its own keeps other builds from
    /// being done again.
    pub target: PathBuf,
}

impl Source {
    /// The relay of the project at `folder`.
    #[must_use]
    pub fn relay(folder: &Path, target: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            package: "relay-vm".into(),
            program: "roundcast-relay".into(),
            target: target.to_owned(),
        }
    }

    /// Compiles it with cargo, and tells with what.
    ///
    /// # Errors
    /// `tool_missing`, `tool_failed`, `file_failed`.
    pub fn compile(&self) -> Result<(Vec<u8>, Toolchain), Error> {
        let places = self.places()?;
        let remaps = |option: &str| {
            let remaps: Vec<_> = places
                .iter()
                .map(|(from, to)| format!("{option}={from}={to}"))
                .collect();
            remaps.join(" ")
        };
        let fixed = "-C target-feature=+crt-static -C strip=symbols \
                     -C link-arg=-Wl,--build-id=none";
        let mut cargo = cargo();
        cargo
            .current_dir(&self.folder)
            .args(["build", "--locked", "--release", "--target", TARGET])
            .args(["--package", &self.package, "--bin", &self.program])
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "0")
            .env(
                "RUSTFLAGS",
                format!("{fixed} {}", remaps("--remap-path-prefix")),
            )
            .env("CFLAGS", remaps("-ffile-prefix-map"));
        run("compile the program", "cargo", &mut cargo)?;
        let path = self.target.join(TARGET).join("release").join(&self.program);
        let executable = files::read(&path)?;
        let toolchain = toolchain(fixed, linker(&executable)?)?;
        Ok((executable, toolchain))
    }

    /// Folders of this machine, and what stands for them in the executable.
    /// Of two that match, rustc takes the later: the narrower comes last.
    fn places(&self) -> Result<Vec<(String, &'static str)>, Error> {
        let absolute = |path: &Path| {
            std::path::absolute(path)
                .map(|path| path.to_string_lossy().into_owned())
                .map_err(Error::file("find", path))
        };
        let mut places = vec![(absolute(&self.folder)?, "/source")];
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(directories::BaseDirs::new()?.home_dir().join(".cargo")));
        if let Some(home) = home {
            places.push((absolute(&home)?, "/cargo"));
        }
        places.push((absolute(&self.target)?, "/target"));
        Ok(places)
    }

    /// The commit of the source, if all of it is committed.
    #[must_use]
    pub fn commit(&self) -> Option<String> {
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.current_dir(&self.folder).args(arguments);
            run("ask for the commit", "git", &mut git).ok()
        };
        let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
        let head = git(&["rev-parse", "HEAD"])?;
        changed.is_empty().then(|| head.trim().to_owned())
    }
}

/// Cargo without what this machine's environment has to say about compiling.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    for name in std::env::vars_os().map(|(name, _)| name).filter(steers) {
        cargo.env_remove(name);
    }
    // Empty, they also take the place of cargo's configuration.
    cargo
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "");
    cargo
}

/// Whether a variable of the environment has a say in what is compiled.
fn steers(name: &OsString) -> bool {
    let name = OsStr::to_string_lossy(name);
    STEERING.contains(&name.as_ref())
        || STEERING_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// What linked an executable, by its own word: rustc chooses among several,
/// and asks none that is in the path.
fn linker(executable: &[u8]) -> Result<String, Error> {
    let elf = ElfFile64::<object::LittleEndian>::parse(executable).ok();
    let comment = elf.as_ref().and_then(|elf| elf.section_by_name(".comment"));
    let data = comment.and_then(|section| section.data().ok());
    let mut lines = data.unwrap_or_default().split(|byte| *byte == 0);
    lines
        .find_map(|line| std::str::from_utf8(line).ok()?.strip_prefix(LINKER_MARK))
        .map(str::to_owned)
        .ok_or(Error::LinkerUnknown)
}

fn toolchain(flags: &str, linker: String) -> Result<Toolchain, Error> {
    let say = |package, tool: &str, arguments: &[&str]| {
        run(
            "ask for the version",
            package,
            Command::new(tool).args(arguments),
        )
    };
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let libc = say("gcc", "cc", &[&format!("--print-file-name={LIBC}")])?;
    let rustc = say("cargo", "rustc", &["--version", "--verbose"])?;
    Ok(Toolchain {
        rustc: rustc.lines().collect::<Vec<_>>().join("; "),
        libc: say(
            "dpkg",
            "dpkg-query",
            &["--show", "--showformat=${Version}", "libc6-dev"],
        )?,
        libc_sha256: sha256(&files::read(Path::new(libc.trim()))?),
        cc: first(say("gcc", "cc", &["--version"])?),
        linker,
        flags: flags.to_owned(),
    })
}

/// Refuses an executable that is not for this machine or needs a dynamic
/// linker: the image holds no other file that it could load.
///
/// # Errors
/// `program_dynamic`, `executable_malformed`.
pub fn check(executable: &[u8], path: &Path) -> Result<(), Error> {
    let malformed = || BootError::Executable {
        file: "program",
        part: "its ELF header",
    };
    let header = object::elf::FileHeader64::<object::LittleEndian>::parse(executable)
        .map_err(|_| malformed())?;
    let endian = header.endian().map_err(|_| malformed())?;
    if header.e_machine(endian) != object::elf::EM_X86_64 {
        return Err(malformed().into());
    }
    let segments = header
        .program_headers(endian, executable)
        .map_err(|_| malformed())?;
    if segments
        .iter()
        .any(|segment| segment.p_type(endian) == INTERPRETER)
    {
        return Err(Error::ProgramDynamic(path.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_the_bytes_unseen_is_cleared() {
        for name in [
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER",
            "CC",
            "CC_x86_64_unknown_linux_gnu",
            "TARGET_CFLAGS",
        ] {
            assert!(steers(&name.into()), "{name}");
        }
        // Where things are, not what is made of them.
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "RUSTUP_TOOLCHAIN",
            "CCACHE_DIR",
        ] {
            assert!(!steers(&name.into()), "{name}");
        }
    }

    /// This test is linked by what rustc takes for the image, too.
    #[test]
    fn an_executable_names_what_linked_it() {
        let own = files::read(&std::env::current_exe().unwrap()).unwrap();
        let named = linker(&own).unwrap();
        assert!(named.contains("LLD"), "{named}");
        assert_eq!(linker(b"\x7fELF").unwrap_err().reason(), "linker_unknown");
    }
}
