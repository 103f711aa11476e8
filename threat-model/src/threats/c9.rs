//! C9: a member whose permit is for the small picture asks his parent for the
//! large one. He has its key: everybody in an epoch has the secret.
//!
//! The control is that a parent gives what the permit names. It is removed in
//! the controls that the parent's node is made with.

use crate::attack::attack;
use crate::scene::edge::{Victim, accept_order, publish};
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{self, loopback, within};
use crate::{Control, Failure, Outcome};
use link::{Controls, Endpoint, Identity, Patience, RenditionCheck, open_channel};
use wire::message::StreamKind;
use wire::message::control::NodeKind;
use wire::message::edge::{Edge, Start};
use wire::message::mesh::{Mesh, Pull};
use wire::statement::{BatchedPermit, ChunkKey, Permit, PermitKind};
use wire::{Encode, Rendition, Sequence, StripeSet};

attack!("C9", run,
    "he pulls it from a neighbour" => "permit_invalid": pull,
);

const PREMIUM: Rendition = Rendition(0);
const MINIMAL: Rendition = Rendition(1);
/// How long a step may take, in milliseconds.
const STEP_MS_MAX: u64 = 10_000;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(ask_for_more(control))
}

/// A node that has the programme in both renditions.
fn holding_both(stream: &Stream, identity: &Identity, control: Control) -> Result<Victim, Failure> {
    let mut controls = Controls::default();
    if !control.is_on() {
        controls.renditions = RenditionCheck::dangerously_any();
    }
    let victim = Victim::new(stream, identity, NodeKind::Peer, true, controls)?;
    victim.accept_edges();
    for rendition in [PREMIUM, MINIMAL] {
        for chunk in two_chunks(&mut stream.publisher_of(rendition)?, b"programme")? {
            publish(&victim, chunk)?;
        }
    }
    Ok(victim)
}

async fn ask_for_more(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let (parent, rider) = (stream.member("parent")?, stream.member("rider")?);
    let mut victim = holding_both(&stream, &parent, control)?;
    let permit = Permit {
        rendition: MINIMAL,
        ..stream.permit(parent.spki(), rider.spki())
    };
    let permit = certs::permit::sign(&stream.permit_key, &permit);
    let order = accept_order(permit.clone(), rider.spki())?;
    victim.node.order_edge(order)?;
    let taken = take_premium(&victim, &rider, permit);
    if let Ok(rendition) = within(STEP_MS_MAX, "first bytes", taken).await? {
        return Ok(Outcome::succeeded(format!(
            "the node fed rendition {} to a child whose permit is for {}",
            rendition.0, MINIMAL.0
        )));
    }
    Ok(Outcome::stopped(victim.edge_end().await?))
}

fn pull(control: Control) -> Result<Outcome, Failure> {
    scene::stage(pull_more(control))
}

/// His leave to pull is for the small picture, and he asks for blocks of the
/// large one.
async fn pull_more(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let (neighbour, rider) = (stream.member("neighbour")?, stream.member("rider")?);
    let victim = holding_both(&stream, &neighbour, control)?;
    let permit = Permit {
        kind: PermitKind::Repair,
        rendition: MINIMAL,
        ..stream.permit(neighbour.spki(), rider.spki())
    };
    let permit = certs::permit::sign(&stream.permit_key, &permit);
    let order = accept_order(permit.clone(), rider.spki())?;
    victim.node.order_neighbour(order)?;
    let socket = Endpoint::bind(loopback(), &rider)?;
    let address = victim.endpoint.address()?;
    let link = socket
        .dial(address, Some(victim.spki), Patience::Edge)
        .await?;
    let mut channel = open_channel(&link, StreamKind::Mesh).await?;
    channel.send(&Mesh::Hello(permit)).await?;
    let wanted = Pull {
        chunk: premium_key(),
        index: 0,
        header: true,
    };
    channel.send(&Mesh::Pull(wanted)).await?;
    let answered = async {
        loop {
            match channel.expect("no answer").await? {
                Mesh::Answer(answer) => {
                    return Ok::<_, Failure>(Ok(answer.block.chunk.rendition));
                }
                Mesh::Refused(refusal) => return Ok(Err(refusal.reason)),
                _ => {}
            }
        }
    };
    Ok(match within(STEP_MS_MAX, "answer", answered).await?? {
        Ok(rendition) => Outcome::succeeded(format!(
            "the neighbour gave a block of rendition {} to a child whose permit is for {}",
            rendition.0, MINIMAL.0
        )),
        Err(reason) => Outcome::stopped(reason.name()),
    })
}

/// Of the first chunk after the init segment.
const fn premium_key() -> ChunkKey {
    ChunkKey {
        rendition: PREMIUM,
        init: false,
        sequence: Sequence(0),
    }
}

/// Dials the parent as its child and asks for the premium rendition; which one
/// comes.
async fn take_premium(
    victim: &Victim,
    rider: &Identity,
    permit: BatchedPermit,
) -> Result<Rendition, Failure> {
    let socket = Endpoint::bind(loopback(), rider)?;
    let (address, parent) = (victim.endpoint.address()?, victim.spki);
    let link = socket.dial(address, Some(parent), Patience::Edge).await?;
    let mut channel = open_channel(&link, StreamKind::Edge).await?;
    channel.send(&Edge::Hello(permit)).await?;
    let Edge::Welcome(_) = channel.expect("no welcome").await? else {
        return Err(Failure::Stage("the parent did not welcome"));
    };
    let start = Start {
        rendition: PREMIUM,
        stripes: StripeSet::ALL,
        resume: None,
    };
    channel.send(&Edge::Start(start)).await?;
    let incoming = link.connection.accept_uni().await;
    let mut group = incoming.map_err(link::Error::from)?;
    let kind = StreamKind::Group.to_bytes();
    let mut head = vec![0; kind.len() + 1];
    let read = group.read_exact(&mut head).await;
    read.map_err(|_| Failure::Stage("the parent sent nothing"))?;
    match head.split_last() {
        Some((rendition, before)) if before == kind => Ok(Rendition(*rendition)),
        _ => Err(Failure::Stage("the parent sent no group")),
    }
}
