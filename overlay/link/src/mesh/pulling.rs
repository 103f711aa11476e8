//! The child's end of a link of neighbours.

use super::table::Key;
use crate::group::Framed;
use crate::node::{Node, NodeEvent, lock};
use crate::{Channel, Error};
use overlay::mesh::Arrival;
use std::sync::Arc;
use std::time::Duration;
use wire::message::mesh::{Answer, Mesh as Message};
use wire::{Reason, Rendition, SpkiHash};

/// How often what is missing is looked for.
const LOOK_MS: u64 = 50;

pub(super) async fn as_child(node: &Arc<Node>, key: Key, channel: Channel) -> Result<(), Error> {
    let (mut sender, mut messages) = channel.split::<Message>();
    let mut pulls = node.mesh.pulling(key);
    let mut look = tokio::time::interval(Duration::from_millis(LOOK_MS));
    loop {
        tokio::select! {
            message = messages.recv() => {
                take(node, key.0, message?)?;
                pump(node);
            }
            Some(pull) = pulls.recv() => sender.send(&Message::Pull(pull)).await?,
            _ = look.tick() => {
                pump(node);
                node.mesh.tell_left_out(node);
            }
        }
    }
}

fn take(node: &Arc<Node>, neighbour: SpkiHash, message: Option<Message>) -> Result<(), Error> {
    match message {
        Some(Message::Map(map)) => {
            let now_ms = node.clock.mono_ms();
            lock(&node.mesh.puller).map(now_ms, neighbour, &map);
        }
        Some(Message::Answer(answer)) => take_answer(node, neighbour, *answer)?,
        Some(Message::Refused(refusal)) => {
            // It had no upload left just then.
            let again = refusal.reason == Reason::Timeout;
            let (chunk, index) = (refusal.chunk, refusal.index);
            let refused = lock(&node.mesh.puller).refused(neighbour, chunk, index, again);
            refused.map_err(|_| Error::RepairUnasked)?;
        }
        Some(Message::Bye(reason)) => return Err(Error::Remote(reason)),
        None => return Err(Error::Remote(Reason::PeerGone)),
        Some(_) => return Err(Error::OutOfTurn("not now")),
    }
    Ok(())
}

/// A neighbour sends a block: checked as a pushed one before anything becomes
/// of it, and then played and sent on like one. Who sends anything else is
/// left (threat D9).
fn take_answer(node: &Arc<Node>, neighbour: SpkiHash, answer: Answer) -> Result<(), Error> {
    let (key, index) = (answer.block.chunk, answer.block.index);
    let asked = lock(&node.mesh.puller).answered(neighbour, key, index);
    asked.map_err(|_| Error::RepairUnasked)?;
    if let Some(header) = &answer.header {
        node.take_header(header)?;
    }
    let arrival = take_repair(node, neighbour, answer).inspect_err(|e| {
        tracing::warn!(neighbour = %neighbour.short(), "a repair was refused: {e}");
    })?;
    lock(&node.mesh.puller).arrived(arrival);
    Ok(())
}

fn take_repair(node: &Node, neighbour: SpkiHash, answer: Answer) -> Result<Arrival, Error> {
    let block = answer.block;
    let (key, index) = (block.chunk, block.index);
    let (header, here) = {
        let forwarder = lock(&node.forwarder);
        let here = forwarder.block_at(key, index).is_some();
        (forwarder.header_of(key), here)
    };
    let Some(header) = header else {
        // The chunk has left the window.
        return Ok(Arrival::Wasted);
    };
    let verified = match node.controls.blocks.verify(&header, &block) {
        Err(_) if node.edges.equivocations.contests(key) => return Ok(Arrival::Wasted),
        checked => checked?,
    };
    let allowed = node.mesh.allows((neighbour, true), verified.stripe());
    node.controls.stripes.of(allowed)?;
    if here {
        return Ok(Arrival::Wasted);
    }
    let (len, now_ms, stripe) = (block.data.len(), node.clock.mono_ms(), verified.stripe());
    let framed = Framed::new(
        (key, index),
        &block.path,
        &block.data,
        Some(neighbour),
        now_ms,
    );
    let taken = {
        let mut forwarder = lock(&node.forwarder);
        let taken = forwarder.block(now_ms, verified, block.path, framed, len);
        if taken.fresh {
            forwarder.note_repaired(key, index);
        }
        taken
    };
    if taken.fresh {
        node.edges.wake_children(stripe.into());
    }
    if taken.complete {
        let from = Some(neighbour);
        let _ = node.events.send(NodeEvent::Chunk { key, from });
    }
    Ok(if taken.fresh {
        Arrival::Repaired
    } else {
        Arrival::Wasted
    })
}

/// Asks the neighbours for what is missing now, and leaves those that do not
/// answer.
fn pump(node: &Node) {
    if !node.controls.mesh.is_on() {
        return;
    }
    let live = node.live_from(Rendition(0));
    let (pulls, unanswering) = {
        let now_ms = node.clock.mono_ms();
        let mut puller = lock(&node.mesh.puller);
        let forwarder = lock(&node.forwarder);
        puller.follow(now_ms, &forwarder, live);
        let pulls = puller.poll(now_ms, &*forwarder);
        (pulls, puller.unanswering())
    };
    for (of, pull) in pulls {
        node.mesh.ask(of, pull);
    }
    for neighbour in unanswering {
        node.mesh.end((neighbour, true), Reason::Timeout);
    }
}
