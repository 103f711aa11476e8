//! Why a relay does not start or ends early.

use thiserror::Error;

/// Failures of a relay.
#[derive(Debug, Error)]
pub enum Error {
    /// The desk's lines are not what they must be.
    #[error("boot: {0}; start the relay through a desk")]
    Boot(&'static str),
    /// Standard input or output failed.
    #[error("boot: standard input or output failed: {0}")]
    Stdio(#[from] std::io::Error),
    /// A line is not the expected JSON.
    #[error("boot: a line of the desk is not well formed: {0}")]
    Json(#[from] serde_json::Error),
    /// Order, parameters or certificate.
    #[error("boot: {0}")]
    Certs(#[from] certs::Error),
    /// The bytes of order or parameters.
    #[error("boot: {0}")]
    Decode(#[from] wire::DecodeError),
    /// Socket and links.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// The system gave no randomness.
    #[error("boot: the system gives no randomness; no key can be made")]
    Random,
}
