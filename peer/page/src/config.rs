//! What the server is started with.

use std::net::{Ipv4Addr, SocketAddr};

use crate::guard::Guard;

/// Where the page listens and what keeps strangers out of it.
#[derive(Clone, Debug)]
pub struct Config {
    /// A loopback address; port 0 takes any free port.
    pub address: SocketAddr,
    /// The controls on every request.
    pub guard: Guard,
}

impl Default for Config {
    /// Any free port of 127.0.0.1, every control on.
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            guard: Guard::default(),
        }
    }
}
