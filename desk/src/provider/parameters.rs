//! What relays of this desk's own machine are told at their start.

use super::Launch;
use crate::error::LaunchFailure;
use std::net::{IpAddr, SocketAddr};
use wire::codec::Text;
use wire::order::Parameters;

/// The parameters of a relay that listens at `listen` and that others find at
/// the address `reached`. Private networks are open to relays that are found
/// on one themselves.
pub(super) fn parameters(
    launch: &Launch,
    listen: SocketAddr,
    reached: IpAddr,
) -> Result<Parameters, LaunchFailure> {
    let private_networks = match reached {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    Ok(Parameters {
        listen: Text::new(listen.to_string()).map_err(|_| LaunchFailure::Protocol)?,
        rate_bps: launch.class.size().rate_bps(),
        lease_end: launch.lease_end,
        byte_cap: launch.order.byte_cap,
        private_networks,
    })
}
