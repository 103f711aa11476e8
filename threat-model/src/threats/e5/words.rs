//! Links of strangers who say nothing, or a byte at a time. The controls are
//! the time that a first word and a turn may take.

use super::dials;
use crate::scene::edge::Victim;
use crate::scene::stream::{self, Stream};
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use link::{Channel, Controls, DialControls, Endpoint, Link, Patience, TurnCheck, open_channel};
use std::time::Duration;
use wire::codec::put_varint;
use wire::message::StreamKind;
use wire::message::edge::Edge;
use wire::{Encode, Reason};

/// How much longer than any of the time limits an attacker stays, at most.
const STAY: Duration = Duration::from_millis(11_000);
/// From one byte to the next.
const BYTE: Duration = Duration::from_millis(500);

pub(super) fn silent(control: Control) -> Result<Outcome, Failure> {
    scene::stage(say_nothing(control))
}

pub(super) fn trickled(control: Control) -> Result<Outcome, Failure> {
    scene::stage(say_a_byte_at_a_time(control))
}

/// Dials a node that serves edges; the dialler's socket has to stay.
async fn dialled(
    stream: &Stream,
    dials: DialControls,
    controls: Controls,
) -> Result<(Victim, Endpoint, Link), Failure> {
    let identity = stream.member("victim")?;
    let kept = overlay::forwarder::Config::default();
    let victim = Victim::dialled(stream, &identity, kept, (dials, controls))?;
    victim.accept_edges();
    let socket = Endpoint::bind(loopback(), &stream::stranger()?)?;
    // The keep-alive of a control link holds it as long as the attacker likes.
    let address = victim.endpoint.address()?;
    let link = socket.dial(address, None, Patience::Control).await?;
    Ok((victim, socket, link))
}

async fn say_nothing(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let (victim, _socket, link) = dialled(&stream, dials(control), Controls::default()).await?;
    match tokio::time::timeout(STAY, link.connection.closed()).await {
        Ok(_) => Ok(Outcome::stopped(link.close_reason().name())),
        Err(_) if victim.endpoint.half_open().held == 1 => Ok(Outcome::succeeded(
            "a link that has said nothing is held for as long as its owner likes",
        )),
        Err(_) => Err(Failure::Stage("the victim holds another number of links")),
    }
}

async fn say_a_byte_at_a_time(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let mut controls = Controls::default();
    if !control.is_on() {
        controls.turns = TurnCheck::dangerously_endless();
    }
    let (victim, _socket, link) = dialled(&stream, DialControls::default(), controls).await?;
    let mut channel = open_channel(&link, StreamKind::Edge).await?;
    let permit = stream.permit(victim.spki, link.peer);
    let hello = Edge::Hello(certs::permit::sign(&stream.permit_key, &permit));
    // The stream stays open until all is judged: its end would be an answer.
    let trickled = tokio::time::timeout(STAY, trickle(&mut channel, &hello)).await;
    match trickled {
        Ok(()) if link.last_word().await != Reason::PeerGone => {
            Ok(Outcome::stopped(link.close_reason().name()))
        }
        Err(_) if link.connection.close_reason().is_none() => Ok(Outcome::succeeded(
            "a parent waits for the rest of one permit for as long as its bytes come",
        )),
        _ => Err(Failure::Stage("the link ended otherwise")),
    }
}

/// Until the other end has had enough.
async fn trickle(channel: &mut Channel, message: &Edge) {
    let body = message.to_bytes();
    let mut frame = Vec::new();
    put_varint(&mut frame, body.len() as u64);
    frame.extend_from_slice(&body);
    for byte in frame {
        if channel.send.write_all(&[byte]).await.is_err() {
            return;
        }
        tokio::time::sleep(BYTE).await;
    }
}
