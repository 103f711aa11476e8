//! Which origins may make the browser act here. `SameSite` cookies are not
//! enough: a site has no port, so a page of any other port of this machine is
//! "same site", and its browser sends the cookie along.

use std::net::SocketAddr;

use axum::http::{HeaderMap, Method, header};

use super::{own_authorities, single};
use crate::error::Error;

/// Which origins may make requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct OriginPolicy(Origins);

#[derive(Clone, Copy, Debug, Default)]
enum Origins {
    #[default]
    Own,
    #[cfg(feature = "ablation")]
    Any,
}

impl OriginPolicy {
    /// This page alone: WebSockets and POSTs must carry its `Origin`, and any
    /// request that the browser marks as made by another site is refused
    /// (Fetch Metadata: only `same-origin` and `none`, the user himself).
    #[must_use]
    pub fn own() -> Self {
        Self(Origins::Own)
    }

    /// Any site at all.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_any() -> Self {
        crate::ablation::marker();
        Self(Origins::Any)
    }

    pub(super) fn check(
        self,
        address: SocketAddr,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<(), Error> {
        match self.0 {
            Origins::Own => {}
            #[cfg(feature = "ablation")]
            Origins::Any => return Ok(()),
        }
        // Players other than browsers send no such header.
        if headers.contains_key("sec-fetch-site") {
            match single(headers, "sec-fetch-site") {
                Some("same-origin" | "none") => {}
                _ => return Err(Error::CrossSite),
            }
        }
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let acts = !reads || headers.contains_key(header::UPGRADE);
        let has_origin = headers.contains_key(header::ORIGIN);
        if !acts && !has_origin {
            return Ok(());
        }
        let own = own_authorities(address);
        let from = single(headers, header::ORIGIN.as_str()).and_then(|o| o.strip_prefix("http://"));
        match from {
            Some(from) if own.iter().any(|o| o == from) => Ok(()),
            _ => Err(Error::OriginNotAllowed),
        }
    }
}
