//! Why the load cannot go on.

use std::io;
use thiserror::Error;

/// Failures of the load. Each names its step.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// Two providers of cryptography.
    #[error("choose the provider of cryptography: there is one already")]
    Provider,
    /// Standard input or output.
    #[error("lines of the bench: {0}")]
    Lines(io::Error),
    /// The bench went away.
    #[error("lines of the bench: they end too early")]
    End,
    /// A line that is not the expected one.
    #[error("lines of the bench: {0}")]
    Json(#[from] serde_json::Error),
    /// The relay's address.
    #[error("the relay's address: {0}")]
    Address(#[from] url::ParseError),
    /// Making a client, or linking it.
    #[error("link to the relay: {0}")]
    Link(#[from] moq_tokio::Error),
    /// Publishing or subscribing.
    #[error("{what}: {source}")]
    Stream {
        /// The step.
        what: &'static str,
        /// Why.
        source: moq_net::Error,
    },
    /// Something did not happen in time.
    #[error("{0}: nothing happened in time; is the machine busy?")]
    Timeout(&'static str),
    /// A subscriber's task panicked.
    #[error("a subscriber ended")]
    Task,
}

impl Error {
    /// Names the step of a failure of the stream.
    pub(crate) fn step(what: &'static str) -> impl FnOnce(moq_net::Error) -> Self {
        move |source| Self::Stream { what, source }
    }
}
