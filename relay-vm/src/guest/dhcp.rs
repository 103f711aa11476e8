//! A DHCP client (RFC 2131) for one interface. Its port is open while it
//! waits for a server, and at no other time.

mod exchange;
mod message;

use super::interfaces::Device;
use crate::Error;
use crate::network::Static;
use exchange::{Exchange, Heard};
use ring::rand::{SecureRandom, SystemRandom};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

/// Ports of RFC 2131 section 4.1.
const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// How long each try waits for an answer, in ms: 27 s together, then the
/// machine has no network and ends.
const TRY_MS: [u64; 5] = [1_000, 2_000, 4_000, 8_000, 12_000];
/// How long one try to renew waits, in ms.
const RENEW_MS: u64 = 4_000;
/// The least pause between two tries to renew, in s (section 4.4.5).
const RENEW_PAUSE_S_MIN: u64 = 60;

/// An address for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    /// The guest's address.
    pub(super) address: Ipv4Addr,
    /// Length of the network's prefix, in bits.
    pub(super) prefix: u8,
    /// The way to everybody else.
    pub(super) gateway: Option<Ipv4Addr>,
    /// Who gave it.
    pub(super) server: Ipv4Addr,
    /// When to ask its giver again, in seconds from its begin.
    pub(super) renew_s: u32,
    /// When to ask everybody.
    pub(super) rebind_s: u32,
    /// When it is over.
    pub(super) end_s: u32,
}

impl Lease {
    /// As an address that is set.
    pub(super) fn network(&self) -> Static {
        Static {
            address: IpAddr::V4(self.address),
            prefix: self.prefix,
            gateway: self.gateway.map(IpAddr::V4),
        }
    }
}

/// Asks for an address.
///
/// # Errors
/// [`Error::Network`]: nobody gives one.
pub(super) fn ask(device: &Device) -> Result<Lease, Error> {
    let mut exchange = Exchange::new(device.hardware, random()?);
    for patience_ms in TRY_MS {
        match round(device, &mut exchange, Ipv4Addr::BROADCAST, patience_ms)? {
            Heard::Bound(lease) => return Ok(lease),
            // The offer was withdrawn: begin again.
            Heard::Refused => exchange = Exchange::new(device.hardware, random()?),
            Heard::Ignored | Heard::Offered => {}
        }
    }
    Err(Error::Network(format!("no DHCP lease on {}", device.name)))
}

/// Renews the lease until that fails for good; then the address is another's.
pub(super) fn keep(device: &Device, mut lease: Lease) {
    loop {
        let begun = Instant::now();
        std::thread::sleep(Duration::from_secs(lease.renew_s.into()));
        match renew(device, &lease, begun) {
            // Another address would not be the one that the relay is known by.
            Some(next) if next.address == lease.address => lease = next,
            _ => return,
        }
    }
}

fn renew(device: &Device, lease: &Lease, begun: Instant) -> Option<Lease> {
    loop {
        let age_s = begun.elapsed().as_secs();
        let (to, limit_s) = if age_s < lease.rebind_s.into() {
            (lease.server, lease.rebind_s.into())
        } else {
            (Ipv4Addr::BROADCAST, lease.end_s.into())
        };
        if age_s >= lease.end_s.into() {
            return None;
        }
        let mut exchange = Exchange::renewal(device.hardware, random().ok()?, lease.address);
        match round(device, &mut exchange, to, RENEW_MS) {
            Ok(Heard::Bound(next)) => return Some(next),
            Ok(Heard::Refused) => return None,
            // Silence, or a network that is away for now.
            Ok(Heard::Ignored | Heard::Offered) | Err(_) => {}
        }
        let age_s = begun.elapsed().as_secs();
        std::thread::sleep(Duration::from_secs(pause_s(age_s, limit_s)));
    }
}

/// Half of what is left, at least a minute, and never past the limit.
fn pause_s(age_s: u64, limit_s: u64) -> u64 {
    let left = limit_s.saturating_sub(age_s);
    (left / 2).max(RENEW_PAUSE_S_MIN).min(left).max(1)
}

/// Sends what the exchange has to say until it is over or patience is.
fn round(
    device: &Device,
    exchange: &mut Exchange,
    to: Ipv4Addr,
    patience_ms: u64,
) -> Result<Heard, Error> {
    let socket = open(device).map_err(Error::system("opening the DHCP port"))?;
    let to = SocketAddrV4::new(to, SERVER_PORT);
    let send = |exchange: &Exchange| {
        socket
            .send_to(&exchange.packet(), to)
            .map_err(Error::system("sending to the DHCP server"))
    };
    send(exchange)?;
    let end = Instant::now() + Duration::from_millis(patience_ms);
    let mut packet = [0; message::PACKET_BYTES_MAX];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Heard::Ignored);
        }
        socket
            .set_read_timeout(Some(left))
            .map_err(Error::system("waiting for the DHCP server"))?;
        // A time-out and a refusal from the network are both silence.
        let Ok(length) = socket.recv(&mut packet) else {
            continue;
        };
        match exchange.hear(packet.get(..length).unwrap_or_default()) {
            Heard::Ignored => {}
            Heard::Offered => drop(send(exchange)?),
            over => return Ok(over),
        }
    }
}

fn open(device: &Device) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // Without an address there is no route: the device is the route.
    socket.bind_device(Some(device.name.as_bytes()))?;
    socket.set_broadcast(true)?;
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT_PORT);
    socket.bind(&any.into())?;
    Ok(socket.into())
}

fn random() -> Result<u32, Error> {
    let mut bytes = [0; 4];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Random)?;
    Ok(u32::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::pause_s;

    #[test]
    fn tries_to_renew_come_closer_and_never_miss_the_limit() {
        assert_eq!(pause_s(1_800, 3_150), 675);
        assert_eq!(pause_s(3_000, 3_150), 75);
        assert_eq!(pause_s(3_100, 3_150), 50);
        assert_eq!(pause_s(3_150, 3_150), 1);
        assert_eq!(pause_s(9_000, 3_150), 1);
    }
}
