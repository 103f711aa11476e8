//! E1: a member writes himself a permit for a better parent, and signs it.
//!
//! The control is the check of permits. It is removed in the controls that
//! the victim's node is made with.

use crate::attack::attack;
use crate::scene::edge::{Victim, accept_order, publish};
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{self, loopback, within};
use crate::{Control, Failure, Outcome};
use link::{Controls, Endpoint, Identity, Patience, PermitCheck, open_channel};
use std::net::SocketAddr;
use wire::message::StreamKind;
use wire::message::control::NodeKind;
use wire::message::edge::{Edge, Start};
use wire::statement::BatchedPermit;
use wire::{Rendition, SpkiHash, StripeSet};

mod permits;
mod stolen;

attack!("E1", run,
    "a genuine permit is altered" => "permit_signature_invalid": permits::altered,
    "another child's permit is shown" => "permit_wrong_edge": permits::replayed,
    "a permit of an earlier epoch is shown" => "permit_epoch_old": permits::of_an_earlier_epoch,
    "a permit that has expired is shown" => "permit_expired": permits::expired,
    "a membership that has ended is shown" => "certificate_expired": stolen::run,
);

/// How long the first bytes may take, in milliseconds.
const STREAM_MS_MAX: u64 = 10_000;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(forge_a_permit(control))
}

async fn forge_a_permit(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let (parent, thief) = (stream.member("parent")?, stream.member("thief")?);
    let mut controls = Controls::default();
    if !control.is_on() {
        controls.permits = PermitCheck::dangerously_any();
    }
    let victim = feeding(&stream, &parent, controls)?;
    let permit = stream.permit(parent.spki(), thief.spki());
    let forged = certs::permit::sign(&thief.key, &permit);
    show(&victim, &thief, forged).await
}

/// The permit reaches the parent as the coordinator's order would, and then
/// from the thief.
async fn show(
    victim: &Victim,
    thief: &Identity,
    permit: BatchedPermit,
) -> Result<Outcome, Failure> {
    let order = accept_order(permit.clone(), thief.spki())?;
    if let Err(refusal) = victim.node.order_edge(order) {
        return Ok(Outcome::stopped(refusal.reason()));
    }
    let (address, parent) = (victim.endpoint.address()?, victim.spki);
    let taken = take(thief, address, parent, permit);
    let bytes = within(STREAM_MS_MAX, "first bytes", taken).await??;
    Ok(Outcome::succeeded(format!(
        "the node fed {bytes} bytes to a child that nobody permitted"
    )))
}

/// A node that has something to send, and serves whom it may.
fn feeding(stream: &Stream, parent: &Identity, controls: Controls) -> Result<Victim, Failure> {
    let victim = Victim::new(stream, parent, NodeKind::Peer, true, controls)?;
    victim.accept_edges();
    for chunk in two_chunks(&mut stream.publisher()?, b"programme")? {
        publish(&victim, chunk)?;
    }
    Ok(victim)
}

/// Dials the parent as its child; returns how many bytes came first.
async fn take(
    thief: &Identity,
    address: SocketAddr,
    parent: SpkiHash,
    forged: BatchedPermit,
) -> Result<usize, Failure> {
    let socket = Endpoint::bind(loopback(), thief)?;
    let link = socket.dial(address, Some(parent), Patience::Edge).await?;
    let mut channel = open_channel(&link, StreamKind::Edge).await?;
    channel.send(&Edge::Hello(forged)).await?;
    let Edge::Welcome(_) = channel.expect("no welcome").await? else {
        return Err(Failure::Stage("the parent did not welcome"));
    };
    let start = Start {
        rendition: Rendition(0),
        stripes: StripeSet::ALL,
        resume: None,
    };
    channel.send(&Edge::Start(start)).await?;
    let mut group = link
        .connection
        .accept_uni()
        .await
        .map_err(link::Error::from)?;
    let mut buffer = [0u8; 256];
    match group.read(&mut buffer).await {
        Ok(Some(bytes)) if bytes > 0 => Ok(bytes),
        _ => Err(Failure::Stage("the parent sent nothing")),
    }
}
