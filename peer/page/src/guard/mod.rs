//! What keeps other web sites, other programs and other users of this machine
//! away from the page. Each control is a value, so that a test can remove one
//! and show the attack that it stops.

mod csp;
mod hosts;
mod origin;
mod token;

use std::net::SocketAddr;

use axum::http::{HeaderMap, Method, Uri};

pub use csp::{CSP, CspPolicy, LIVE_CSP};
pub use hosts::HostPolicy;
pub use origin::OriginPolicy;
pub use token::{Link, TokenPolicy};

pub(crate) use token::{Admission, Secrets};

use crate::error::Error;

/// The controls on every request, in the order in which they are asked.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// By which names the page may be called (DNS rebinding).
    pub hosts: HostPolicy,
    /// Which origins may make the browser act (forged requests, sockets).
    pub origin: OriginPolicy,
    /// Who may see and command anything at all (other users and programs).
    pub token: TokenPolicy,
    /// What the browser lets the page itself do (injected scripts, framing).
    pub csp: CspPolicy,
}

/// The guard of one running listener.
#[derive(Debug)]
pub(crate) struct Gate {
    guard: Guard,
    address: SocketAddr,
    secrets: Secrets,
}

impl Gate {
    pub(crate) fn new(guard: Guard, address: SocketAddr) -> Result<Self, Error> {
        let secrets = Secrets::random(address)?;
        Ok(Self {
            guard,
            address,
            secrets,
        })
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(crate) fn csp(&self) -> &CspPolicy {
        &self.guard.csp
    }

    /// Whether a request may pass, and how.
    pub(crate) fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Admission, Error> {
        self.guard.hosts.check(self.address, uri, headers)?;
        self.guard.origin.check(self.address, method, headers)?;
        self.guard.token.check(&self.secrets, method, uri, headers)
    }
}

/// The authorities by which the listener may be called.
pub(crate) fn own_authorities(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let mut own = vec![address.to_string(), format!("localhost:{port}")];
    if port == 80 {
        // A browser leaves the default port out.
        own.extend([address.ip().to_string(), "localhost".into()]);
    }
    own
}

/// The one value of a header; none if it is absent, repeated or not ASCII.
pub(crate) fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}
