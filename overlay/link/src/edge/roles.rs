//! A running edge, from the child's end and from the parent's.

use super::beacon::{hand_down, watch_head};
use super::mute::watch_mute;
use super::silence::watch_stripes;
use super::table::{EdgeKey, Handle};
use crate::equivocation::Origin;
use crate::group::Heard;
use crate::node::{Node, NodeEvent, lock};
use crate::{Channel, Error, Link, Receiver, group};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wire::Reason;
use wire::message::edge::{Edge, Start};

pub(super) async fn as_child(
    node: &Arc<Node>,
    key: EdgeKey,
    handle: &Handle,
    link: &Link,
    channel: Channel,
) -> Result<(), Error> {
    let (mut sender, messages) = channel.split::<Edge>();
    let heard = Heard::nothing();
    let starting = async {
        let mut untold = node.edges.equivocations.untold(key.0);
        loop {
            if let Some(permit) = node.edges.untold(key) {
                sender.send(&Edge::Renew(permit)).await?;
            }
            let start = node.edges.next_start(node, key);
            let start = start.ok_or(Error::OutOfTurn("the edge has ended"))?;
            sender.send(&Edge::Start(start)).await?;
            loop {
                tokio::select! {
                    () = handle.again.notified() => break,
                    proof = untold.next() => sender.send(&Edge::Equivocation(proof)).await?,
                }
            }
        }
    };
    tokio::select! {
        outcome = starting => outcome,
        outcome = group::receive_groups(node, link, key.0, &heard) => outcome,
        outcome = listen(node, key, handle, messages) => outcome,
        never = watch_head(node, key, handle) => match never {},
        never = watch_stripes(node, key, handle) => match never {},
        never = watch_mute(node, key, handle, link, &heard) => match never {},
    }
}

pub(super) async fn as_parent(
    node: &Arc<Node>,
    key: EdgeKey,
    handle: &Handle,
    link: &Link,
    mut channel: Channel,
) -> Result<(), Error> {
    let turn = node.controls.turns.turn();
    let start = tokio::time::timeout(turn, first_start(node, key, handle, &mut channel))
        .await
        .map_err(|_| Error::Timeout("start"))??;
    let resume = start.resume.clone();
    // What an earlier edge with the same child sent, counts no more.
    node.remove_child((key.0, key.2));
    let (rendition, stripes) = (start.rendition, start.stripes);
    started(node, key, handle, start)?;
    if let Some(slot) = lock(&node.edges.table).edges.get(&key) {
        slot.up.store(true, Ordering::Relaxed);
    }
    let _ = node.events.send(NodeEvent::EdgeUp {
        other: handle.other.clone(),
        child: false,
        rendition,
        stripes,
        resume,
    });
    let (mut sender, messages) = channel.split::<Edge>();
    tokio::select! {
        outcome = group::send_queue(node, link, (key.0, key.2), &handle.wake) => outcome,
        outcome = hand_down(node, key, handle, &mut sender) => outcome,
        outcome = listen(node, key, handle, messages) => outcome,
    }
}

/// Where the child wants to start first. Either end may have heard of another
/// permit since the edge was made, and tells the other one before.
async fn first_start(
    node: &Node,
    key: EdgeKey,
    handle: &Handle,
    channel: &mut Channel,
) -> Result<Start, Error> {
    loop {
        if let Some(permit) = node.edges.untold(key) {
            channel.send(&Edge::Renew(permit)).await?;
        }
        match channel.expect::<Edge>("no start").await? {
            Edge::Renew(permit) => super::renew(node, key, permit)?,
            Edge::Start(start) => {
                let now = node.edges.flow_of(key).map(|(rendition, _)| rendition);
                let unaware = start.rendition == handle.permit.rendition;
                if now == Some(start.rendition) || !unaware {
                    return Ok(start);
                }
            }
            _ => return Err(Error::OutOfTurn("no start")),
        }
    }
}

/// The child has said where to start.
fn started(node: &Node, key: EdgeKey, handle: &Handle, start: Start) -> Result<(), Error> {
    node.edges
        .note_start(key, start, node.controls.renditions)?;
    grant(node, key, handle);
    Ok(())
}

/// Gives the child what it asked for, as far as its permit goes; done anew
/// whenever either changes. A child that has heard of a larger permit first
/// gets the rest when this end has heard of it, too.
pub(super) fn grant(node: &Node, key: EdgeKey, handle: &Handle) {
    let Some((start, stripes)) = node.edges.granted(key, node.controls.renditions) else {
        return;
    };
    let child = (key.0, key.2);
    if node.edges.is_moved(key, node.controls.renditions) {
        node.retire_child(child);
    } else if stripes.is_empty() {
        node.set_stripes(child, stripes);
    } else if node.add_child(child, start, stripes) {
        // It awaits what this node does not have, e.g. after both came under
        // a new relay: this node's own parents may still keep it.
        node.edges.start_again();
    }
    handle.wake.notify_one();
}

/// Messages of a running edge.
async fn listen(
    node: &Arc<Node>,
    key: EdgeKey,
    handle: &Handle,
    mut messages: Receiver<Edge>,
) -> Result<(), Error> {
    loop {
        match messages.recv().await? {
            Some(Edge::Start(start)) if !key.1 => started(node, key, handle, start)?,
            Some(Edge::Renew(permit)) => super::renew(node, key, permit)?,
            // Beacons come from above, as the stream does.
            Some(Edge::Beacon(beacon)) if key.1 => node.take_beacon(&beacon)?,
            Some(Edge::Revoked(revocation)) => node.revoke(&revocation)?,
            Some(Edge::Equivocation(proof)) => {
                let stories = &node.edges.equivocations;
                stories.take(node, &proof, Origin::Edge(key.0))?;
            }
            Some(Edge::Bye(reason)) => return Err(Error::Remote(reason)),
            None => return Err(Error::Remote(Reason::PeerGone)),
            Some(_) => return Err(Error::OutOfTurn("not now")),
        }
    }
}
