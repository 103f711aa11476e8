//! A dial whose packet says that it comes from a victim's address, which never
//! answers: what the node sends there is more than the attacker had to send.
//!
//! The control is QUIC's Retry (RFC 9000, section 8.1.2). It is removed in the
//! endpoint's check of addresses.

use crate::scene::{self, loopback, stream, within};
use crate::{Control, Failure, Outcome};
use link::{AddressCheck, DialControls, Endpoint, Patience};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;

/// How long a dialler may take for its first packet, in milliseconds.
const PACKET_MS_MAX: u64 = 5_000;
/// How long the victim listens: several of QUIC's first timeouts.
const LISTEN: Duration = Duration::from_millis(2_500);
/// A packet's form and type, and the type Retry, in its first byte
/// (RFC 9000, section 17.2.5).
const TYPE_BITS: u8 = 0xf0;
const RETRY: u8 = 0xf0;

pub(super) fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(dial_as_another(control))
}

async fn dial_as_another(control: Control) -> Result<Outcome, Failure> {
    let mut checks = DialControls::default();
    if !control.is_on() {
        checks.addresses = AddressCheck::dangerously_any();
    }
    let node = Endpoint::bind_checking(loopback(), &stream::stranger()?, checks)?;
    let address = node.address()?;
    tokio::spawn(async move {
        while let Some(accepting) = node.accept().await {
            tokio::spawn(accepting.finish());
        }
    });
    let packet = first_packet().await?;
    // This machine's kernel writes the victim's address into what it sends.
    let victim = UdpSocket::bind(loopback()).await?;
    victim.send_to(&packet, address).await?;
    let (first, bytes) = received(&victim).await?;
    match first {
        Some(RETRY) if bytes < packet.len() => Ok(Outcome::stopped("retry")),
        Some(_) if bytes > packet.len() => Ok(Outcome::succeeded(format!(
            "{} bytes sent, {bytes} bytes at the victim",
            packet.len()
        ))),
        _ => Err(Failure::Stage("the victim got something else")),
    }
}

/// What a dialler sends first, taken from a real one.
async fn first_packet() -> Result<Vec<u8>, Failure> {
    let trap = UdpSocket::bind(loopback()).await?;
    let address: SocketAddr = trap.local_addr()?;
    let dialler = Endpoint::bind(loopback(), &stream::stranger()?)?;
    tokio::spawn(async move { dialler.dial(address, None, Patience::Edge).await.is_ok() });
    let mut packet = vec![0; 2_048];
    let received = within(PACKET_MS_MAX, "first packet", trap.recv_from(&mut packet));
    let (bytes, _) = received.await??;
    packet.truncate(bytes);
    Ok(packet)
}

/// The type of the victim's first packet, and the bytes of all.
async fn received(victim: &UdpSocket) -> Result<(Option<u8>, usize), Failure> {
    let (mut first, mut sum) = (None, 0usize);
    let mut packet = [0; 2_048];
    let listening = async {
        loop {
            let (bytes, _) = victim.recv_from(&mut packet).await?;
            first = first.or_else(|| packet.first().map(|byte| byte & TYPE_BITS));
            sum = sum.saturating_add(bytes);
        }
    };
    match tokio::time::timeout(LISTEN, listening).await {
        Ok(Err::<(), std::io::Error>(error)) => Err(error.into()),
        Ok(Ok(())) | Err(_) => Ok((first, sum)),
    }
}
