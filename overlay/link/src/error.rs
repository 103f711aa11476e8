//! What can go wrong on a link.

use attest::offline::{Live, Verdict};
use std::net::SocketAddr;
use thiserror::Error;
use wire::{DecodeError, Reason};

/// Failures of endpoint, link, edge and challenge. Each names its step.
#[derive(Debug, Error)]
pub enum Error {
    /// The UDP socket could not be had.
    #[error("listen: {address} cannot be used ({source}); choose another --listen address or port")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The system's word.
        source: std::io::Error,
    },
    /// TLS could not be set up from this key and certificate.
    #[error("tls: key and certificate do not go together ({0}); start again to make new ones")]
    Tls(String),
    /// The address cannot be dialled.
    #[error("dial: {0}; check the address, and that this machine has a network")]
    Connect(#[from] quinn::ConnectError),
    /// The connection ended or never came about.
    #[error("link: {0}; the other end may be gone, or a firewall drops UDP: try again")]
    Connection(#[from] quinn::ConnectionError),
    /// Another key than the expected one answered.
    #[error(
        "link: another key than the admitted one answered; this is not the node you wanted, ask for its address again"
    )]
    SpkiNotAdmitted,
    /// The other end's certificate cannot be read.
    #[error("link: the other end's certificate cannot be used: {0}")]
    Certificate(certs::Error),
    /// Writing to a stream failed.
    #[error("link: writing failed: {0}; the other end has ended: try again")]
    Write(#[from] quinn::WriteError),
    /// Reading from a stream failed.
    #[error("link: reading failed: {0}; the other end has ended: try again")]
    Read(String),
    /// A message is not well formed.
    #[error("link: {0}; use the same version at both ends")]
    Decode(#[from] DecodeError),
    /// The other end said something out of turn.
    #[error("link: the other end spoke out of turn ({0}); use the same version at both ends")]
    OutOfTurn(&'static str),
    /// The other end did not act in time.
    #[error("link: no {0} in time; it may be gone or behind a firewall")]
    Timeout(&'static str),
    /// A relay did not answer when it was verified again; how many challenges.
    #[error("reverify: the relay answered none of {0} live challenges; take another parent")]
    Unanswered(u32),
    /// A signature, permit or proof was refused.
    #[error(transparent)]
    Refused(#[from] certs::Error),
    /// A block of a stripe that its sender has no permit for.
    #[error(
        "block: its sender has no permit for this stripe; close the link and take another parent"
    )]
    StripeNotPermitted,
    /// A child asks for a rendition that its permit does not name.
    #[error("start: the child's permit is for another rendition; ask the station for one")]
    RenditionNotPermitted,
    /// A neighbour spoke of a block that it was not asked for.
    #[error("repair: a neighbour sent what it was not asked for; close the link and take another")]
    RepairUnasked,
    /// Evidence was refused.
    #[error("{0}")]
    Evidence(Box<attest::Refusal>),
    /// The other end refused us.
    #[error("link: the other end refused: {0}; ask who runs it")]
    Remote(Reason),
    /// The system gave no randomness.
    #[error(
        "random: the system gives none, and nothing can be signed safely; check its random source"
    )]
    Random,
}

impl Error {
    /// The stable name.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Bind { .. } => "listen_failed",
            Self::Tls(_) => "tls_setup",
            Self::Connect(_) | Self::Connection(_) | Self::Write(_) | Self::Read(_) => "peer_gone",
            Self::SpkiNotAdmitted => "spki_not_admitted",
            Self::Certificate(e) | Self::Refused(e) => e.reason(),
            Self::Decode(_) | Self::OutOfTurn(_) => "nonsense",
            Self::Timeout(_) => "timeout",
            Self::Unanswered(_) => Reason::ChallengeUnanswered.name(),
            Self::StripeNotPermitted => "stripe_not_permitted",
            Self::RenditionNotPermitted => "rendition_not_permitted",
            Self::RepairUnasked => Reason::RepairUnasked.name(),
            Self::Evidence(r) => r.reason(),
            Self::Remote(r) => r.name(),
            Self::Random => "random_missing",
        }
    }

    /// The code that closes the link.
    #[must_use]
    pub fn wire_reason(&self) -> Reason {
        match self {
            Self::SpkiNotAdmitted => Reason::SpkiNotAdmitted,
            Self::Certificate(e) | Self::Refused(e) => e.wire_reason(),
            Self::Decode(_) | Self::OutOfTurn(_) => Reason::Nonsense,
            Self::Timeout(_) => Reason::Timeout,
            Self::StripeNotPermitted | Self::RenditionNotPermitted => Reason::PermitInvalid,
            Self::RepairUnasked => Reason::RepairUnasked,
            Self::Unanswered(_) => Reason::ChallengeUnanswered,
            Self::Evidence(r) => match r.reason() {
                "evidence_missing" => Reason::EvidenceMissing,
                "live_binding_mismatch" => Reason::LiveBindingMismatch,
                "spki_not_admitted" => Reason::SpkiNotAdmitted,
                _ => Reason::EvidenceRefused,
            },
            Self::Remote(r) => *r,
            _ => Reason::PeerGone,
        }
    }

    /// The checks of a relay up to the one that failed, if that is what this
    /// is.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict<Live>> {
        match self {
            Self::Evidence(refusal) => Some(Verdict::of_refusal(refusal)),
            _ => None,
        }
    }

    /// Whether a control refused the other end, rather than a fault.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::SpkiNotAdmitted
                | Self::StripeNotPermitted
                | Self::RenditionNotPermitted
                | Self::RepairUnasked
                | Self::Certificate(_)
                | Self::Refused(_)
                | Self::Evidence(_)
        )
    }
}
