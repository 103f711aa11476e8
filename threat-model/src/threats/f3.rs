//! F3: a code on a poster is an invite that names one victim's address twenty
//! times over, so that everybody who scans it knocks there.
//!
//! The control is the strict parser. It is removed by a parser that takes
//! what it finds.

use crate::attack::attack;
use crate::scene::stream::{self, Stream};
use crate::scene::{self, loopback, random};
use crate::{Control, Failure, Outcome};
use link::{Endpoint, Patience};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use wire::invite::{AudienceSecret, Invite};

attack!("F3", run);

/// How often the victim stands in the invite.
const TIMES: usize = 20;
/// How long the victim listens, in milliseconds.
const LISTEN_MS: u64 = 1_500;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(scan_a_hostile_code(control))
}

async fn scan_a_hostile_code(control: Control) -> Result<Outcome, Failure> {
    let victim = UdpSocket::bind(loopback()).await?;
    let address = victim.local_addr()?;
    let hostile = Invite {
        stream: Stream::begin()?.run.scope.stream,
        secret: AudienceSecret::new(random()?),
        addresses: vec![address; TIMES],
    };
    let code = hostile.to_uri();
    let invite = match control {
        Control::On => Invite::parse(&code),
        Control::Removed => Ok(lenient(&code)?),
    };
    let invite = match invite {
        Ok(invite) => invite,
        Err(refusal) => return Ok(Outcome::stopped(refusal.reason())),
    };
    // What a client does with an invite: it tries the addresses.
    let client = Arc::new(Endpoint::bind(loopback(), &stream::stranger()?)?);
    let mut dials = JoinSet::new();
    for address in invite.addresses {
        let client = client.clone();
        dials.spawn(async move { client.dial(address, None, Patience::Control).await.is_ok() });
    }
    let knocks = knocks(&victim).await?;
    if knocks == TIMES {
        Ok(Outcome::succeeded(format!(
            "one scan, {knocks} handshakes knocking at somebody else's door"
        )))
    } else {
        Err(Failure::Stage("the client did not try every address"))
    }
}

/// Handshakes that came within the time: distinct connection ids of QUIC's
/// first packets (RFC 9000, section 17.2).
async fn knocks(victim: &UdpSocket) -> Result<usize, Failure> {
    let mut ids = BTreeSet::new();
    let mut packet = [0u8; 2_048];
    let listening = async {
        loop {
            let (bytes, _) = victim.recv_from(&mut packet).await?;
            let id_len = packet.get(5).copied().map_or(0, usize::from);
            let end = 6usize.saturating_add(id_len).min(bytes);
            ids.insert(packet.get(6..end).unwrap_or_default().to_vec());
        }
    };
    match tokio::time::timeout(Duration::from_millis(LISTEN_MS), listening).await {
        Ok(Err::<(), std::io::Error>(error)) => Err(error.into()),
        Ok(Ok(())) | Err(_) => Ok(ids.len()),
    }
}

/// A parser that is as friendly as many: any address, any number of times.
fn lenient(code: &str) -> Result<Invite, Failure> {
    let mut whole = Invite::parse(&first_address_alone(code))?;
    whole.addresses = code
        .split("&a=")
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    Ok(whole)
}

fn first_address_alone(code: &str) -> String {
    let mut parts = code.split("&a=");
    let head = parts.next().unwrap_or_default();
    let first = parts.next().unwrap_or_default();
    format!("{head}&a={first}")
}
