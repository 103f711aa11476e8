//! Orders to somebody else's relay.

use super::program::{Attacker, End};
use crate::Failure;
use crate::scene::loopback;
use crate::scene::stream::stranger;
use link::{Endpoint, Identity, Patience, open_channel};
use std::net::SocketAddr;
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply, Serve};
use wire::message::control::Empty;
use wire::statement::{RunStatement, Signed};
use wire::{Reason, SpkiHash};

/// What a relay of the stage may send, in bit/s.
const RATE_BPS_MAX: u64 = 10_000_000;

/// What the relay made of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was obeyed.
    Obeyed,
    /// It was refused.
    Refused(Reason),
}

/// Sends `stop` to a relay with this identity's key.
///
/// # Errors
/// The relay cannot be reached, or does not answer.
pub async fn stop(
    attacker: &Identity,
    relay: SocketAddr,
    spki: Option<SpkiHash>,
) -> Result<Answer, Failure> {
    let socket = Endpoint::bind(SocketAddr::new(loopback().ip(), 0), attacker)?;
    let link = socket.dial(relay, spki, Patience::Control).await?;
    let mut channel = open_channel(&link, StreamKind::Command).await?;
    channel.send(&Command::Stop(Empty {})).await?;
    let answer = match channel.recv::<CommandReply>().await {
        Ok(Some(CommandReply::Done(_))) => Answer::Obeyed,
        Ok(Some(CommandReply::Refused(reason))) => Answer::Refused(reason),
        Ok(Some(CommandReply::Status(_))) => {
            return Err(Failure::Stage("the relay answered another question"));
        }
        // The close of the link says as much as a reply.
        Ok(None) | Err(_) => Answer::Refused(link.close_reason()),
    };
    socket.close(Reason::Done).await;
    Ok(answer)
}

/// The sponsor's own order: serve this run. Returns the holder's socket, which
/// he closes when he goes home.
///
/// # Errors
/// The relay does not obey.
pub async fn serve(
    holder: &Identity,
    (relay, spki): (SocketAddr, SpkiHash),
    (run, coordinator): (&Signed<RunStatement>, SpkiHash),
) -> Result<Endpoint, Failure> {
    let home = Endpoint::bind(SocketAddr::new(loopback().ip(), 0), holder)?;
    let link = home.dial(relay, Some(spki), Patience::Control).await?;
    let mut channel = open_channel(&link, StreamKind::Command).await?;
    let serve = Serve {
        run: run.clone(),
        coordinator,
        rate_bps_max: RATE_BPS_MAX,
    };
    channel.send(&Command::Serve(serve)).await?;
    match channel.expect("no reply").await? {
        CommandReply::Done(_) => Ok(home),
        _ => Err(Failure::Stage("the relay does not serve")),
    }
}

/// foreign-command: `stop` to the relay that carries the evening.
///
/// # Errors
/// The attack could not be tried.
pub async fn foreign_command(attacker: Attacker) -> Result<End, Failure> {
    let identity = stranger()?;
    attacker.ready(identity.spki());
    let (relay, spki) = attacker.options.target()?;
    attacker.begun();
    Ok(match stop(&identity, relay, Some(spki)).await? {
        Answer::Refused(reason) => End::Refused(reason.name().to_owned()),
        Answer::Obeyed => End::Succeeded,
    })
}
