//! Neighbours: nodes of the library that pull from each other, and one that
//! the attacker speaks for.

use super::edge::{Victim, accept_order};
use super::stream::Stream;
use super::{loopback, within};
use crate::Failure;
use link::{Channel, Endpoint, Identity, Link};
use std::net::SocketAddr;
use wire::codec::{List, Text};
use wire::message::StreamKind;
use wire::message::control::{EdgeOrder, Empty, Name, NodeKind, NodeRef};
use wire::message::mesh::{Mesh, Pull};
use wire::statement::{Permit, PermitKind};
use wire::{SpkiHash, StripeSet};

/// How long a step of a link may take, in milliseconds.
const STEP_MS_MAX: u64 = 10_000;

/// What the coordinator says to the child, who dials, and to the parent.
///
/// # Errors
/// The address does not fit.
pub fn orders(
    stream: &Stream,
    (parent, address): (SpkiHash, SocketAddr),
    child: SpkiHash,
    (kind, stripes): (PermitKind, StripeSet),
) -> Result<[EdgeOrder; 2], Failure> {
    let permit = Permit {
        kind,
        stripes,
        ..stream.permit(parent, child)
    };
    let permit = certs::permit::sign(&stream.permit_key, &permit);
    let above = EdgeOrder {
        permit: permit.clone(),
        other: NodeRef {
            spki: parent,
            kind: NodeKind::Peer,
            name: Name::new("parent")?,
            addresses: List::new(vec![Text::new(address.to_string())?])?,
            admission: None,
        },
        dial: true,
    };
    Ok([above, accept_order(permit, child)?])
}

/// Lets one node push these stripes to the other.
///
/// # Errors
/// An order is refused.
pub fn feed(
    stream: &Stream,
    parent: &Victim,
    child: &Victim,
    stripes: StripeSet,
) -> Result<(), Failure> {
    let from = (parent.spki, parent.endpoint.address()?);
    let [above, below] = orders(stream, from, child.spki, (PermitKind::Push, stripes))?;
    parent.node.order_edge(below)?;
    Ok(child.node.order_edge(above)?)
}

/// Lets one node pull from the other.
///
/// # Errors
/// An order is refused.
pub fn neighbours(stream: &Stream, parent: &Victim, child: &Victim) -> Result<(), Failure> {
    let from = (parent.spki, parent.endpoint.address()?);
    let all = (PermitKind::Repair, stream.run.stripes.into());
    let [above, below] = orders(stream, from, child.spki, all)?;
    parent.node.order_neighbour(below)?;
    Ok(child.node.order_neighbour(above)?)
}

/// Lets the node pull from the attacker, and waits until it has come.
///
/// # Errors
/// It does not come, or speaks another protocol.
pub async fn pulled_from(
    stream: &Stream,
    attacker: &Identity,
    child: &Victim,
) -> Result<(Endpoint, Link, Channel), Failure> {
    let socket = Endpoint::bind(loopback(), attacker)?;
    let from = (attacker.spki(), socket.address()?);
    let all = (PermitKind::Repair, stream.run.stripes.into());
    let [above, _] = orders(stream, from, child.spki, all)?;
    child.node.order_neighbour(above)?;
    let accepting = within(STEP_MS_MAX, "child", socket.accept())
        .await?
        .ok_or(Failure::Stage("the attacker's socket is closed"))?;
    let link = accepting.finish().await?;
    let (StreamKind::Mesh, mut channel) = link.first_channel().await? else {
        return Err(Failure::Stage("the child opened another stream"));
    };
    let Mesh::Hello(_) = channel.expect("no permit").await? else {
        return Err(Failure::Stage("the child showed no permit"));
    };
    channel.send(&Mesh::Welcome(Empty {})).await?;
    Ok((socket, link, channel))
}

/// The next block that the node wants.
///
/// # Errors
/// It wants none in time.
pub async fn pull(channel: &mut Channel) -> Result<Pull, Failure> {
    let next = async {
        loop {
            if let Mesh::Pull(pull) = channel.expect("no pull").await? {
                return Ok(pull);
            }
        }
    };
    within(STEP_MS_MAX, "pull", next).await?
}
