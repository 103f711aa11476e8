//! The token in the terminal's address, and the cookie it is exchanged for.
//!
//! Three secrets of 256 random bits, made at each start: the visit token opens
//! the page, the cookie keeps it open, and the player token opens `/live.mp4`
//! alone, so that a media player's history cannot buy a round.

use std::{
    fmt,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use axum::http::{HeaderMap, Method, Uri, header};
use data_encoding::BASE64URL_NOPAD;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::Error;

pub(crate) const LIVE_PATH: &str = "/live.mp4";

/// Who may see and command anything at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenPolicy(Tokens);

#[derive(Clone, Copy, Debug, Default)]
enum Tokens {
    /// The token opens the page as often as wanted while the client runs.
    #[default]
    Reusable,
    SingleVisit,
    #[cfg(feature = "ablation")]
    Off,
}

impl TokenPolicy {
    /// The token is spent by the first visit: for a client that starts the
    /// browser itself, where other users can read the command line.
    #[must_use]
    pub fn single_visit() -> Self {
        Self(Tokens::SingleVisit)
    }

    /// No token at all: whoever reaches the port is let in.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_off() -> Self {
        crate::ablation::marker();
        Self(Tokens::Off)
    }

    pub(super) fn check(
        self,
        secrets: &Secrets,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Admission, Error> {
        let single_visit = match self.0 {
            Tokens::Reusable => false,
            Tokens::SingleVisit => true,
            #[cfg(feature = "ablation")]
            Tokens::Off => return Ok(Admission::Pass),
        };
        let token = query_token(uri);
        match (uri.path(), token) {
            ("/", Some(token)) if method == Method::GET => {
                secrets.visit(token, single_visit)?;
                Ok(Admission::Exchange)
            }
            (LIVE_PATH, Some(token)) => secrets.play(token, single_visit),
            _ => secrets.returning(headers),
        }
    }
}

/// How a request passed the token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may go on.
    Pass,
    /// The visit token was good: set the cookie and send the browser to `/`.
    Exchange,
}

/// An address with a token in it, for the terminal. Debug hides the token.
#[derive(Clone)]
pub struct Link {
    place: String,
    token: Secret,
}

impl Link {
    /// The whole address. Only for the terminal of the user himself.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{}?token={}", self.place, self.token.0)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}?token=[redacted]", self.place)
    }
}

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Secret(String);

impl Secret {
    fn random() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|_| Error::Random)?;
        Ok(Self(BASE64URL_NOPAD.encode(bytes.as_ref())))
    }

    /// Compares in constant time.
    fn is(&self, given: &str) -> Choice {
        self.0.as_bytes().ct_eq(given.as_bytes())
    }
}

/// The secrets of one start.
pub(crate) struct Secrets {
    address: SocketAddr,
    visit: Secret,
    cookie: Secret,
    player: Secret,
    visited: AtomicBool,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Secrets {
    pub(super) fn random(address: SocketAddr) -> Result<Self, Error> {
        Ok(Self {
            address,
            visit: Secret::random()?,
            cookie: Secret::random()?,
            player: Secret::random()?,
            visited: AtomicBool::new(false),
        })
    }

    pub(crate) fn page_link(&self) -> Link {
        Link {
            place: format!("http://{}/", self.address),
            token: self.visit.clone(),
        }
    }

    pub(crate) fn live_link(&self) -> Link {
        Link {
            place: format!("http://{}{LIVE_PATH}", self.address),
            token: self.player.clone(),
        }
    }

    /// The cookie, for `Set-Cookie`. It has no end: it lasts until the browser
    /// closes or the client restarts.
    pub(crate) fn set_cookie(&self) -> String {
        let name = self.cookie_name();
        format!(
            "{name}={}; Path=/; HttpOnly; SameSite=Strict",
            self.cookie.0
        )
    }

    /// Browsers do not separate cookies by port: two clients of one machine
    /// would overwrite each other's.
    fn cookie_name(&self) -> String {
        format!("roundcast_{}", self.address.port())
    }

    fn visit(&self, token: &str, single_visit: bool) -> Result<(), Error> {
        if !bool::from(self.visit.is(token)) {
            return Err(Error::TokenMismatch);
        }
        if self.visited.swap(true, Ordering::SeqCst) && single_visit {
            return Err(Error::TokenSpent);
        }
        Ok(())
    }

    fn play(&self, token: &str, single_visit: bool) -> Result<Admission, Error> {
        let player = self.player.is(token);
        let visit = self.visit.is(token) & Choice::from(u8::from(!single_visit));
        if bool::from(player | visit) {
            Ok(Admission::Pass)
        } else {
            Err(Error::TokenMismatch)
        }
    }

    /// Any cookie of our name will do: another server of this machine can set
    /// a second one of the same name, and must not lock the user out with it.
    fn returning(&self, headers: &HeaderMap) -> Result<Admission, Error> {
        let name = self.cookie_name();
        let mut refusal = Error::TokenMissing;
        for line in headers.get_all(header::COOKIE) {
            for pair in line.to_str().unwrap_or_default().split(';') {
                match pair.trim().split_once('=') {
                    Some((n, value)) if n == name && bool::from(self.cookie.is(value)) => {
                        return Ok(Admission::Pass);
                    }
                    Some((n, _)) if n == name => refusal = Error::TokenMismatch,
                    _ => {}
                }
            }
        }
        Err(refusal)
    }
}

/// The token is base64url, which needs no percent encoding.
fn query_token(uri: &Uri) -> Option<&str> {
    let mut pairs = uri.query()?.split('&');
    pairs.find_map(|pair| pair.strip_prefix("token="))
}
