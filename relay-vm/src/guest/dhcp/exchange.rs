//! One exchange with DHCP servers (RFC 2131 section 4.4) as a state machine
//! over packets: discover and select, or renew.

use super::Lease;
use super::message::{self, Kind, Reply, Said};
use std::net::Ipv4Addr;

/// The shortest lease that is taken, in s: a shorter one is a mistake, and
/// the client would do nothing but renew.
const LEASE_S_MIN: u32 = 60;

/// See the module.
#[derive(Debug)]
pub(super) struct Exchange {
    hardware: [u8; 6],
    xid: u32,
    said: Said,
}

/// What a packet led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is not for this exchange, or of no use.
    Ignored,
    /// An offer was taken: [`Exchange::packet`] is another now.
    Offered,
    /// The address is there.
    Bound(Lease),
    /// The server takes it back.
    Refused,
}

impl Exchange {
    /// Asks everybody for an address.
    pub(super) const fn new(hardware: [u8; 6], xid: u32) -> Self {
        Self {
            hardware,
            xid,
            said: Said::Discover,
        }
    }

    /// Asks to keep one.
    pub(super) const fn renewal(hardware: [u8; 6], xid: u32, address: Ipv4Addr) -> Self {
        Self {
            hardware,
            xid,
            said: Said::Renew { address },
        }
    }

    /// What is to be sent now, and again until an answer comes.
    pub(super) fn packet(&self) -> Vec<u8> {
        message::encode(self.said, self.hardware, self.xid)
    }

    /// Takes a packet.
    pub(super) fn hear(&mut self, packet: &[u8]) -> Heard {
        let Some(reply) = message::decode(packet, self.hardware, self.xid) else {
            return Heard::Ignored;
        };
        match (self.said, reply.kind) {
            (Said::Discover, Kind::Offer) => {
                let Some(lease) = lease(&reply) else {
                    return Heard::Ignored;
                };
                self.said = Said::Select {
                    address: lease.address,
                    server: lease.server,
                };
                Heard::Offered
            }
            (Said::Select { address, server }, Kind::Ack)
                if (reply.address, reply.server) == (address, server) =>
            {
                lease(&reply).map_or(Heard::Ignored, Heard::Bound)
            }
            (Said::Select { server, .. }, Kind::Nak) if reply.server == server => Heard::Refused,
            (Said::Renew { address }, Kind::Ack) if reply.address == address => {
                lease(&reply).map_or(Heard::Ignored, Heard::Bound)
            }
            (Said::Renew { .. }, Kind::Nak) => Heard::Refused,
            _ => Heard::Ignored,
        }
    }
}

/// The lease, if it is one that a machine can use.
fn lease(reply: &Reply) -> Option<Lease> {
    let mask = reply.mask?.to_bits();
    let prefix = u8::try_from(mask.leading_ones()).ok()?;
    let whole = mask.count_ones() == mask.leading_ones() && prefix > 0;
    let end_s = reply.lease_s?;
    let lease = Lease {
        address: host(reply.address)?,
        prefix,
        gateway: match reply.router {
            Some(router) => Some(host(router)?),
            None => None,
        },
        server: host(reply.server)?,
        renew_s: end_s / 2,
        rebind_s: end_s - end_s / 8,
        end_s,
    };
    // Times of the server's own, if they are in order.
    let lease = match (reply.renew_s, reply.rebind_s) {
        (Some(renew_s), Some(rebind_s))
            if 0 < renew_s && renew_s < rebind_s && rebind_s < end_s =>
        {
            Lease {
                renew_s,
                rebind_s,
                ..lease
            }
        }
        _ => lease,
    };
    (whole && end_s >= LEASE_S_MIN).then_some(lease)
}

/// An address of one machine.
fn host(address: Ipv4Addr) -> Option<Ipv4Addr> {
    let none = address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_loopback();
    (!none).then_some(address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::super::message::tests::{ME, reply};
    use super::*;
    use proptest::prelude::*;

    const SERVER: (u8, &[u8]) = (54, &[10, 0, 2, 2]);
    const MASK: (u8, &[u8]) = (1, &[255, 255, 255, 0]);
    const ROUTER: (u8, &[u8]) = (3, &[10, 0, 2, 2]);
    const HOUR: (u8, &[u8]) = (51, &[0, 0, 0x0e, 0x10]);

    const GOOD: [(u8, &[u8]); 4] = [SERVER, MASK, ROUTER, HOUR];
    const OFFER: u8 = 2;
    const ACK: u8 = 5;
    const NAK: u8 = 6;

    fn offered() -> Exchange {
        let mut exchange = Exchange::new(ME, 7);
        assert_eq!(exchange.hear(&reply(OFFER, 7, &GOOD)), Heard::Offered);
        exchange
    }

    #[test]
    fn takes_an_offer_and_is_bound_by_its_confirmation() {
        let Heard::Bound(lease) = offered().hear(&reply(ACK, 7, &GOOD)) else {
            panic!("not bound");
        };
        assert_eq!(lease.address, Ipv4Addr::new(10, 0, 2, 15));
        assert_eq!(lease.prefix, 24);
        assert_eq!(
            (lease.renew_s, lease.rebind_s, lease.end_s),
            (1800, 3150, 3600)
        );
    }

    #[test]
    fn takes_no_confirmation_that_it_did_not_ask_for() {
        let mut fresh = Exchange::new(ME, 7);
        assert_eq!(fresh.hear(&reply(ACK, 7, &GOOD)), Heard::Ignored);
        let other: [(u8, &[u8]); 4] = [(54, &[10, 0, 2, 9]), MASK, ROUTER, HOUR];
        assert_eq!(offered().hear(&reply(ACK, 7, &other)), Heard::Ignored);
        assert_eq!(offered().hear(&reply(NAK, 7, &other)), Heard::Ignored);
        assert_eq!(offered().hear(&reply(OFFER, 7, &other)), Heard::Ignored);
        assert_eq!(offered().hear(&reply(NAK, 7, &[SERVER])), Heard::Refused);
    }

    #[test]
    fn takes_no_lease_that_a_machine_cannot_use() {
        for (number, value) in [
            (1, &[255, 0, 255, 0][..]),
            (1, &[0, 0, 0, 0]),
            (3, &[127, 0, 0, 1]),
            (51, &[0, 0, 0, 1]),
            (54, &[255, 255, 255, 255]),
        ] {
            let mut options = GOOD.to_vec();
            options.retain(|(found, _)| *found != number);
            options.push((number, value));
            let heard = Exchange::new(ME, 7).hear(&reply(OFFER, 7, &options));
            assert_eq!(heard, Heard::Ignored, "{number} {value:?}");
        }
    }

    #[test]
    fn renews_the_same_address_alone() {
        let address = Ipv4Addr::new(10, 0, 2, 15);
        let mut exchange = Exchange::renewal(ME, 7, address);
        assert!(matches!(
            exchange.hear(&reply(ACK, 7, &GOOD)),
            Heard::Bound(_)
        ));
        assert_eq!(exchange.hear(&reply(NAK, 7, &[SERVER])), Heard::Refused);
        let mut other = Exchange::renewal(ME, 7, Ipv4Addr::new(10, 0, 2, 16));
        assert_eq!(other.hear(&reply(ACK, 7, &GOOD)), Heard::Ignored);
    }

    proptest! {
        #[test]
        fn times_of_a_lease_are_always_in_order(
            end in any::<u32>(), renew in any::<u32>(), rebind in any::<u32>()
        ) {
            let (end, renew, rebind) =
                (end.to_be_bytes(), renew.to_be_bytes(), rebind.to_be_bytes());
            let options = [SERVER, MASK, (51, &end[..]), (58, &renew[..]), (59, &rebind[..])];
            let mut exchange = Exchange::renewal(ME, 7, Ipv4Addr::new(10, 0, 2, 15));
            if let Heard::Bound(lease) = exchange.hear(&reply(ACK, 7, &options)) {
                prop_assert!(0 < lease.renew_s);
                prop_assert!(lease.renew_s < lease.rebind_s);
                prop_assert!(lease.rebind_s < lease.end_s);
            }
        }
    }
}
