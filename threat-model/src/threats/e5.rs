//! E5: somebody begins two hundred handshakes and ends none of them.
//!
//! The control is the bound on half-open links at the endpoint that is
//! dialled. It is removed in the controls that it is bound with. The other
//! ways: a link that never says what it is for, a permit that comes a byte at
//! a time, a child that takes nothing, and one that takes a little.

use crate::attack::attack;
use crate::scene::{self, loopback, stream, within};
use crate::{Control, Failure, Outcome};
use link::{DialControls, Endpoint, HALF_OPEN_LIMIT, HalfOpenCheck, Patience};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;

mod children;
mod words;

attack!("E5", run,
    "a link never says what it is for" => "timeout": words::silent,
    "a permit comes a byte at a time" => "permit_missing": words::trickled,
    "a child keeps its place and takes nothing" => "slow_reader": children::takes_nothing,
    "a child takes less than it is sent" => "slow_reader": children::takes_little,
);

/// Handshakes that the attacker begins, and begins again when they time out.
const BEGUN: usize = 200;
/// How many at once do harm: more than one address has with the control on,
/// and no more than a busy machine takes while the first of them last.
const HARM: usize = 100;
/// How often the victim's state is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long that may take: a few of the handshake's own time limits.
const FLOOD_MS_MAX: u64 = 20_000;
/// How long an honest dial may take beside all that, in milliseconds.
const DIAL_MS_MAX: u64 = 5_000;
/// A packet's form and type, and the type Retry, in its first byte
/// (RFC 9000, section 17.2.5).
const TYPE_BITS: u8 = 0xf0;
const RETRY: u8 = 0xf0;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(begin_and_never_end(control))
}

/// What the endpoint of a victim is bound with.
fn dials(control: Control) -> DialControls {
    let mut dials = DialControls::default();
    if !control.is_on() {
        dials.half_open = HalfOpenCheck::dangerously_unlimited();
    }
    dials
}

async fn begin_and_never_end(control: Control) -> Result<Outcome, Failure> {
    let victim = Endpoint::bind_checking(loopback(), &stream::stranger()?, dials(control))?;
    let (address, victim) = (victim.address()?, Arc::new(victim));
    let serving = victim.clone();
    tokio::spawn(async move {
        while let Some(accepting) = serving.accept().await {
            tokio::spawn(async move {
                if let Ok(link) = accepting.finish().await {
                    link.connection.closed().await;
                }
            });
        }
    });
    let attacker = Arc::new(Endpoint::bind(loopback(), &stream::stranger()?)?);
    let broken = half_a_path(attacker.address()?, address).await?;
    for _ in 0..BEGUN {
        let attacker = attacker.clone();
        tokio::spawn(async move {
            while attacker.dial(broken, None, Patience::Edge).await.is_err() {
                tokio::time::sleep(LOOK).await;
            }
        });
    }
    let seen = within(FLOOD_MS_MAX, "flood", flooded(&victim)).await?;
    let honest = Endpoint::bind(loopback(), &stream::stranger()?)?;
    let dialled = honest.dial(address, None, Patience::Edge);
    within(DIAL_MS_MAX, "honest link", dialled).await??;
    match seen {
        Seen::Refused { most } if most < HARM => Ok(Outcome::stopped(HALF_OPEN_LIMIT)),
        Seen::Refused { .. } => Err(Failure::Stage("too many were held, and some refused")),
        Seen::Held(held) => Ok(Outcome::succeeded(format!(
            "{held} handshakes that one address will never end are held at once"
        ))),
    }
}

enum Seen {
    /// Dials were refused; the most that were held before.
    Refused { most: usize },
    /// So many are held.
    Held(usize),
}

async fn flooded(victim: &Endpoint) -> Seen {
    let mut most = 0;
    loop {
        let load = victim.half_open();
        most = most.max(load.held);
        if load.refused > 0 {
            return Seen::Refused { most };
        }
        if load.held >= HARM {
            return Seen::Held(load.held);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A path from another address of this machine that carries all of the
/// dialler's packets, and of the victim's the Retry alone: so the address is
/// validated, and no handshake ends.
async fn half_a_path(dialler: SocketAddr, victim: SocketAddr) -> Result<SocketAddr, Failure> {
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], 0));
    let (near, far) = (
        UdpSocket::bind(loopback()).await?,
        UdpSocket::bind(elsewhere).await?,
    );
    let address = near.local_addr()?;
    tokio::spawn(async move {
        let (mut out, mut back) = ([0; 2_048], [0; 2_048]);
        loop {
            let carried = tokio::select! {
                packet = near.recv_from(&mut out) => match packet {
                    Ok((bytes, _)) => far.send_to(out.get(..bytes).unwrap_or_default(), victim).await,
                    Err(e) => Err(e),
                },
                packet = far.recv_from(&mut back) => match packet {
                    Ok((bytes, _)) if back.first().is_some_and(|b| b & TYPE_BITS == RETRY) => {
                        near.send_to(back.get(..bytes).unwrap_or_default(), dialler).await
                    }
                    Ok(_) => Ok(0),
                    Err(e) => Err(e),
                },
            };
            if carried.is_err() {
                return;
            }
        }
    });
    Ok(address)
}
