//! The Host allowlist: the counter to DNS rebinding, by which another site
//! makes its own name point to this machine and so becomes "same origin".

use std::net::SocketAddr;

use axum::http::{HeaderMap, Uri, header};

use super::{own_authorities, single};
use crate::error::Error;

/// By which names the page may be called.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostPolicy(Hosts);

#[derive(Clone, Copy, Debug, Default)]
enum Hosts {
    #[default]
    Listener,
    #[cfg(feature = "ablation")]
    Any,
}

impl HostPolicy {
    /// The listener's own address and port, and `localhost` with that port.
    /// Anything else is answered with 421.
    #[must_use]
    pub fn listener() -> Self {
        Self(Hosts::Listener)
    }

    /// Any name at all.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_any() -> Self {
        crate::ablation::marker();
        Self(Hosts::Any)
    }

    pub(super) fn check(
        self,
        address: SocketAddr,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Error> {
        match self.0 {
            Hosts::Listener => {}
            #[cfg(feature = "ablation")]
            Hosts::Any => return Ok(()),
        }
        let own = own_authorities(address);
        let is_own = |name: &str| own.iter().any(|o| o.eq_ignore_ascii_case(name));
        // The absolute form of a request line outranks Host (RFC 9112, 3.2.2);
        // both must be right, so that nothing behind this reads the other.
        let line_ok = uri.authority().is_none_or(|name| is_own(name.as_str()));
        let host_ok = single(headers, header::HOST.as_str()).is_some_and(is_own);
        if line_ok && host_ok {
            Ok(())
        } else {
            Err(Error::HostNotAllowed)
        }
    }
}
