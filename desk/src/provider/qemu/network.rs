//! How one machine is reached, and who has which network.

use super::places::{Place, Places};
use super::setting::TapSetting;
use crate::error::LaunchFailure;
use crate::provider::boot::GuestNetwork;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

/// The port at which a relay listens inside its machine.
pub(super) const GUEST_PORT: u16 = 7000;

/// A network for one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Network {
    /// The emulator's own, with a port of this machine forwarded.
    User {
        /// The address of this machine.
        address: IpAddr,
    },
    /// An interface of the operator.
    Tap(TapSetting),
}

impl Network {
    /// Where the relay will be found. The port of a forwarded address is one
    /// that is free now: if it is taken meanwhile, the emulator does not
    /// start, and the voucher is refunded.
    pub(super) fn reached(&self) -> Result<SocketAddr, LaunchFailure> {
        match self {
            Self::User { address } => UdpSocket::bind((*address, 0))
                .and_then(|socket| socket.local_addr())
                .map_err(|_| LaunchFailure::Address),
            Self::Tap(tap) => Ok(tap.reached(GUEST_PORT)),
        }
    }

    /// Where the relay listens, as it is told. On the emulator's own network
    /// it hears by DHCP which address it has.
    pub(super) const fn listen(&self) -> SocketAddr {
        match self {
            Self::User { .. } => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), GUEST_PORT),
            Self::Tap(tap) => tap.reached(GUEST_PORT),
        }
    }

    /// What the machine has to set by itself.
    pub(super) fn guest(&self) -> Option<GuestNetwork> {
        match self {
            Self::User { .. } => None,
            Self::Tap(tap) => Some(GuestNetwork {
                address: format!("{}/{}", tap.address, tap.prefix),
                gateway: tap.gateway.map(|gateway| gateway.to_string()),
            }),
        }
    }
}

/// The networks that no machine has: their number bounds this desk's machines,
/// and the places those of all desks.
#[derive(Debug, Clone)]
pub(super) struct Free {
    networks: Arc<Mutex<Vec<Network>>>,
    places: Places,
}

impl Free {
    /// The first is given out first.
    pub(super) fn new(mut networks: Vec<Network>, places: Places) -> Self {
        networks.reverse();
        Self {
            networks: Arc::new(Mutex::new(networks)),
            places,
        }
    }

    /// Takes one, and a place; both are given back when the lease is dropped.
    pub(super) fn take(&self) -> Option<Lease> {
        let place = self.places.take()?;
        let network = self.lock().pop()?;
        Some(Lease {
            network,
            _place: place,
            free: self.clone(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Network>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A network and a place that a machine has.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) network: Network,
    free: Free,
    _place: Place,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Behind the others: a port's late packets find nobody for a while.
        self.free.lock().insert(0, self.network.clone());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn user(last: u8) -> Network {
        Network::User {
            address: IpAddr::from([127, 0, 0, last]),
        }
    }

    #[test]
    fn a_network_has_one_machine_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::open(folder.path()).unwrap();
        let free = Free::new(vec![user(1), user(2)], places);
        let (one, two) = (free.take().unwrap(), free.take().unwrap());
        assert_eq!((&one.network, &two.network), (&user(1), &user(2)));
        assert!(free.take().is_none());
        drop(one);
        assert_eq!(free.take().unwrap().network, user(1));
        drop(two);
        assert_eq!(free.take().unwrap().network, user(1));
    }

    #[test]
    fn a_forwarded_address_has_a_free_port_and_the_machine_a_fixed_one() {
        let network = user(9);
        let reached = network.reached().unwrap();
        assert_eq!(reached.ip(), IpAddr::from([127, 0, 0, 9]));
        assert_ne!(reached.port(), 0);
        assert_eq!(network.listen().to_string(), "0.0.0.0:7000");
        assert_eq!(network.guest(), None);
    }

    #[test]
    fn behind_a_tap_the_machine_is_told_its_address() {
        let network = Network::Tap(TapSetting {
            namespace: None,
            interface: "tap0".to_owned(),
            address: IpAddr::from([10, 77, 0, 2]),
            prefix: 24,
            gateway: Some(IpAddr::from([10, 77, 0, 1])),
        });
        assert_eq!(network.reached().unwrap().to_string(), "10.77.0.2:7000");
        assert_eq!(network.listen(), network.reached().unwrap());
        let guest = network.guest().unwrap();
        assert_eq!(guest.address, "10.77.0.2/24");
        assert_eq!(guest.gateway.unwrap(), "10.77.0.1");
    }
}
