//! `recipe.json`: what an image was made of, so that others can make it again
//! and see what differs if they cannot.

use serde::{Deserialize, Serialize};

/// Its name in an image's folder.
pub const FILE: &str = "recipe.json";
/// The `schema` of a recipe.
pub const SCHEMA: &str = "roundcast.recipe/1";

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Its name.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Its source package.
    pub source: String,
    /// Sources that its content was built from besides.
    pub built_using: Option<String>,
    /// SHA-256 of the `.deb` file.
    pub package_sha256: String,
    /// Whether it is the one that the source pins.
    pub pinned: bool,
}

/// A file out of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The package.
    pub origin: Origin,
    /// What the file says of its own version.
    pub version_text: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// What the program was compiled with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    /// `rustc -vV`: version, commit, LLVM.
    pub rustc: String,
    /// The C library that is linked in: its package's version.
    pub libc: String,
    /// SHA-256 of its file, `libc.a`.
    pub libc_sha256: String,
    /// The compiler of the little C and assembly in dependencies.
    pub cc: String,
    /// The linker, as the executable names it.
    pub linker: String,
    /// The flags, with the places of this machine replaced.
    pub flags: String,
}

/// The program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// SHA-256 of the executable.
    pub sha256: String,
    /// The source's commit, where the source was committed.
    pub commit: Option<String>,
    /// None if the executable was given.
    pub toolchain: Option<Toolchain>,
}

/// A module, in the order of loading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// What came out, unsigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// SHA-256 of the archive with the program and the modules.
    pub initrd_sha256: String,
    /// SHA-256 of `relay.efi`.
    pub image_sha256: String,
    /// SHA-256 of `disk.img`.
    pub disk_sha256: String,
}

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// [`SCHEMA`].
    pub schema: String,
    /// The program.
    pub program: Program,
    /// The kernel.
    pub kernel: Input,
    /// The stub.
    pub stub: Input,
    /// The modules.
    pub modules: Vec<Module>,
    /// The kernel's command line.
    pub command_line: String,
    /// The text of `os-release`.
    pub os_release: String,
    /// The result.
    pub output: Output,
}

impl Recipe {
    /// Names of the inputs in which two recipes differ. Where there is one,
    /// different results say nothing about honesty.
    #[must_use]
    pub fn other_inputs(&self, other: &Self) -> Vec<&'static str> {
        let toolchain = |recipe: &Self| recipe.program.toolchain.clone();
        [
            ("commit", self.program.commit != other.program.commit),
            ("toolchain", toolchain(self) != toolchain(other)),
            ("kernel", self.kernel.sha256 != other.kernel.sha256),
            ("stub", self.stub.sha256 != other.stub.sha256),
            ("modules", self.modules != other.modules),
            ("command line", self.command_line != other.command_line),
            ("os-release", self.os_release != other.os_release),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }
}
