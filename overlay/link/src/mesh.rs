//! Links of neighbours: the coordinator orders them as it orders edges, the
//! child dials and pulls, the parent says what it has and answers. Each end
//! verifies the other as on an edge, and each block as a pushed one.

mod answering;
mod held_back;
mod pulling;
mod table;

pub(crate) use table::Mesh;

use crate::edge::{conclude, dial, role_of, until_ended};
use crate::node::{Node, NodeEvent, lock};
use crate::trust::verify_end;
use crate::{Channel, Error, Link, open_channel};
use answering::as_parent;
use certs::Verified;
use certs::permit::Expect;
use overlay::mesh::{Config, Pulled};
use pulling::as_child;
use std::sync::Arc;
use table::{Handle, Key, Slot};
use wire::message::StreamKind;
use wire::message::control::{EdgeOrder, Empty, NodeKind};
use wire::message::mesh::Mesh as Message;
use wire::statement::{BatchedPermit, Permit, PermitKind};
use wire::{Reason, Sequence, SpkiHash};

/// Maps a second where parents bring the stream: what is missed is noticed
/// within a quarter of a second anyhow.
const MAP_MS: u64 = 200;
/// Where nobody does, what one has the next one must hear of at once.
const PULL_ONLY_MAP_MS: u64 = 50;

/// What a node pulled, and what it gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repairs {
    /// What it pulled.
    pub pulled: Pulled,
    /// Pulls that it answered with the block.
    pub answered: u64,
    /// Pulls that it refused.
    pub refused: u64,
    /// Neighbours from whom it may pull now.
    pub neighbours: u32,
}

impl Node {
    /// Makes, accepts or renews a link of neighbours that the coordinator
    /// ordered.
    ///
    /// # Errors
    /// The permit is refused.
    pub fn order_neighbour(self: &Arc<Self>, order: EdgeOrder) -> Result<(), Error> {
        if self.config.kind == NodeKind::Relay && order.dial {
            // A relay dials nobody but other relays, for edges (threat E4).
            return Err(Error::Remote(Reason::PermitInvalid));
        }
        let permit = check(self, &order.permit, order.other.spki)?;
        let key = (order.other.spki, permit.child == self.config.me);
        let dial = order.dial;
        if self.mesh.put(key, Slot::new(permit, order)) && dial {
            tokio::spawn(dial_neighbour(self.clone(), key));
        }
        Ok(())
    }

    /// Ends a link of neighbours; the other end reads the reason.
    pub fn end_neighbour(&self, other: SpkiHash, child: bool, reason: Reason) {
        self.mesh.end((other, child), reason);
    }

    /// Serves a neighbour's stream that the other end opened on `link`.
    pub async fn accept_mesh(self: &Arc<Self>, link: Link, channel: Channel) {
        accept(self, link, channel).await;
    }

    /// Nobody pushes to this node: it pulls all that it needs.
    pub fn pull_only(&self) {
        let config = lock(&self.mesh.puller).config().pull_only();
        lock(&self.mesh.puller).configure(config);
        self.mesh.map_every(PULL_ONLY_MAP_MS);
    }

    /// Chunks before this one are not needed here any more.
    pub fn needs_from(&self, next: Sequence) {
        lock(&self.mesh.puller).needs_from(self.clock.mono_ms(), next);
    }

    /// What was pulled and given so far.
    #[must_use]
    pub fn repairs(&self) -> Repairs {
        self.mesh.repairs()
    }
}

/// How this node pulls: whom it begins with is its own, so that neighbours
/// have different blocks.
fn config_of(me: SpkiHash) -> Config {
    let [a, b, ..] = me.0;
    Config {
        seed: u64::from(a) << 8 | u64::from(b),
        ..Config::default()
    }
}

fn check(node: &Node, signed: &BatchedPermit, other: SpkiHash) -> Result<Verified<Permit>, Error> {
    let run = node.run().ok_or(Error::Remote(Reason::PermitMissing))?;
    let epoch_min = node.edges.epoch_for(other);
    let expect = Expect {
        me: node.config.me,
        other,
        role: role_of(signed, node.config.me),
        kind: PermitKind::Repair,
        epoch_min: epoch_min.ok_or(Error::Remote(Reason::Revoked))?,
    };
    let permits = node.controls.permits;
    let now = node.clock.unix();
    let batches = &mut lock(&node.edges.batches);
    Ok(permits.verify(batches, signed, &run, &expect, now)?)
}

async fn dial_neighbour(node: Arc<Node>, key: Key) {
    let Some(handle) = node.mesh.start(key) else {
        return;
    };
    let (link_id, mut ended) = ((key, handle.generation), handle.ended.clone());
    let outcome = tokio::select! {
        outcome = dial_and_run(&node, key, handle) => outcome,
        reason = until_ended(&mut ended) => Err(Error::Remote(reason)),
    };
    finish(&node, link_id, outcome);
}

async fn dial_and_run(node: &Arc<Node>, key: Key, handle: Handle) -> Result<(), Error> {
    let link = dial(node, &handle.other).await?;
    let mut channel = open_channel(&link, StreamKind::Mesh).await?;
    channel.send(&Message::Hello(handle.signed.clone())).await?;
    let turn = node.controls.turns.turn();
    let welcome = tokio::time::timeout(turn, channel.expect::<Message>("no welcome")).await;
    match welcome.map_err(|_| Error::Timeout("welcome"))? {
        Ok(Message::Welcome(Empty {})) => run(node, key, handle, link, channel).await,
        Ok(Message::Bye(reason)) => Err(Error::Remote(reason)),
        Ok(_) => Err(Error::OutOfTurn("no welcome")),
        Err(Error::Decode(e)) => Err(Error::Decode(e)),
        Err(_) => Err(Error::Remote(link.close_reason())),
    }
}

async fn accept(node: &Arc<Node>, link: Link, mut channel: Channel) {
    let turn = node.controls.turns.turn();
    let hello = tokio::time::timeout(turn, channel.expect::<Message>("no permit")).await;
    let Ok(Ok(Message::Hello(signed))) = hello else {
        link.close(Reason::PermitMissing);
        return;
    };
    let key = match check(node, &signed, link.peer) {
        Ok(permit) => (link.peer, permit.child == node.config.me),
        Err(e) => {
            tracing::warn!(peer = %link.peer.short(), "a neighbour was refused: {e}");
            link.close(e.wire_reason());
            return;
        }
    };
    link.admit();
    let expected = tokio::time::timeout(turn, node.mesh.expected(key)).await;
    let Ok(Some(handle)) = expected else {
        link.close(Reason::PermitMissing);
        return;
    };
    let (link_id, mut ended) = ((key, handle.generation), handle.ended.clone());
    let outcome = tokio::select! {
        outcome = async {
            channel.send(&Message::Welcome(Empty {})).await?;
            run(node, key, handle, link.clone(), channel).await
        } => outcome,
        reason = until_ended(&mut ended) => Err(Error::Remote(reason)),
    };
    if let Err(e) = &outcome {
        link.close(e.wire_reason());
    }
    finish(node, link_id, outcome);
}

async fn run(
    node: &Arc<Node>,
    key: Key,
    handle: Handle,
    link: Link,
    channel: Channel,
) -> Result<(), Error> {
    let statement = node.run().ok_or(Error::OutOfTurn("no run"))?;
    let verified = Box::pin(verify_end(
        node,
        &link,
        &handle.other,
        &handle.permit,
        &statement,
    ));
    let outcome = match verified.await {
        Err(e) => Err(e),
        Ok(_) => {
            let _entered = node.paths.enter(&link);
            let _ = node.events.send(NodeEvent::NeighbourUp {
                other: handle.other.clone(),
                child: key.1,
            });
            if key.1 {
                as_child(node, key, channel).await
            } else {
                as_parent(node, key, channel).await
            }
        }
    };
    conclude(&link, outcome).await
}

fn finish(node: &Arc<Node>, (key, generation): (Key, u64), outcome: Result<(), Error>) {
    node.mesh.remove(key, generation);
    // What was kept back in the hope of this neighbour may be told now.
    node.mesh.tell_left_out(node);
    let error = outcome.err().unwrap_or(Error::Remote(Reason::Done));
    let _ = node.events.send(NodeEvent::NeighbourDown {
        other: key.0,
        child: key.1,
        reason: error.wire_reason(),
        name: error.reason().to_owned(),
        detail: error.to_string(),
        refusal: error.is_refusal(),
    });
}
