//! DHCP messages (RFC 2131 section 2, options of RFC 2132): what the client
//! says, and a strict reader of what servers say.

use std::net::Ipv4Addr;

/// The longest packet that is read, in bytes: one Ethernet frame's worth, as
/// the client says in option 57.
pub(super) const PACKET_BYTES_MAX: usize = 1_500;
/// Options begin here, in bytes: the fixed part and the cookie.
const OPTIONS_AT: usize = 240;
/// Relays of old drop packets that are shorter than BOOTP's, in bytes.
const PACKET_BYTES_MIN: usize = 300;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Ethernet, and the length of its addresses.
const HARDWARE: [u8; 2] = [1, 6];
/// Answers shall be broadcast: without an address none other arrives.
const BROADCAST: [u8; 2] = [0x80, 0];

/// Option codes.
mod code {
    pub(super) const PAD: u8 = 0;
    pub(super) const MASK: u8 = 1;
    pub(super) const ROUTER: u8 = 3;
    pub(super) const REQUESTED: u8 = 50;
    pub(super) const LEASE: u8 = 51;
    pub(super) const TYPE: u8 = 53;
    pub(super) const SERVER: u8 = 54;
    pub(super) const WANTED: u8 = 55;
    pub(super) const SIZE: u8 = 57;
    pub(super) const RENEW: u8 = 58;
    pub(super) const REBIND: u8 = 59;
    pub(super) const CLIENT: u8 = 61;
    pub(super) const END: u8 = 255;
}

/// What a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Who has an address?
    Discover,
    /// I take this one, of this server.
    Select { address: Ipv4Addr, server: Ipv4Addr },
    /// I have this one and want to keep it.
    Renew { address: Ipv4Addr },
}

/// The packet of a client.
pub(super) fn encode(said: Said, hardware: [u8; 6], xid: u32) -> Vec<u8> {
    let (kind, flags, own) = match said {
        Said::Discover => (1, BROADCAST, Ipv4Addr::UNSPECIFIED),
        Said::Select { .. } => (3, BROADCAST, Ipv4Addr::UNSPECIFIED),
        Said::Renew { address } => (3, [0; 2], address),
    };
    let mut out = vec![1];
    out.extend(HARDWARE);
    out.push(0);
    out.extend(xid.to_be_bytes());
    out.extend([0; 2]);
    out.extend(flags);
    out.extend(own.octets());
    // Addresses of others, the rest of the hardware's, server and file names.
    out.extend([0; 12]);
    out.extend(hardware);
    out.resize(OPTIONS_AT - COOKIE.len(), 0);
    out.extend(COOKIE);
    out.extend([code::TYPE, 1, kind]);
    out.extend([code::CLIENT, 7, 1]);
    out.extend(hardware);
    if let Said::Select { address, server } = said {
        out.extend([code::REQUESTED, 4]);
        out.extend(address.octets());
        out.extend([code::SERVER, 4]);
        out.extend(server.octets());
    }
    let wanted = [
        code::MASK,
        code::ROUTER,
        code::LEASE,
        code::SERVER,
        code::RENEW,
        code::REBIND,
    ];
    out.extend([code::WANTED, 6]);
    out.extend(wanted);
    out.extend([code::SIZE, 2, 0x05, 0xdc]);
    out.push(code::END);
    out.resize(out.len().max(PACKET_BYTES_MIN), 0);
    out
}

/// What a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Offer,
    Ack,
    Nak,
}

/// A server's message, with those options that a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) kind: Kind,
    pub(super) address: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    pub(super) mask: Option<Ipv4Addr>,
    pub(super) router: Option<Ipv4Addr>,
    pub(super) lease_s: Option<u32>,
    pub(super) renew_s: Option<u32>,
    pub(super) rebind_s: Option<u32>,
}

/// Reads a server's answer to the client with this hardware address and
/// transaction. None for everything else: there is nobody to tell why.
pub(super) fn decode(packet: &[u8], hardware: [u8; 6], xid: u32) -> Option<Reply> {
    if packet.len() > PACKET_BYTES_MAX {
        return None;
    }
    let (fixed, options) = packet.split_at_checked(OPTIONS_AT)?;
    let for_me = fixed.first() == Some(&2)
        && fixed.get(1..3)? == HARDWARE
        && fixed.get(4..8)? == xid.to_be_bytes()
        && fixed.get(28..34)? == hardware
        && fixed.get(236..240)? == COOKIE;
    if !for_me {
        return None;
    }
    let address: [u8; 4] = fixed.get(16..20)?.try_into().ok()?;
    let options = Options::read(options)?;
    let kind = match options.one(code::TYPE)?? {
        [2] => Kind::Offer,
        [5] => Kind::Ack,
        [6] => Kind::Nak,
        _ => return None,
    };
    Some(Reply {
        kind,
        address: address.into(),
        server: options.four(code::SERVER)??.into(),
        mask: options.four(code::MASK)?.map(Ipv4Addr::from),
        router: options.first_of_many(code::ROUTER)?,
        lease_s: options.four(code::LEASE)?.map(u32::from_be_bytes),
        renew_s: options.four(code::RENEW)?.map(u32::from_be_bytes),
        rebind_s: options.four(code::REBIND)?.map(u32::from_be_bytes),
    })
}

/// Codes and values in their order.
struct Options<'a>(Vec<(u8, &'a [u8])>);

impl<'a> Options<'a> {
    /// None if an option is cut short, or the list does not end.
    fn read(mut rest: &'a [u8]) -> Option<Self> {
        let mut found = Vec::new();
        loop {
            let (&code, after) = rest.split_first()?;
            match code {
                code::END => return Some(Self(found)),
                code::PAD => rest = after,
                _ => {
                    let (&length, after) = after.split_first()?;
                    let (value, after) = after.split_at_checked(length.into())?;
                    found.push((code, value));
                    rest = after;
                }
            }
        }
    }

    /// The option; none if it stands there twice (RFC 3396 would join them:
    /// none of the client's is that long).
    fn one(&self, code: u8) -> Option<Option<&'a [u8]>> {
        let mut values = self.0.iter().filter(|(found, _)| *found == code);
        let first = values.next().map(|(_, value)| *value);
        values.next().is_none().then_some(first)
    }

    /// An option of four bytes; none if it has others.
    fn four(&self, code: u8) -> Option<Option<[u8; 4]>> {
        match self.one(code)? {
            None => Some(None),
            Some(value) => value.try_into().ok().map(Some),
        }
    }

    /// The first address of a list; none if that is not whole.
    fn first_of_many(&self, code: u8) -> Option<Option<Ipv4Addr>> {
        let Some(value) = self.one(code)? else {
            return Some(None);
        };
        let first: [u8; 4] = value.first_chunk().copied()?;
        (value.len() % 4 == 0).then_some(Some(first.into()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use proptest::prelude::*;

    pub(crate) const ME: [u8; 6] = [2, 0, 0, 0, 0, 1];

    /// A server's packet.
    pub(crate) fn reply(kind: u8, xid: u32, options: &[(u8, &[u8])]) -> Vec<u8> {
        let mut out = encode(Said::Discover, ME, xid);
        out[0] = 2;
        out[16..20].copy_from_slice(&[10, 0, 2, 15]);
        out.truncate(OPTIONS_AT);
        out.extend([code::TYPE, 1, kind]);
        for (code, value) in options {
            out.extend([*code, u8::try_from(value.len()).unwrap()]);
            out.extend(*value);
        }
        out.push(code::END);
        out
    }

    const GOOD: [(u8, &[u8]); 4] = [
        (code::SERVER, &[10, 0, 2, 2]),
        (code::MASK, &[255, 255, 255, 0]),
        (code::ROUTER, &[10, 0, 2, 2, 10, 0, 2, 3]),
        (code::LEASE, &[0, 1, 0x51, 0x80]),
    ];

    #[test]
    fn reads_what_was_asked_for() {
        let found = decode(&reply(5, 7, &GOOD), ME, 7).unwrap();
        assert_eq!(found.kind, Kind::Ack);
        assert_eq!(found.address, Ipv4Addr::new(10, 0, 2, 15));
        assert_eq!(found.router, Some(Ipv4Addr::new(10, 0, 2, 2)));
        assert_eq!(found.lease_s, Some(86_400));
        assert_eq!(found.renew_s, None);
    }

    #[test]
    fn refuses_what_is_for_others_or_not_whole() {
        let good = reply(5, 7, &GOOD);
        assert_eq!(decode(&good, ME, 8), None, "another transaction");
        assert_eq!(decode(&good, [9; 6], 7), None, "another client");
        for at in [0, 1, 2, 236, 239] {
            let mut other = good.clone();
            other[at] ^= 1;
            assert_eq!(decode(&other, ME, 7), None, "byte {at}");
        }
        for length in 0..good.len() {
            assert_eq!(decode(&good[..length], ME, 7), None, "length {length}");
        }
        assert_eq!(decode(&reply(1, 7, &GOOD), ME, 7), None, "a client's");
        assert_eq!(decode(&reply(5, 7, &GOOD[1..]), ME, 7), None, "no server");
        for (code, value) in [
            (code::MASK, &[255, 255][..]),
            (code::ROUTER, &[10, 0, 2, 2, 1]),
            (code::ROUTER, &[]),
            (code::SERVER, &[10, 0, 2, 2]),
        ] {
            let mut options = GOOD.to_vec();
            options.retain(|(found, _)| *found != code || code == code::SERVER);
            options.push((code, value));
            assert_eq!(decode(&reply(5, 7, &options), ME, 7), None, "{code}");
        }
        let mut long = good;
        long.resize(PACKET_BYTES_MAX + 1, 0);
        assert_eq!(decode(&long, ME, 7), None, "too long");
    }

    #[test]
    fn a_client_packet_is_as_long_as_bootp_wants() {
        let packet = encode(Said::Discover, ME, 7);
        assert_eq!(packet.len(), PACKET_BYTES_MIN);
        assert_eq!(packet[10..12], BROADCAST);
        let renewal = encode(
            Said::Renew {
                address: [10, 0, 2, 15].into(),
            },
            ME,
            7,
        );
        assert_eq!(renewal[12..16], [10, 0, 2, 15]);
        assert_eq!(renewal[10..12], [0, 0]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(packet in prop::collection::vec(any::<u8>(), 0..1_600)) {
            let _ = decode(&packet, ME, 7);
        }

        #[test]
        fn no_options_make_the_reader_panic(
            options in prop::collection::vec(any::<u8>(), 0..64)
        ) {
            let mut packet = reply(2, 7, &GOOD);
            packet.truncate(OPTIONS_AT);
            packet.extend(&options);
            if let Some(found) = decode(&packet, ME, 7) {
                prop_assert!(options.contains(&code::END));
                prop_assert_eq!(found.address, Ipv4Addr::new(10, 0, 2, 15));
            }
        }
    }
}
