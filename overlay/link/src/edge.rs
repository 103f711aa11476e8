//! Edges: ordered by the coordinator, made by whoever dials, verified by each
//! end for itself, and ended with a reason.

mod beacon;
mod held;
mod lane;
mod mute;
mod roles;
mod silence;
mod stripes;
mod table;

pub(crate) use lane::ChildId;
pub(crate) use table::Edges;

use crate::node::{Node, NodeEvent, lock};
use crate::reverify::{Again, Reverified, reverify};
use crate::trust::{Proof, Verification, verify_end};
use crate::{Channel, Error, Link, Patience, open_channel};
use certs::permit::Role;
use lane::key_of;
use roles::{as_child, as_parent};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use stripes::Flow;
use table::{EdgeKey, Handle, Slot, Table};
use tokio::sync::{Notify, watch};
use wire::message::StreamKind;
use wire::message::control::{EdgeOrder, Empty, NodeKind, NodeRef};
use wire::message::edge::Edge;
use wire::statement::{BatchedPermit, Permit, PermitKind};
use wire::{Decode, Reason, SpkiHash};

/// Tries per address: more would hammer who cannot be reached.
const DIAL_TRIES_MAX: usize = 2;
/// Targets that a relay may dial (threat E4).
const RELAY_TARGETS_MAX: usize = 8;

/// Takes the coordinator's order: makes a new edge or renews a permit.
pub(crate) fn order(node: &Arc<Node>, order: EdgeOrder) -> Result<(), Error> {
    let run = node
        .run()
        .ok_or(Error::OutOfTurn("an edge before the run"))?;
    let me = node.config.me;
    let mut table = lock(&node.edges.table);
    let expect = certs::permit::Expect {
        me,
        other: order.other.spki,
        role: role_of(&order.permit, me),
        kind: PermitKind::Push,
        epoch_min: table.epoch_min,
    };
    let now = node.clock.unix();
    let check = node.controls.permits;
    let permit = check.verify(
        &mut lock(&node.edges.batches),
        &order.permit,
        &run,
        &expect,
        now,
    )?;
    if table.revoked.contains(&order.other.spki) {
        return Err(Error::Remote(Reason::Revoked));
    }
    check_relay_dial(node, &order, &table)?;
    let key = key_of(&permit, me);
    let dial = order.dial;
    if let Some(slot) = table.edges.get_mut(&key) {
        let told = permit.serial == slot.permit.serial;
        slot.flow.untold |= slot.renew(permit, order) && !told;
        return Ok(());
    }
    let mut flow = Flow::default();
    flow.allow(&permit);
    let slot = Slot {
        flow,
        budget_left: permit.byte_budget,
        permit: Arc::new(permit),
        order,
        wake: Arc::new(Notify::new()),
        end: watch::Sender::new(None),
        running: false,
        up: Arc::new(AtomicBool::new(false)),
        resume: None,
        again: Arc::new(Notify::new()),
    };
    table.edges.insert(key, slot);
    drop(table);
    node.edges.changed.notify_waiters();
    if dial {
        tokio::spawn(dial_edge(node.clone(), key));
    }
    Ok(())
}

/// Takes a permit for other stripes that the other end of a running edge has
/// heard of first.
fn renew(node: &Node, key: EdgeKey, signed: BatchedPermit) -> Result<(), Error> {
    let run = node.run().ok_or(Error::OutOfTurn("no run"))?;
    let mut table = lock(&node.edges.table);
    let expect = certs::permit::Expect {
        me: node.config.me,
        other: key.0,
        role: if key.1 { Role::Child } else { Role::Parent },
        kind: PermitKind::Push,
        epoch_min: table.epoch_min,
    };
    let now = node.clock.unix();
    let check = node.controls.permits;
    let permit = check.verify(&mut lock(&node.edges.batches), &signed, &run, &expect, now)?;
    if key_of(&permit, node.config.me) != key {
        return Err(Error::Remote(Reason::PermitInvalid));
    }
    if let Some(slot) = table.edges.get_mut(&key) {
        let order = EdgeOrder {
            permit: signed,
            ..slot.order.clone()
        };
        slot.renew(permit, order);
    }
    Ok(())
}

/// Everybody dials a relay; a relay dials nobody but other relays, at
/// globally routable addresses, and few of them (threat E4).
fn check_relay_dial(node: &Node, order: &EdgeOrder, table: &Table) -> Result<(), Error> {
    if node.config.kind != NodeKind::Relay || !order.dial {
        return Ok(());
    }
    let targets = table.edges.values().filter(|s| s.order.dial).count();
    let routable = order
        .other
        .addresses
        .iter()
        .filter_map(|a| a.as_str().parse::<SocketAddr>().ok())
        .all(|a| node.config.private_networks || globally_routable(a.ip()));
    if order.other.kind == NodeKind::Relay && targets < RELAY_TARGETS_MAX && routable {
        Ok(())
    } else {
        Err(Error::Remote(Reason::PermitInvalid))
    }
}

fn globally_routable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip.is_documentation()
                || ip.is_unspecified())
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.to_ipv4_mapped().is_some())
        }
    }
}

async fn dial_edge(node: Arc<Node>, key: EdgeKey) {
    let Some(handle) = node.edges.start(key) else {
        return;
    };
    let mut ended = handle.ended.clone();
    let outcome = tokio::select! {
        outcome = dial_and_run(&node, key, handle) => outcome,
        reason = until_ended(&mut ended) => Err(Error::Remote(reason)),
    };
    finish(&node, key, outcome);
}

async fn dial_and_run(node: &Arc<Node>, key: EdgeKey, handle: Box<Handle>) -> Result<(), Error> {
    let link = dial(node, &handle.other).await?;
    let mut channel = open_channel(&link, StreamKind::Edge).await?;
    channel.send(&Edge::Hello(handle.signed.clone())).await?;
    let welcome = tokio::time::timeout(
        node.controls.turns.turn(),
        channel.expect::<Edge>("no welcome"),
    )
    .await
    .map_err(|_| Error::Timeout("welcome"))?;
    match welcome {
        Ok(Edge::Welcome(Empty {})) => run(node, key, handle, link, channel).await,
        Ok(Edge::Bye(reason)) => Err(Error::Remote(reason)),
        Ok(_) => Err(Error::OutOfTurn("no welcome")),
        Err(Error::Decode(e)) => Err(Error::Decode(e)),
        Err(_) => Err(Error::Remote(link.close_reason())),
    }
}

pub(crate) async fn dial(node: &Arc<Node>, other: &NodeRef) -> Result<Link, Error> {
    let mut last = Error::Timeout("address to dial");
    for _ in 0..DIAL_TRIES_MAX {
        for address in other.addresses.iter() {
            let Ok(address) = address.as_str().parse::<SocketAddr>() else {
                continue;
            };
            match node
                .endpoint
                .dial(address, Some(other.spki), Patience::Edge)
                .await
            {
                Ok(link) => return Ok(link),
                Err(e @ Error::SpkiNotAdmitted) => return Err(e),
                Err(e) => last = e,
            }
        }
    }
    Err(last)
}

/// Serves an edge that the other end dialled.
pub(crate) async fn accept(node: &Arc<Node>, link: Link, mut channel: Channel) {
    let Some((key, handle)) = Box::pin(greeted(node, &link, &mut channel)).await else {
        return;
    };
    let mut ended = handle.ended.clone();
    let outcome = tokio::select! {
        outcome = async {
            channel.send(&Edge::Welcome(Empty {})).await?;
            run(node, key, handle, link.clone(), channel).await
        } => outcome,
        reason = until_ended(&mut ended) => Err(Error::Remote(reason)),
    };
    if let Err(e) = &outcome {
        link.close(e.wire_reason());
    }
    finish(node, key, outcome);
}

/// Hears the other end's permit, and waits for the coordinator's order; closes
/// the link of who may not have it.
async fn greeted(
    node: &Arc<Node>,
    link: &Link,
    channel: &mut Channel,
) -> Option<(EdgeKey, Box<Handle>)> {
    let turn = node.controls.turns.turn();
    let hello = tokio::time::timeout(turn, channel.expect::<Edge>("no permit")).await;
    let Ok(Ok(Edge::Hello(signed))) = hello else {
        link.close(Reason::PermitMissing);
        return None;
    };
    let key = match check_hello(node, link, &signed) {
        Ok(key) => key,
        Err(e) => {
            tracing::warn!(peer = %link.peer.short(), "an edge was refused: {e}");
            link.close(e.wire_reason());
            return None;
        }
    };
    link.admit();
    let handle = tokio::time::timeout(turn, expected(node, key)).await;
    let handle = handle.ok().flatten();
    if handle.is_none() {
        link.close(Reason::PermitMissing);
    }
    Some((key, handle?))
}

fn check_hello(node: &Node, link: &Link, signed: &BatchedPermit) -> Result<EdgeKey, Error> {
    let run = node.run().ok_or(Error::Remote(Reason::PermitMissing))?;
    let epoch_min = lock(&node.edges.table).epoch_min;
    let expect = certs::permit::Expect {
        me: node.config.me,
        other: link.peer,
        role: role_of(signed, node.config.me),
        kind: PermitKind::Push,
        epoch_min,
    };
    let now = node.clock.unix();
    let check = node.controls.permits;
    let permit = check.verify(&mut lock(&node.edges.batches), signed, &run, &expect, now)?;
    Ok(key_of(&permit, node.config.me))
}

/// Which end a permit says this node is. A hint, read before the permit is
/// verified: the verification then requires exactly this role.
pub(crate) fn role_of(signed: &BatchedPermit, me: SpkiHash) -> Role {
    match Permit::from_bytes(signed.body()) {
        Ok(permit) if permit.child == me => Role::Child,
        _ => Role::Parent,
    }
}

/// Waits until the coordinator has ordered this edge here, too.
async fn expected(node: &Arc<Node>, key: EdgeKey) -> Option<Box<Handle>> {
    loop {
        let changed = node.edges.changed.notified();
        if node.edges.knows(key) {
            return node.edges.start(key);
        }
        changed.await;
    }
}

pub(crate) async fn until_ended(ended: &mut watch::Receiver<Option<Reason>>) -> Reason {
    match ended.wait_for(Option::is_some).await {
        Ok(reason) => (*reason).unwrap_or(Reason::Done),
        Err(_) => Reason::Done,
    }
}

async fn run(
    node: &Arc<Node>,
    key: EdgeKey,
    handle: Box<Handle>,
    link: Link,
    channel: Channel,
) -> Result<(), Error> {
    let statement = node.run().ok_or(Error::OutOfTurn("no run"))?;
    // Boxed, as all that a parent of hundreds does not need for long: a
    // future is as large as the largest thing that it ever waits for.
    let proof = Box::pin(verify_end(
        node,
        &link,
        &handle.other,
        &handle.permit,
        &statement,
    ))
    .await
    .inspect_err(|e| link.close(e.wire_reason()))?;
    let _entered = node.paths.enter(&link);
    if let Some(proof) = &proof {
        let _ = node.events.send(NodeEvent::RelayVerified {
            relay: handle.other.clone(),
            proof: proof.clone(),
        });
    }
    let again = async {
        match proof {
            // Of a relay alone; a relay with hundreds of children has none.
            Some(proof) => Box::pin(verify_again(node, &link, &handle.other, key.1, proof)).await,
            None => std::future::pending().await,
        }
    };
    let work = async {
        if key.1 {
            Box::pin(as_child(node, key, &handle, &link, channel)).await
        } else {
            as_parent(node, key, &handle, &link, channel).await
        }
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        outcome = again => outcome,
    };
    conclude(&link, outcome).await
}

/// Hears why the other end has gone, or tells it why this one does.
pub(crate) async fn conclude(link: &Link, outcome: Result<(), Error>) -> Result<(), Error> {
    let outcome = match outcome {
        Err(
            Error::Connection(_)
            | Error::Write(_)
            | Error::Read(_)
            | Error::Remote(Reason::PeerGone),
        ) => Err(Error::Remote(link.last_word().await)),
        other => other,
    };
    if let Err(e) = &outcome {
        link.close(e.wire_reason());
    }
    outcome
}

/// Verifies the relay of an edge again and again; `child` says whether this
/// node is the child. Who verifies nobody has no proof, and never ends.
async fn verify_again(
    node: &Node,
    link: &Link,
    other: &NodeRef,
    child: bool,
    proof: Arc<Proof>,
) -> Result<(), Error> {
    let (Some(admission), Some(run), Verification::Full(trust)) =
        (&other.admission, node.run(), &node.config.verification)
    else {
        return std::future::pending().await;
    };
    let subject = Reverified {
        link,
        me: node.config.me,
        expectation: trust.expectation(admission, &run)?,
        trust,
        clock: &node.clock,
    };
    let tell = |again| {
        let relay = other.clone();
        let _ = node.events.send(match again {
            Again::Verified(proof) => NodeEvent::RelayVerified { relay, proof },
            Again::Expired(reason) => NodeEvent::RelayExpired { relay, reason },
            // The coordinator ends this edge when the next one delivers. If it
            // finds no other parent, the edge ends all the same.
            Again::Unresponsive => NodeEvent::RelayUnresponsive { relay, child },
        });
    };
    reverify(subject, node.controls.reverification, &proof, tell).await
}

fn finish(node: &Arc<Node>, key: EdgeKey, outcome: Result<(), Error>) {
    if !key.1 {
        node.remove_child((key.0, key.2));
    }
    let rendition = node.edges.remove(key);
    let error = outcome.err().unwrap_or(Error::Remote(Reason::Done));
    let _ = node.events.send(NodeEvent::EdgeDown {
        other: key.0,
        child: key.1,
        rendition,
        reason: error.wire_reason(),
        name: error.reason().to_owned(),
        detail: error.to_string(),
        refusal: error.is_refusal(),
        verdict: error.verdict().map(Box::new),
    });
}
