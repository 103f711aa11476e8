//! Why the tool stopped.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Each variant is one refusal with one stable name, see [`Error::reason`].
#[derive(Debug, Error)]
pub enum Error {
    /// The bytes cannot be made, signed or measured.
    #[error(transparent)]
    Boot(#[from] boot::Error),
    /// A key, a root or a release is refused.
    #[error(transparent)]
    Attest(#[from] attest::Error),
    /// A file cannot be read or written.
    #[error("{step} {path}: {source}; check the path and its rights")]
    File {
        /// What was being done, e.g. `read`.
        step: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No room.
    #[error("write {0}: the disk is full; make room (an image needs 200 MB) and start again")]
    DiskFull(PathBuf),
    /// A file that is larger than any of its kind.
    #[error("read {path}: over {bytes_max} bytes; this is another file than is meant")]
    FileTooLarge {
        /// Which.
        path: PathBuf,
        /// The limit.
        bytes_max: u64,
    },
    /// A program that is needed is not installed.
    #[error("{tool}: not installed; `apt-get install {package}`")]
    ToolMissing {
        /// Its name.
        tool: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A program failed.
    #[error("{step}: {tool} failed: {detail}; correct this and start again")]
    ToolFailed {
        /// What it was to do.
        step: &'static str,
        /// Its name.
        tool: String,
        /// The end of what it said.
        detail: String,
    },
    /// The list of inputs cannot be read.
    #[error("inputs: {0}; see `inputs.toml` of the project for the form")]
    Inputs(String),
    /// A package has other bytes than its pin says.
    #[error(
        "inputs: {package} has SHA-256 {found}, not {expected}; remove it from the cache, or correct the pin if you know why it changed"
    )]
    InputChanged {
        /// Its name.
        package: String,
        /// The pin.
        expected: String,
        /// What came.
        found: String,
    },
    /// A package without the file that is needed from it.
    #[error("inputs: {package} holds no {what}; name another file with --kernel or --stub")]
    PackageContent {
        /// Its name.
        package: String,
        /// What was looked for.
        what: &'static str,
    },
    /// The image is over its limit.
    #[error("image: {bytes} bytes, over the limit of {bytes_max}; leave modules out")]
    ImageTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The program is not one that can run alone.
    #[error("program: {0} needs other files to run; build it statically, see `build --help`")]
    ProgramDynamic(PathBuf),
    /// The program does not say what linked it.
    #[error("program: it does not name its linker; compile it with the Rust of this project")]
    LinkerUnknown,
    /// A release that no machine could be started with by user data.
    #[error(
        "release: as user data it takes up to {bytes} bytes, over the {bytes_max} of EC2; deny fewer, or shorten its texts"
    )]
    UserDataTooLarge {
        /// The first line of a boot with it.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A JSON file of an image's folder cannot be read.
    #[error("{name}: not in its form; build the image again")]
    JsonMalformed {
        /// The file's name.
        name: &'static str,
    },
    /// A key file that is no key, or that others may read.
    #[error("key {path}: {detail}")]
    KeyFile {
        /// Which.
        path: PathBuf,
        /// What is wrong and what to do.
        detail: &'static str,
    },
    /// Keys would be overwritten.
    #[error("keys: {0} exists; choose a new folder, keys are never overwritten")]
    KeysExist(PathBuf),
    /// Keys or certificates cannot be made.
    #[error("keys: {0} cannot be made; start again")]
    KeyNotMade(&'static str),
    /// The system gives no random numbers.
    #[error("randomness: the system gives none; start again")]
    Randomness,
    /// The clock was never set.
    #[error("clock: it was never set; set it and start again")]
    Clock,
    /// An option's value is out of its bounds.
    #[error("{option}: {detail}")]
    Option {
        /// The option.
        option: &'static str,
        /// What it may be.
        detail: &'static str,
    },
    /// The image's source commit is not known.
    #[error("commit: the image was built from uncommitted source; name it with --commit")]
    CommitUnknown,
    /// What was verified differs; the report says in what.
    #[error("verify: {0} of the checks failed; do not use this release")]
    Differs(usize),
}

impl Error {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Boot(error) => error.reason(),
            Self::Attest(error) => error.reason(),
            Self::File { .. } => "file_failed",
            Self::DiskFull(_) => "disk_full",
            Self::FileTooLarge { .. } => "file_too_large",
            Self::ToolMissing { .. } => "tool_missing",
            Self::ToolFailed { .. } => "tool_failed",
            Self::Inputs(_) => "inputs_malformed",
            Self::InputChanged { .. } => "input_changed",
            Self::PackageContent { .. } => "package_content",
            Self::ImageTooLarge { .. } => "image_too_large",
            Self::ProgramDynamic(_) => "program_dynamic",
            Self::LinkerUnknown => "linker_unknown",
            Self::UserDataTooLarge { .. } => "user_data_too_large",
            Self::JsonMalformed { .. } => "json_malformed",
            Self::KeyFile { .. } => "key_file_invalid",
            Self::KeysExist(_) => "keys_exist",
            Self::KeyNotMade(_) => "key_not_made",
            Self::Randomness => "randomness_unavailable",
            Self::Clock => "clock_unset",
            Self::Option { .. } => "option_invalid",
            Self::CommitUnknown => "commit_unknown",
            Self::Differs(_) => "differs",
        }
    }

    /// For `map_err`: a failed step on a file.
    pub(crate) fn file(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(path),
            _ => Self::File { step, path, source },
        }
    }
}
