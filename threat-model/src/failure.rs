//! Why an attack could not be staged: a fault of the stage, never a refusal
//! by the victim.

use thiserror::Error;

/// A step of staging that failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// A statement, key or certificate could not be made.
    #[error("stage: {0}")]
    Certs(#[from] certs::Error),
    /// A release or evidence could not be made.
    #[error("stage: {0}")]
    Attest(#[from] attest::Error),
    /// A voucher could not be bought.
    #[error("stage: {0}")]
    Voucher(#[from] voucher::Error),
    /// A desk could not be set up.
    #[error("stage: {0}")]
    Desk(Box<desk::Error>),
    /// A desk could not certify what it started.
    #[error("stage: {0}")]
    Launch(#[from] desk::error::LaunchFailure),
    /// A socket, link or node.
    #[error("stage: {0}")]
    Link(#[from] link::Error),
    /// A relay could not be booted.
    #[error("stage: {0}")]
    Relay(#[from] relay_vm::Error),
    /// The client's own libraries.
    #[error("stage: {0}")]
    Peer(Box<peer::Error>),
    /// The planner.
    #[error("stage: {0}")]
    Overlay(#[from] overlay::Error),
    /// The page.
    #[error("stage: {0}")]
    Page(#[from] page::Error),
    /// The media.
    #[error("stage: {0}")]
    Media(#[from] media::Error),
    /// A message is out of its bounds.
    #[error("stage: {0}")]
    Decode(#[from] wire::DecodeError),
    /// The invite.
    #[error("stage: {0}")]
    Invite(#[from] wire::invite::InviteError),
    /// The system.
    #[error("stage: {0}")]
    Io(#[from] std::io::Error),
    /// JSON that this package reads or writes.
    #[error("stage: {0}")]
    Json(#[from] serde_json::Error),
    /// Randomness.
    #[error("stage: the system gives no randomness")]
    Random,
    /// Something did not happen in time.
    #[error("stage: no {0} in time")]
    Timeout(&'static str),
    /// The stage is not as the attack needs it.
    #[error("stage: {0}")]
    Stage(&'static str),
    /// The catalogue.
    #[error("catalogue: {0}")]
    Catalogue(String),
}

impl From<desk::Error> for Failure {
    fn from(error: desk::Error) -> Self {
        Self::Desk(Box::new(error))
    }
}

impl From<peer::Error> for Failure {
    fn from(error: peer::Error) -> Self {
        Self::Peer(Box::new(error))
    }
}

impl Failure {
    /// The stable name.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Catalogue(_) => "catalogue_invalid",
            Self::Timeout(_) => "stage_timeout",
            _ => "stage_failed",
        }
    }
}
