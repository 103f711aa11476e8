//! The parent's end of a link of neighbours.

use super::table::Key;
use crate::node::{Node, lock};
use crate::{Channel, Error, Sender};
use overlay::mesh::News;
use std::sync::Arc;
use std::time::Duration;
use wire::codec::Blob;
use wire::message::group::Block;
use wire::message::mesh::{Answer, Map, Mesh as Message, Pull, PullRefusal};
use wire::statement::ChunkKey;
use wire::{Encode, Reason, Rendition, SpkiHash, Stripe};

/// How long a pull waits for upload that the stream does not need: a bit less
/// than the child waits, so that it hears why.
const UPLOAD_MS_MAX: u64 = 400;
/// Pulls of what it has had already, for which a child loses its neighbour:
/// more than crossing messages explain.
const REPEATED_MAX: u32 = 64;

pub(super) async fn as_parent(node: &Arc<Node>, key: Key, channel: Channel) -> Result<(), Error> {
    let (mut sender, mut messages) = channel.split::<Message>();
    let mut said = News::default();
    let mut repeated = 0u32;
    let mut look = tokio::time::interval(node.mesh.map_interval());
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = messages.recv() => match message? {
                Some(Message::Pull(pull)) => {
                    let refusal = answer(node, key.0, &pull, &mut sender).await?;
                    let Some(reason) = refusal else { continue };
                    node.mesh.note_refused();
                    let refusal = PullRefusal {
                        chunk: pull.chunk,
                        index: pull.index,
                        reason,
                    };
                    sender.send(&Message::Refused(refusal)).await?;
                    repeated = repeated.saturating_add(u32::from(reason == Reason::RepairRepeated));
                    if repeated > REPEATED_MAX {
                        return Err(Error::Remote(Reason::RepairRepeated));
                    }
                }
                Some(Message::Bye(reason)) => return Err(Error::Remote(reason)),
                None => return Err(Error::Remote(Reason::PeerGone)),
                Some(_) => return Err(Error::OutOfTurn("not now")),
            },
            _ = look.tick() => if let Some(map) = held(node).and_then(|held| said.since(held)) {
                let bytes = sender.send_counted(&Message::Map(map)).await?;
                node.charge(bytes);
            },
        }
    }
}

fn held(node: &Node) -> Option<Map> {
    lock(&node.forwarder).held(Rendition(0))
}

fn stripe_of(node: &Node, key: ChunkKey, index: u16) -> Option<Stripe> {
    let header = lock(&node.forwarder).header_of(key)?;
    Some(header.layout.stripe_of(index))
}

/// Sends the block, if the child may have it and the stream leaves upload for
/// it; else the reason why not.
async fn answer(
    node: &Arc<Node>,
    child: SpkiHash,
    pull: &Pull,
    sender: &mut Sender,
) -> Result<Option<Reason>, Error> {
    let (key, index) = (pull.chunk, pull.index);
    let found = lock(&node.forwarder).block_at(key, index);
    let Some((signed, kept)) = found else {
        return Ok(Some(Reason::RepairNotHere));
    };
    let stripe = stripe_of(node, key, index);
    if !stripe.is_some_and(|stripe| node.mesh.allows((child, false), stripe)) {
        return Ok(Some(Reason::PermitInvalid));
    }
    let permitted = node.mesh.is_of((child, false), key.rendition);
    if let Err(e) = node.controls.renditions.of(permitted) {
        return Ok(Some(e.wire_reason()));
    }
    let is_past = |key| lock(&node.forwarder).is_past(key);
    let check = node.controls.repairs;
    let priority = match node.mesh.admit(child, check, (key, index), is_past) {
        Ok(priority) => priority,
        Err(reason) => return Ok(Some(reason)),
    };
    let Ok(data) = Blob::new(kept.payload.data()) else {
        return Ok(Some(Reason::TooLarge));
    };
    let answer = Message::Answer(Box::new(Answer {
        header: pull.header.then_some(signed),
        block: Block {
            chunk: key,
            index,
            path: (*kept.path).clone(),
            data,
        },
    }));
    let bytes = answer.to_bytes().len();
    let patience = Duration::from_millis(UPLOAD_MS_MAX);
    let go = node.pace().acquire_repair(priority, bytes);
    if tokio::time::timeout(patience, go).await.is_err() {
        node.mesh.take_back(child, key, index);
        return Ok(Some(Reason::Timeout));
    }
    let now = node.controls.permits.time(node.clock.unix());
    node.mesh.spend(child, bytes as u64, now)?;
    node.edges.count(bytes as u64, node.config.byte_cap)?;
    let stall = node.controls.turns.stall();
    tokio::time::timeout(stall, sender.send(&answer))
        .await
        .map_err(|_| Error::Remote(Reason::SlowReader))??;
    node.mesh.note_answered();
    Ok(None)
}
