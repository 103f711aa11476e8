//! Why an image cannot be made, signed or measured.

use thiserror::Error;

/// Each variant is one refusal with one stable name, see [`Error::reason`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// A path that does not belong into an archive.
    #[error("archive: the path {0:?} is not plain and relative; rename the file")]
    ArchivePath(String),
    /// An archive that this crate did not write.
    #[error("archive: it is not as this program writes it; build the image again")]
    ArchiveMalformed,
    /// A file that one archive cannot hold.
    #[error("archive: {0} is over 4 GiB; it cannot be part of an image")]
    ArchiveFileSize(String),
    /// A module that is not one, or is compressed.
    #[error("modules: {0} is not an uncompressed kernel module; use Debian's cloud kernel")]
    ModuleMalformed(String),
    /// A module that is needed and not there.
    #[error("modules: {0} is not in the kernel's package; use linux-image-*-cloud-amd64")]
    ModuleMissing(String),
    /// A module that a locked-down kernel would not load.
    #[error("modules: {0} carries no signature; use the distribution's signed kernel package")]
    ModuleUnsigned(String),
    /// Modules that need each other.
    #[error("modules: {0} needs itself; the kernel's package is damaged, download it again")]
    ModuleCycle(String),
    /// Not an EFI executable for this architecture, or damaged.
    #[error("{file}: {part} cannot be read; it is damaged or no EFI executable, get it again")]
    Executable {
        /// Which file.
        file: &'static str,
        /// What of it.
        part: &'static str,
    },
    /// The executable ends before its sections do.
    #[error("{file}: it is cut short; get it again")]
    Truncated {
        /// Which file.
        file: &'static str,
    },
    /// The stub's measurements are not known.
    #[error("stub: {0}; use systemd-boot-efi in a version that `recipe.json` of a release names")]
    StubUnknown(String),
    /// No room for more section headers.
    #[error("stub: its header has no room for {0} more sections; use another version of it")]
    StubHeaderFull(usize),
    /// The kernel cannot be started by the stub.
    #[error("kernel: {0}; use vmlinuz of linux-image-*-cloud-amd64")]
    KernelUnusable(&'static str),
    /// The executable has no such section.
    #[error("image: it has no section {0}; build it again")]
    SectionMissing(&'static str),
    /// The command line or the release text holds what the stub would not read back.
    #[error("image: the {0} is not printable ASCII; correct it in the inputs")]
    TextMalformed(&'static str),
    /// A size that the format has no room for.
    #[error("{0}: too large for its format; the image must become smaller")]
    TooLarge(&'static str),
    /// A name that FAT's short form cannot hold.
    #[error("disk: {0:?} is not a name of 8.3 capitals; rename it")]
    DiskName(String),
    /// Not the disk that this crate writes.
    #[error("disk: its {0} is not as this program writes it; build the image again")]
    DiskMalformed(&'static str),
    /// The signing certificate or key is of the wrong form.
    #[error("secure boot: the {0} cannot be used; make new keys with `roundcast-image keys`")]
    SigningKey(&'static str),
    /// The image carries a signature already.
    #[error("signature: the image is signed already; sign the unsigned one")]
    AlreadySigned,
    /// The image carries none.
    #[error("signature: the image carries none; sign it with `roundcast-image sign`")]
    SignatureMissing,
    /// The signature is somebody else's, or of other bytes.
    #[error("signature: it is not the given key's over this image; do not use it")]
    SignatureInvalid,
    /// The firmware's variables cannot be read.
    #[error("variables: {0}; use a fresh OVMF_VARS_4M.fd of the package ovmf")]
    VariablesMalformed(&'static str),
    /// Keys are enrolled already.
    #[error("variables: {0} is set already; use a fresh OVMF_VARS_4M.fd of the package ovmf")]
    VariableSet(String),
    /// No room in the store.
    #[error("variables: the store is full; enrol fewer certificates")]
    VariablesFull,
    /// The event log is not a TCG2 log.
    #[error("event log: {0} cannot be read; take it from the kernel of the measured machine")]
    EventLogMalformed(&'static str),
}

impl Error {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ArchivePath(_) => "archive_path",
            Self::ArchiveMalformed => "archive_malformed",
            Self::ArchiveFileSize(_) => "archive_file_size",
            Self::ModuleMalformed(_) => "module_malformed",
            Self::ModuleMissing(_) => "module_missing",
            Self::ModuleUnsigned(_) => "module_unsigned",
            Self::ModuleCycle(_) => "module_cycle",
            Self::Executable { .. } => "executable_malformed",
            Self::Truncated { .. } => "executable_truncated",
            Self::StubUnknown(_) => "stub_unknown",
            Self::StubHeaderFull(_) => "stub_header_full",
            Self::KernelUnusable(_) => "kernel_unusable",
            Self::SectionMissing(_) => "section_missing",
            Self::TextMalformed(_) => "text_malformed",
            Self::TooLarge(_) => "too_large",
            Self::DiskName(_) => "disk_name",
            Self::DiskMalformed(_) => "disk_malformed",
            Self::SigningKey(_) => "signing_key_invalid",
            Self::AlreadySigned => "already_signed",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureInvalid => "signature_invalid",
            Self::VariablesMalformed(_) => "variables_malformed",
            Self::VariableSet(_) => "variable_set",
            Self::VariablesFull => "variables_full",
            Self::EventLogMalformed(_) => "event_log_malformed",
        }
    }
}
