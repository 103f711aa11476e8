//! The one error of this crate: each names the step and what to do next.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a step of the shop or the desk failed.
#[derive(Debug, Error)]
pub enum Error {
    /// The configuration file does not parse.
    #[error("read the configuration {path}: {detail}; correct the file")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        detail: String,
    },
    /// A setting has no good value.
    #[error("check the configuration: {0}; correct the setting")]
    Setting(&'static str),
    /// A file or folder of the desk's data.
    #[error("{step} {path}: {source}; check that the folder exists, is writable and has space")]
    File {
        /// What was to be done.
        step: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A secret's file can be read by others, or holds something else.
    #[error(
        "read the key {path}: {detail}; make it its owner's alone, or restore it from a backup"
    )]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: &'static str,
    },
    /// Another desk uses the data folder.
    #[error("open the data folder {0}: another desk uses it; stop that one or take another folder")]
    DataInUse(PathBuf),
    /// SQLite.
    #[error("{step}: {source}; check the disk and the file ledger.sqlite")]
    Ledger {
        /// What was to be done.
        step: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The ledger's file was written by another version, or is damaged.
    #[error("open the ledger: {0}; use the program that wrote it, or restore a backup")]
    LedgerForm(&'static str),
    /// A row is not in the state that the step expects.
    #[error("move the order on: it is no longer {0}; ask for its state")]
    OrderState(&'static str),
    /// A voucher, or a key or request about one.
    #[error(transparent)]
    Voucher(#[from] voucher::Error),
    /// The voucher was spent by another redemption, which is shown.
    #[error(
        "redeem the voucher: it was spent before; `spent_by` shows the redemption that spent it"
    )]
    Spent(Box<voucher::RedeemRequest>),
    /// The shop knows no such code.
    #[error("buy the voucher: the purchase code is not known; ask the operator for another")]
    CodeUnknown,
    /// The code is good for another class.
    #[error("buy the voucher: the purchase code is good for {0}; buy that class")]
    CodeClass(String),
    /// All vouchers of the code were bought.
    #[error("buy the voucher: the purchase code is used up; ask the operator for another")]
    CodeUsedUp,
    /// The desk has no such release channel.
    #[error("redeem the voucher: this desk has no release channel of that name; it has `{0}`")]
    ChannelUnknown(String),
    /// No order has this id.
    #[error("look for the order: this desk has no order of that id; check the desk's address")]
    OrderUnknown,
    /// The body is not the JSON of the request.
    #[error("read the request: {0}; use a client of this version")]
    RequestMalformed(String),
    /// The body is over its limit.
    #[error("read the request: its body is over {0} bytes; send less")]
    RequestTooLarge(usize),
    /// No such address.
    #[error("route the request: there is nothing at this address; see /v1/keys")]
    NotFound,
    /// The request took too long.
    #[error("answer the request: it took too long; ask again, the answer will be the same")]
    Timeout,
    /// The release bundle.
    #[error("read the release bundle {path}: {detail}")]
    Release {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: &'static str,
    },
    /// The release bundle would be refused by everybody who verifies.
    #[error(
        "judge the release bundle {path}: {source}; build the relay, sign the release again, and take both from there"
    )]
    ReleaseRefused {
        /// The statement.
        path: PathBuf,
        /// The check that failed.
        source: attest::Error,
    },
    /// The trust root of `--trust-root`.
    #[error("read the trust root {path}: {source}; take the developer's root.json")]
    TrustRoot {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: attest::Error,
    },
    /// A program of the provider `qemu` is not installed.
    #[error(
        "find {program}: it is not on this machine; install Debian's package {package}, or set its path in the configuration"
    )]
    Program {
        /// The program or file.
        program: PathBuf,
        /// Where Debian has it.
        package: &'static str,
    },
    /// The CA of the provider's TPMs.
    #[error(
        "open the TPMs' CA: {0} cannot be made or read; look at what swtpm_setup says, or remove the folder tpm-ca"
    )]
    TpmCa(&'static str),
    /// What a guard is to run.
    #[error("read the guard's plan: {0}; guards are started by a desk, not by hand")]
    Plan(&'static str),
    /// A process of an earlier desk cannot be ended.
    #[error("end what an earlier desk left: process {0} stays; end it, then start the desk again")]
    Leftover(u32),
    /// A key or certificate could not be made.
    #[error(transparent)]
    Certs(#[from] certs::Error),
    /// The address cannot be listened on.
    #[error("listen on {address}: {source}; choose another address or end the program that has it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// TLS could not be set up.
    #[error("set up TLS: {0}; restore the desk's key and certificate from a backup")]
    Tls(#[from] rustls::Error),
    /// The system gives no randomness.
    #[error("draw randomness: the system gives none; check the kernel's entropy source")]
    Randomness,
    /// The clock is before any key epoch.
    #[error("read the clock: it stands before 2000; set the system's time")]
    Clock,
    /// A task was cancelled: the desk is ending.
    #[error("answer the request: the desk is ending; ask again later")]
    Ending,
}

/// Where a relay's start failed. Every one of them is definite: nothing runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LaunchFailure {
    /// The program cannot be executed.
    #[error(
        "the program cannot be executed: it has to be of this machine's kind, and the desk's to run"
    )]
    Spawn,
    /// The program cannot be measured.
    #[error("the program cannot be measured: check that the release's file can be read")]
    Measure,
    /// The program ended or closed its output.
    #[error("the program ended before it was ready: its own last words say why")]
    Ended,
    /// A line of the boot protocol did not come in time.
    #[error("the program was not ready in time: the machine may be too busy")]
    Timeout,
    /// A line of the boot protocol is malformed.
    #[error("the program does not follow the boot protocol: take desk and release of one version")]
    Protocol,
    /// The desk ended while the relay was being started.
    #[error("the desk ended meanwhile")]
    DeskEnded,
    /// The desk's own data folder failed.
    #[error("the order's folder cannot be made: check the data folder's rights and space")]
    Folder,
    /// The platform statement could not be made.
    #[error("the platform statement cannot be made: check the system's clock and randomness")]
    Platform,
    /// As many machines run as may.
    #[error("all places for machines on this computer are taken: wait for one to end")]
    GuestsFull,
    /// No port for the relay.
    #[error("the relay's address is not one of this machine: correct --relay-address")]
    Address,
    /// The machine's TPM could not be made or run.
    #[error(
        "the machine's TPM cannot be made or run: check swtpm and swtpm_setup, and the disk's space"
    )]
    Tpm,
    /// The firmware refused the image.
    #[error("Secure Boot refused the image: take disk.img and OVMF_VARS.fd of one developer")]
    BootRefused,
    /// The machine was not ready in time.
    #[error("the machine was not ready in time: its last lines say how far it came")]
    BootTimeout,
    /// The endorsement key is none of this desk's TPMs.
    #[error("the endorsement key is not one of this desk's TPMs")]
    Endorsement,
    /// The endorsement key is that of another machine of this desk.
    #[error("the endorsement key is that of another boot")]
    OtherBoot,
    /// The attestation key may sign what its TPM did not make.
    #[error("the attestation key is not one for attestation alone")]
    AttestationKey,
    /// The secret of the credential was not told.
    #[error("the attestation key is not in this boot's TPM")]
    Activation,
}

impl LaunchFailure {
    /// The stable name.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Spawn => "launch_spawn_failed",
            Self::Measure => "launch_measure_failed",
            Self::Ended => "launch_relay_ended",
            Self::Timeout => "launch_timeout",
            Self::Protocol => "launch_protocol_error",
            Self::DeskEnded => "launch_desk_ended",
            Self::Folder => "launch_folder_failed",
            Self::Platform => "launch_platform_failed",
            Self::GuestsFull => "launch_guests_full",
            Self::Address => "launch_address_failed",
            Self::Tpm => "launch_tpm_failed",
            Self::BootRefused => "boot_refused",
            Self::BootTimeout => "boot_timeout",
            Self::Endorsement => "launch_ek_refused",
            Self::OtherBoot => "launch_ek_of_another_boot",
            Self::AttestationKey => "launch_ak_refused",
            Self::Activation => "launch_activation_failed",
        }
    }
}

impl Error {
    /// The stable name of this refusal or failure.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Config { .. } | Self::Setting(_) => "config_invalid",
            Self::File { .. } => "file_error",
            Self::KeyFile { .. } => "key_file_invalid",
            Self::DataInUse(_) => "data_in_use",
            Self::Ledger { .. } => "ledger_unavailable",
            Self::LedgerForm(_) => "ledger_invalid",
            Self::OrderState(_) => "order_state",
            Self::Voucher(error) => error.reason(),
            Self::Spent(_) => "spent",
            Self::CodeUnknown => "code_unknown",
            Self::CodeClass(_) => "code_class_mismatch",
            Self::CodeUsedUp => "code_used_up",
            Self::ChannelUnknown(_) => "channel_unknown",
            Self::OrderUnknown => "order_unknown",
            Self::RequestMalformed(_) => "request_malformed",
            Self::RequestTooLarge(_) => "request_too_large",
            Self::NotFound => "not_found",
            Self::Timeout => "timeout",
            Self::Release { .. } => "release_bundle_invalid",
            Self::ReleaseRefused { source, .. } | Self::TrustRoot { source, .. } => source.reason(),
            Self::Program { .. } => "program_missing",
            Self::TpmCa(_) => "tpm_ca_failed",
            Self::Plan(_) => "guard_plan_invalid",
            Self::Leftover(_) => "leftover_process",
            Self::Certs(error) => error.reason(),
            Self::Listen { .. } => "listen_failed",
            Self::Tls(_) => "tls_failed",
            Self::Randomness => "randomness_unavailable",
            Self::Clock => "clock_invalid",
            Self::Ending => "desk_ending",
        }
    }

    /// 2 for what the operator has to say in another way, 1 for a failure.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config { .. } | Self::Setting(_) => 2,
            _ => 1,
        }
    }

    /// For `map_err` after a file operation.
    pub(crate) fn file(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { step, path, source }
    }

    /// For `map_err` after an SQLite operation.
    pub(crate) fn ledger(step: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Ledger { step, source }
    }
}
