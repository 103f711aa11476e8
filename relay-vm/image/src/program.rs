//! The program inside the image: one static executable, the same bytes
//! wherever it is compiled.

use crate::command::run;
use crate::recipe::Toolchain;
use crate::{Error, files};
use boot::Error as BootError;
use object::read::elf::{FileHeader, ProgramHeader};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The only target of images.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The program interpreter's header (ELF's `PT_INTERP`): a static executable
/// has none.
const INTERPRETER: u32 = object::elf::PT_INTERP;

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
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(&self.folder)
            .args(["build", "--locked", "--release", "--target", TARGET])
            .args(["--package", &self.package, "--bin", &self.program])
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "0")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env(
                "RUSTFLAGS",
                format!("{fixed} {}", remaps("--remap-path-prefix")),
            )
            .env("CFLAGS", remaps("-ffile-prefix-map"));
        run("compile the program", "cargo", &mut cargo)?;
        let path = self.target.join(TARGET).join("release").join(&self.program);
        Ok((files::read(&path)?, toolchain(fixed)?))
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

fn toolchain(flags: &str) -> Result<Toolchain, Error> {
    let say = |package, tool: &str, arguments: &[&str]| {
        run(
            "ask for the version",
            package,
            Command::new(tool).args(arguments),
        )
    };
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let rustc = say("cargo", "rustc", &["--version", "--verbose"])?;
    Ok(Toolchain {
        rustc: rustc.lines().collect::<Vec<_>>().join("; "),
        libc: say(
            "dpkg",
            "dpkg-query",
            &["--show", "--showformat=${Version}", "libc6-dev"],
        )?,
        cc: first(say("gcc", "cc", &["--version"])?),
        linker: first(say("binutils", "ld", &["--version"])?),
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
