//! The one error type of the package.

use std::{io, net::SocketAddr};

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// What can go wrong: at the start, with the media handed in, or with a
/// request from a browser. A refused request is answered with the status given
/// here and `reason: message` as plain text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The page is for this machine alone.
    #[error(
        "starting the page: {address} is not a loopback address; use 127.0.0.1 or another 127.x.x.x"
    )]
    AddressNotLoopback {
        /// What was asked for.
        address: SocketAddr,
    },
    /// Another program has the port.
    #[error(
        "starting the page: port {} of {} is in use; give another with --page, or port 0 for any free one",
        address.port(),
        address.ip()
    )]
    PortInUse {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The operating system refused the address for another reason.
    #[error(
        "starting the page: cannot listen on {address}: {source}; choose another address with --page"
    )]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system gave no random bytes for the token.
    #[error("starting the page: the system gave no random bytes for its token; try again")]
    Random,
    /// A view that has no JSON form.
    #[error("showing the view: it cannot be written as JSON: {0}")]
    View(#[from] serde_json::Error),

    /// The sender's media type is not one that is passed to a browser.
    #[error(
        "playing: the stream's media type is malformed; the broadcaster must send fragmented MP4"
    )]
    MimeMalformed,
    /// The init segment does not begin with a file type box, or is too large.
    #[error(
        "playing: the init segment is malformed; the broadcaster must send fragmented MP4 with ftyp and moov"
    )]
    InitMalformed,
    /// A fragment came before any init segment.
    #[error("playing: a fragment came before the init segment; push the init segment first")]
    FragmentBeforeInit,
    /// A fragment above the limit.
    #[error("playing: a fragment of {bytes} bytes is above the limit; use fragments of 200 ms")]
    FragmentTooLarge {
        /// Its length.
        bytes: usize,
    },

    /// Somebody made the browser call this page by another name (DNS rebinding).
    #[error("the page was called by a name that is not its own; open the address in the terminal")]
    HostNotAllowed,
    /// Another site made the request.
    #[error("the request was made by another site; open the address in the terminal yourself")]
    CrossSite,
    /// A WebSocket or POST whose origin is not this page.
    #[error("the request does not come from this page; open the address in the terminal yourself")]
    OriginNotAllowed,
    /// Neither cookie nor token.
    #[error("this page needs the token; open the address with the token in the terminal")]
    TokenMissing,
    /// A wrong token or cookie, as after a restart.
    #[error(
        "the token is not this page's, perhaps one of an earlier start; open the address in the terminal"
    )]
    TokenMismatch,
    /// A token for one visit was used before.
    #[error("the token was used before and is good for one visit; restart the client for another")]
    TokenSpent,
    /// No such thing here.
    #[error("there is no such page; open /")]
    NotFound,
    /// All places for players are taken.
    #[error("too many players are open; close one and try again")]
    TooManyPlayers,
    /// A reply that is not JSON by its declared type.
    #[error("a reply must have the content type application/json")]
    ContentType,
    /// A reply with unknown, missing or malformed fields.
    #[error("the reply is malformed; reload the page")]
    ReplyMalformed,
    /// An answer to an ask that is not open, or no longer.
    #[error("this ask is not open, or no longer; nothing was bought")]
    AskNotOpen,
    /// A stop without a relay of one's own.
    #[error("no relay of yours is running; there is nothing to stop")]
    NothingToStop,
    /// The client does not take replies.
    #[error("the client takes no replies now; nothing was done, try again")]
    ClientBusy,
}

impl Error {
    /// The stable name of the reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::AddressNotLoopback { .. } => "address_not_loopback",
            Self::PortInUse { .. } => "port_in_use",
            Self::Bind { .. } => "address_unusable",
            Self::Random => "random_unavailable",
            Self::View(_) => "view_unserialisable",
            Self::MimeMalformed => "mime_malformed",
            Self::InitMalformed => "init_malformed",
            Self::FragmentBeforeInit => "fragment_before_init",
            Self::FragmentTooLarge { .. } => "fragment_too_large",
            Self::HostNotAllowed => "host_not_allowed",
            Self::CrossSite => "cross_site",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::TokenMissing => "token_missing",
            Self::TokenMismatch => "token_mismatch",
            Self::TokenSpent => "token_spent",
            Self::NotFound => "not_found",
            Self::TooManyPlayers => "too_many_players",
            Self::ContentType => "content_type_not_json",
            Self::ReplyMalformed => "reply_malformed",
            Self::AskNotOpen => "ask_not_open",
            Self::NothingToStop => "nothing_to_stop",
            Self::ClientBusy => "client_busy",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::HostNotAllowed => StatusCode::MISDIRECTED_REQUEST,
            Self::TokenMissing => StatusCode::UNAUTHORIZED,
            Self::CrossSite | Self::OriginNotAllowed | Self::TokenMismatch | Self::TokenSpent => {
                StatusCode::FORBIDDEN
            }
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ReplyMalformed => StatusCode::BAD_REQUEST,
            Self::AskNotOpen | Self::NothingToStop => StatusCode::CONFLICT,
            Self::TooManyPlayers | Self::ClientBusy => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = format!("{}: {self}\n", self.reason());
        let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        (self.status(), plain, body).into_response()
    }
}
