//! A guest's address, as it is told or as it is asked for.

use crate::Error;
use std::net::IpAddr;

/// An address on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Static {
    /// The guest's address.
    pub address: IpAddr,
    /// Length of the network's prefix, in bits.
    pub prefix: u8,
    /// The way to everybody else; without it the link is all there is.
    pub gateway: Option<IpAddr>,
}

impl Static {
    /// Reads `IP/PREFIX` and a gateway of the same family.
    ///
    /// # Errors
    /// [`Error::Boot`]: not an address that a machine can have.
    pub fn parse(address: &str, gateway: Option<&str>) -> Result<Self, Error> {
        const MALFORMED: Error = Error::Boot("the network is not IP/PREFIX with an IP gateway");
        let (address, prefix) = address.split_once('/').ok_or(MALFORMED)?;
        let address: IpAddr = address.parse().map_err(|_| MALFORMED)?;
        let prefix: u8 = prefix.parse().map_err(|_| MALFORMED)?;
        let gateway: Option<IpAddr> = gateway
            .map(|gateway| gateway.parse().map_err(|_| MALFORMED))
            .transpose()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let fits = |ip: &IpAddr| {
            ip.is_ipv4() == address.is_ipv4()
                && !ip.is_unspecified()
                && !ip.is_multicast()
                && !ip.is_loopback()
        };
        let whole = (1..=bits).contains(&prefix) && fits(&address);
        if whole && gateway.as_ref().is_none_or(fits) {
            Ok(Self {
                address,
                prefix,
                gateway,
            })
        } else {
            Err(MALFORMED)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn takes_addresses_of_both_families() {
        let four = Static::parse("10.9.0.2/24", Some("10.9.0.1")).unwrap();
        assert_eq!((four.prefix, four.address.is_ipv4()), (24, true));
        assert!(Static::parse("fd00::2/64", Some("fd00::1")).is_ok());
        assert!(Static::parse("10.9.0.2/32", None).is_ok());
    }

    #[test]
    fn refuses_what_no_machine_can_have() {
        for (address, gateway) in [
            ("10.9.0.2", None),
            ("10.9.0.2/33", None),
            ("10.9.0.2/0", None),
            ("10.9.0.2/-1", None),
            ("10.9.0.2/24/1", None),
            ("0.0.0.0/8", None),
            ("127.0.0.1/8", None),
            ("224.0.0.1/4", None),
            ("fd00::2/129", None),
            ("10.9.0.2/24", Some("fd00::1")),
            ("10.9.0.2/24", Some("0.0.0.0")),
            ("10.9.0.2/24", Some("")),
        ] {
            let refused = Static::parse(address, gateway);
            assert!(refused.is_err(), "{address} {gateway:?}");
        }
    }
}
