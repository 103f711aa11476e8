//! `roundcast:` URIs: the stream's key, where to find it, and, for an
//! encrypted stream, the audience secret. A bearer secret as a whole.
//!
//! `roundcast:v1/<stream key>?s=<secret>&a=<host:port>[&a=...]`, where key
//! and secret are unpadded base64url (RFC 4648 section 5). The form is
//! strict: one spelling, this order, no unknown parameters (threat F3).

use crate::id::StreamId;
use crate::limits::{ADDRESSES_MAX, INVITE_BYTES_MAX};
use data_encoding::BASE64URL_NOPAD;
use std::net::SocketAddr;
use thiserror::Error;
use zeroize::Zeroizing;

const PREFIX: &str = "roundcast:v1/";

/// Why a text is not an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InviteError {
    /// It does not begin with `roundcast:v1/`.
    #[error("invite: it does not begin with roundcast:v1/; copy it again, whole")]
    Scheme,
    /// Longer than any invite.
    #[error("invite: longer than {INVITE_BYTES_MAX} bytes; copy it again")]
    TooLong,
    /// The stream key is not 32 bytes of base64url.
    #[error("invite: the stream key is damaged; copy it again, whole")]
    StreamKey,
    /// The audience secret is not 32 bytes of base64url.
    #[error("invite: the audience secret is damaged; copy it again, whole")]
    Secret,
    /// An address is not `ip:port`, or there are none or too many.
    #[error(
        "invite: an address is not IP:PORT, or there are none, or over {ADDRESSES_MAX}; copy it again, whole"
    )]
    Address,
    /// A parameter that does not belong there.
    #[error("invite: an unknown, repeated or misplaced parameter; ask for a fresh invite")]
    Parameter,
}

impl InviteError {
    /// The stable name.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Scheme => "invite_scheme",
            Self::TooLong => "invite_too_long",
            Self::StreamKey => "invite_stream_key",
            Self::Secret => "invite_secret",
            Self::Address => "invite_address",
            Self::Parameter => "invite_parameter",
        }
    }
}

/// The secret that an invite carries; zeroed on drop, printed as redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct AudienceSecret {
    bytes: Zeroizing<[u8; 32]>,
    #[cfg(feature = "ablation")]
    shown: bool,
}

impl AudienceSecret {
    /// Wraps 32 bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self {
            bytes: Zeroizing::new(bytes),
            #[cfg(feature = "ablation")]
            shown: false,
        }
    }
    /// The same secret, which prints its bytes.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_shown(mut self) -> Self {
        let _ = crate::ablation::marker();
        self.shown = true;
        self
    }
    /// The bytes, for deriving keys.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl std::fmt::Debug for AudienceSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        #[cfg(feature = "ablation")]
        if self.shown {
            return write!(f, "{:?}", self.bytes.as_slice());
        }
        f.write_str("[redacted]")
    }
}

/// A parsed invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The stream.
    pub stream: StreamId,
    /// Proves that its bearer was invited.
    pub secret: AudienceSecret,
    /// Where the station listens, best first; never empty.
    pub addresses: Vec<SocketAddr>,
}

impl Invite {
    /// Parses the one spelling of an invite.
    ///
    /// # Errors
    /// See [`InviteError`].
    pub fn parse(text: &str) -> Result<Self, InviteError> {
        if text.len() > INVITE_BYTES_MAX {
            return Err(InviteError::TooLong);
        }
        let rest = text.strip_prefix(PREFIX).ok_or(InviteError::Scheme)?;
        let (key, query) = rest.split_once('?').ok_or(InviteError::Parameter)?;
        let stream = StreamId(bytes32(key).ok_or(InviteError::StreamKey)?);
        let mut parts = query.split('&');
        let secret = parts
            .next()
            .and_then(|p| p.strip_prefix("s="))
            .ok_or(InviteError::Parameter)?;
        let secret = AudienceSecret::new(bytes32(secret).ok_or(InviteError::Secret)?);
        let mut addresses = Vec::new();
        for part in parts {
            let text = part.strip_prefix("a=").ok_or(InviteError::Parameter)?;
            let address: SocketAddr = text.parse().map_err(|_| InviteError::Address)?;
            // One spelling: what prints differently was not written by us.
            if address.port() == 0 || address.to_string() != text || addresses.contains(&address) {
                return Err(InviteError::Address);
            }
            addresses.push(address);
        }
        if addresses.is_empty() || addresses.len() > ADDRESSES_MAX {
            return Err(InviteError::Address);
        }
        Ok(Self {
            stream,
            secret,
            addresses,
        })
    }

    /// A parser that is as friendly as many: any address, any number of times.
    ///
    /// # Errors
    /// As [`Invite::parse`], of the first address alone.
    #[cfg(feature = "ablation")]
    pub fn dangerously_parse_lenient(text: &str) -> Result<Self, InviteError> {
        let _ = crate::ablation::marker();
        let (head, addresses) = text.split_once("&a=").ok_or(InviteError::Address)?;
        let addresses: Vec<&str> = addresses.split("&a=").collect();
        let first = addresses.first().ok_or(InviteError::Address)?;
        let strict = Self::parse(&format!("{head}&a={first}"))?;
        let parsed = addresses.iter().filter_map(|text| text.parse().ok());
        Ok(Self {
            addresses: parsed.collect(),
            ..strict
        })
    }

    /// The URI. It is a secret: show it to the broadcaster only.
    #[must_use]
    pub fn to_uri(&self) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(256));
        out.push_str(PREFIX);
        out.push_str(&BASE64URL_NOPAD.encode(self.stream.as_bytes()));
        out.push_str("?s=");
        out.push_str(&Zeroizing::new(
            BASE64URL_NOPAD.encode(self.secret.expose()),
        ));
        for address in &self.addresses {
            out.push_str("&a=");
            out.push_str(&address.to_string());
        }
        out
    }
}

fn bytes32(text: &str) -> Option<[u8; 32]> {
    let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(text.as_bytes()).ok()?);
    <[u8; 32]>::try_from(bytes.as_slice()).ok()
}
