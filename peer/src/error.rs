//! What can go wrong in the client, each with its exit code and its fix.

use std::path::{Path, PathBuf};
use thiserror::Error;
use wire::Reason;

/// Failures of the client's commands.
#[derive(Debug, Error)]
pub enum Error {
    /// A file or folder cannot be used.
    #[error(
        "{step}: {path} cannot be used ({source}); check that it exists, that you may use it, and that the disk is not full"
    )]
    File {
        /// The step.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// The configuration file.
    #[error("config: {path}: {detail}; see `roundcast config check`")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A smaller rendition that is none.
    #[error(
        "input: {0} is not smaller than the input before it, or its rate cannot be read off it; name the inputs from the best to the smallest, each fragmented MP4"
    )]
    NoLadder(PathBuf),
    /// A combination of options.
    #[error("usage: {0}")]
    Usage(&'static str),
    /// The invite.
    #[error(transparent)]
    Invite(#[from] wire::invite::InviteError),
    /// Socket and links.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// A signature, certificate, permit or seal.
    #[error(transparent)]
    Certs(#[from] certs::Error),
    /// A trust root, release or evidence.
    #[error(transparent)]
    Attest(#[from] attest::Error),
    /// The media.
    #[error(transparent)]
    Media(#[from] media::Error),
    /// The page.
    #[error(transparent)]
    Page(#[from] page::Error),
    /// A voucher.
    #[error(transparent)]
    Voucher(#[from] voucher::Error),
    /// A message that does not fit its bounds.
    #[error(transparent)]
    Decode(#[from] wire::DecodeError),
    /// The desk cannot be reached or broke off.
    #[error("desk: {step}: {detail}; check the desk's address and that it is running")]
    DeskAway {
        /// The step.
        step: &'static str,
        /// What happened.
        detail: String,
    },
    /// The desk refused.
    #[error(
        "desk: {step}: refused: {reason}: {message}; see the voucher's state with `roundcast wallet list`"
    )]
    DeskRefused {
        /// The step.
        step: &'static str,
        /// The stable name.
        reason: String,
        /// The desk's words.
        message: String,
    },
    /// Another server than the pinned desk answered.
    #[error(
        "desk: another key than the pinned one answered; this is not your desk, nothing was sent: ask its operator for the right URI"
    )]
    DeskKey,
    /// The station refused us.
    #[error("join: refused: {}", explain(*.0))]
    Refused(Reason),
    /// The station has gone.
    #[error("station: it has gone ({0}); ask the broadcaster whether the stream goes on")]
    StationGone(Reason),
    /// The station ordered an edge that `--relay-only` rules out.
    #[error(
        "edge: the station orders a link with another viewer, which --relay-only rules out; tell the broadcaster, or watch without it"
    )]
    NotRelayOnly,
    /// What is written to `--out` is not taken.
    #[error(
        "out: {path} takes nothing, and {bytes} bytes wait; let its reader read on, or write to a faster disk"
    )]
    OutStalled {
        /// The file.
        path: PathBuf,
        /// What waits, in bytes.
        bytes: u64,
    },
    /// The run's keys have ended.
    #[error(
        "run: it has lasted as long as its keys are good for; start the station again, and give its new invite to the viewers"
    )]
    RunOver,
    /// There is no run that could be taken up.
    #[error("resume: no run of this station was cut short; begin a new one, without --resume")]
    NothingToResume,
    /// Another station uses the saved run.
    #[error("resume: a station with the same --data is on the air; end that one first")]
    RunLocked,
    /// The saved run is damaged.
    #[error(
        "resume: {path} is damaged ({detail}); the run cannot go on, begin a new one without --resume"
    )]
    RunDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// No voucher for the class.
    #[error("wallet: no unspent voucher; buy one with `roundcast wallet buy`")]
    NoVoucher,
    /// Another client uses the wallet.
    #[error("wallet: another client is using it; close that one first")]
    WalletLocked,
    /// A wallet file is damaged.
    #[error(
        "wallet: {path} is damaged ({detail}); nothing was changed: keep the file, and restore it from a backup"
    )]
    WalletDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// What releases have taken back was kept, and cannot be read.
    #[error(
        "trust: {path} is damaged ({source}); restore it from a backup: without it, relays that were revoked would be accepted"
    )]
    RevocationsDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: attest::Error,
    },
    /// The relay of a redeemed voucher cannot be used.
    #[error("relay: {0}; ask the desk's operator, or buy another round")]
    Relay(&'static str),
    /// The system gave no randomness.
    #[error(
        "random: the system gives none, and nothing can be signed safely; check its random source"
    )]
    Random,
    /// The clock.
    #[error("clock: this machine's clock is far off ({0}); set it and try again")]
    Clock(&'static str),
}

fn explain(reason: Reason) -> String {
    let fix = match reason {
        Reason::NoCapacity => "no upload is free and nobody would buy a round; try again later",
        Reason::InviteInvalid => "the invite is wrong or altered; ask for a fresh one",
        Reason::RateLimited => "too many tries; wait a minute",
        Reason::Revoked => "the broadcaster has removed you",
        _ => "ask the broadcaster",
    };
    format!("{}: {fix}", reason.name())
}

impl Error {
    /// What the system says of this file, at this step.
    pub(crate) fn file(
        step: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { step, path, source }
    }

    /// The stable name.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::File { .. } => "file_unusable".into(),
            Self::Config { .. } => "config_invalid".into(),
            Self::NoLadder(_) => "no_ladder".into(),
            Self::Usage(_) => "usage".into(),
            Self::Invite(e) => e.reason().into(),
            Self::Link(e) => e.reason().into(),
            Self::Certs(e) => e.reason().into(),
            Self::Attest(e) => e.reason().into(),
            Self::Media(e) => e.reason().into(),
            Self::Page(e) => e.reason().into(),
            Self::Voucher(e) => e.reason().into(),
            Self::Decode(_) => "nonsense".into(),
            Self::DeskAway { .. } => "desk_away".into(),
            Self::DeskRefused { reason, .. } => reason.clone(),
            Self::DeskKey => "desk_key_mismatch".into(),
            Self::Refused(r) | Self::StationGone(r) => r.name().into(),
            Self::OutStalled { .. } => "out_stalled".into(),
            Self::RunOver => "run_over".into(),
            Self::NothingToResume => "nothing_to_resume".into(),
            Self::RunLocked => "run_locked".into(),
            Self::RunDamaged { .. } => "run_damaged".into(),
            Self::NotRelayOnly => "not_relay_only".into(),
            Self::NoVoucher => "no_voucher".into(),
            Self::WalletLocked => "wallet_locked".into(),
            Self::WalletDamaged { .. } => "wallet_damaged".into(),
            Self::RevocationsDamaged { .. } => "revocations_damaged".into(),
            Self::Relay(_) => "relay_unusable".into(),
            Self::Random => "random_missing".into(),
            Self::Clock(_) => "clock_off".into(),
        }
    }

    /// 1 failure, 2 usage, 3 verification refused, 4 unknown, 5 payment.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::NoLadder(_) | Self::Config { .. } | Self::Invite(_) => 2,
            Self::Page(page::Error::AddressNotLoopback { .. }) => 2,
            Self::Voucher(voucher::Error::DeskUri(_) | voucher::Error::Code) => 2,
            Self::Certs(_) | Self::DeskKey | Self::NotRelayOnly => 3,
            Self::Link(e) if e.is_refusal() => 3,
            Self::Refused(Reason::NoCapacity | Reason::RateLimited) => 1,
            Self::Refused(_) => 3,
            Self::Attest(e) => e.status().exit_code(),
            Self::Voucher(_) | Self::DeskRefused { .. } | Self::NoVoucher => 5,
            _ => 1,
        }
    }
}
