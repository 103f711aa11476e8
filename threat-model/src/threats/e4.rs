//! E4: a hostile broadcaster orders a relay to dial an address inside the
//! relay's own network.
//!
//! The control is the relay's rule on where it dials. It is removed by the
//! parameter that opens private networks.

use crate::attack::attack;
use crate::scene::edge::{Victim, dial_order};
use crate::scene::stream::Stream;
use crate::scene::{self, loopback, stream};
use crate::{Control, Failure, Outcome};
use link::Controls;
use std::time::Duration;
use tokio::net::UdpSocket;
use wire::message::control::NodeKind;

mod spoofed;

attack!("E4", run,
    "a packet says that it comes from somebody else" => "retry": spoofed::run,
);

/// How long a packet to the internal service may take, in milliseconds.
const PACKET_MS_MAX: u64 = 1_500;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(dial_an_internal_service(control))
}

async fn dial_an_internal_service(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let relay = stream::stranger()?;
    let private = !control.is_on();
    let victim = Victim::new(
        &stream,
        &relay,
        NodeKind::Relay,
        private,
        Controls::default(),
    )?;
    let service = UdpSocket::bind(loopback()).await?;
    let address = service.local_addr()?;
    // The permit is genuine: the attacker is the coordinator.
    let other = stream::stranger()?.spki();
    let order = dial_order(&stream, other, relay.spki(), NodeKind::Relay, address)?;
    let ordered = victim.node.order_edge(order);
    let mut packet = [0u8; 2_048];
    let patience = Duration::from_millis(PACKET_MS_MAX);
    let came = tokio::time::timeout(patience, service.recv_from(&mut packet)).await;
    match (ordered, came) {
        (Err(refusal), Err(_)) => Ok(Outcome::stopped(refusal.reason())),
        (Ok(()), Ok(Ok((bytes, from)))) => Ok(Outcome::succeeded(format!(
            "the relay sent {bytes} bytes from port {} to a service inside its network",
            from.port()
        ))),
        (Err(_), Ok(_)) => Err(Failure::Stage("the relay refused, and dialled")),
        (Ok(()), _) => Err(Failure::Stage("the relay took the order, and did not dial")),
    }
}
