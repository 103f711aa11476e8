//! Why a relay does not start or ends early.

use thiserror::Error;

/// Failures of a relay.
#[derive(Debug, Error)]
pub enum Error {
    /// The desk's lines are not what they must be.
    #[error("boot: {0}; start the relay through a desk")]
    Boot(&'static str),
    /// Standard input or output failed.
    #[error("boot: standard input or output failed: {0}; start the relay through a desk")]
    Stdio(#[from] std::io::Error),
    /// A line is not the expected JSON.
    #[error("boot: a line of the desk is not well formed: {0}; bring the desk up to date")]
    Json(#[from] serde_json::Error),
    /// Order, parameters or certificate.
    #[error("boot: {0}")]
    Certs(#[from] certs::Error),
    /// The bytes of order, parameters or statement.
    #[error("boot: {0}; bring the desk up to date")]
    Decode(#[from] wire::DecodeError),
    /// Socket and links.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// The system gave no randomness.
    #[error("boot: the system gives no randomness; give the machine a source of it")]
    Random,
    /// The platform does not do what it is there for.
    #[error("boot: the platform failed at {0}; start the relay anew")]
    Platform(String),
    /// No event loop.
    #[error("start: no event loop ({0}); check the process limits")]
    Runtime(#[source] std::io::Error),
    /// The kernel refused a step of the guest.
    #[error("guest: {step} failed: {source}; check that the image is whole")]
    System {
        /// What was tried.
        step: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The image or the machine is not what a guest needs.
    #[error("guest: {0}; check the image and the machine's devices")]
    Guest(&'static str),
    /// The network gave no address, or refused one.
    #[error("guest: network: {0}; check the machine's network")]
    Network(String),
    /// The metadata service of the cloud.
    #[error("guest: metadata service: {0}; start the machine with user data and IMDSv2")]
    Metadata(&'static str),
    /// The filter of system calls.
    #[error("confinement: {0}; start it under a kernel with seccomp")]
    Confinement(String),
}

impl Error {
    /// The kernel's refusal of `step`.
    pub(crate) fn system(step: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let step = step.into();
        move |source| Self::System { step, source }
    }

    /// As [`Error::system`], for rustix's calls.
    pub(crate) fn call(step: impl Into<String>) -> impl FnOnce(rustix::io::Errno) -> Self {
        let system = Self::system(step);
        move |errno| system(errno.into())
    }

    /// Stable name, for machines.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Boot(_) | Self::Json(_) | Self::Decode(_) => "boot_protocol",
            Self::Stdio(_) => "boot_stdio",
            Self::Certs(_) => "boot_certificate",
            Self::Link(_) => "link",
            Self::Runtime(_) => "event_loop",
            Self::Random => "randomness_unavailable",
            Self::Platform(_) => "platform_failed",
            Self::System { .. } => "guest_system",
            Self::Guest(_) => "guest_machine",
            Self::Network(_) => "guest_network",
            Self::Metadata(_) => "guest_metadata",
            Self::Confinement(_) => "confinement_failed",
        }
    }
}
