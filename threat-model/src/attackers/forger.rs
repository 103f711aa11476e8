//! A viewer with upload to give, who sends his child what he made up.

use super::forge::forged_chunks;
use super::guest::Guest;
use super::program::{Attacker, End};
use crate::Failure;
use crate::scene::edge::{records, send_group, welcome};
use crate::scene::within;
use link::{Channel, Clock, Link, Node, NodeConfig, NodeEvent, Verification, stream_kind};
use std::sync::Arc;
use tokio::sync::mpsc;
use wire::message::StreamKind;
use wire::message::control::{Choice, Down, EdgeReport, NodeKind, Up};
use wire::message::edge::Edge;
use wire::message::group::Record;
use wire::statement::Permit;
use wire::{Decode, Reason};

/// What the forger claims to give, in bit/s: one slot of the demo's stream.
const UPLOAD_BPS: u64 = 1_600_000;
/// How long a child may take to come and to refuse, in milliseconds.
const REFUSAL_MS_MAX: u64 = 45_000;
/// The programme that nobody sent.
const MADE_UP: &[u8] = b"the insider's own programme";

/// forging-viewer.
///
/// # Errors
/// The attack could not be tried.
pub async fn forging_viewer(attacker: Attacker) -> Result<End, Failure> {
    let mut guest = Guest::join(&attacker, UPLOAD_BPS).await?;
    let secret = (guest.secrets.epoch, &guest.secrets.epoch_secret);
    let [init, chunk] = forged_chunks(&guest.run, secret, MADE_UP)?;
    let mut forged = records(&init)?;
    forged.extend(records(&chunk)?);
    // Toward its parent it is an honest viewer: it has to be fed.
    let (node, mut events) = honest_node(&guest);
    let (closed, mut refusals) = mpsc::unbounded_channel();
    tokio::spawn(serve(attacker, guest.endpoint.clone(), forged, closed));
    let watched = async {
        loop {
            tokio::select! {
                refused = refusals.recv() => match refused {
                    Some(reason) => return Ok(reason),
                    None => return Err(Failure::Stage("the forger's socket is closed")),
                },
                heard = guest.hear() => match heard? {
                    Down::Edge(order) => {
                        let permit = Permit::from_bytes(order.permit.body())?;
                        if permit.child == guest.spki() {
                            node.order_edge(*order)?;
                        }
                    }
                    Down::EdgeEnd(end) if end.child => {
                        node.end_edge(end.other, end.child, end.reason);
                    }
                    Down::Ask(ask) => {
                        guest.answer(&ask, Choice::Decline).await?;
                    }
                    Down::Refused(_) => return Err(Failure::Stage("the forger was put out")),
                    _ => {}
                },
                Some(event) = events.recv() => {
                    if let NodeEvent::EdgeUp { other, child: true, rendition, stripes, .. } = event {
                        let report = EdgeReport { other: other.spki, child: true, rendition, stripes };
                        guest.say(&Up::EdgeUp(report)).await?;
                    }
                }
            }
        }
    };
    let reason: Reason = within(REFUSAL_MS_MAX, "refusal by a child", watched).await??;
    guest.leave().await;
    Ok(End::Refused(reason.name().to_owned()))
}

fn honest_node(guest: &Guest) -> (Arc<Node>, mpsc::UnboundedReceiver<NodeEvent>) {
    let config = NodeConfig {
        me: guest.spki(),
        kind: NodeKind::Peer,
        upload_bps: UPLOAD_BPS,
        byte_cap: None,
        forwarder: overlay::forwarder::Config::default(),
        verification: Verification::PermitOnly,
        private_networks: true,
    };
    let (node, events) = Node::new(config, guest.endpoint.clone(), Clock::new());
    node.enter_run(guest.run.clone());
    (node, events)
}

/// Serves children with the forged group.
async fn serve(
    attacker: Attacker,
    endpoint: Arc<link::Endpoint>,
    forged: Vec<Record>,
    closed: mpsc::UnboundedSender<Reason>,
) {
    while let Some(accepting) = endpoint.accept().await {
        let (attacker, forged, closed) = (attacker.clone(), forged.clone(), closed.clone());
        tokio::spawn(async move {
            if let Ok(link) = accepting.finish().await
                && let Ok(reason) = feed(&attacker, &link, forged).await
            {
                let _ = closed.send(reason);
            }
        });
    }
}

async fn feed(attacker: &Attacker, link: &Link, forged: Vec<Record>) -> Result<Reason, Failure> {
    let accepted = link.connection.accept_bi().await;
    let (send, mut recv) = accepted.map_err(link::Error::from)?;
    if stream_kind(&mut recv).await != Some(StreamKind::Edge) {
        return Err(Failure::Stage("the child opened another stream"));
    }
    let mut channel = Channel { send, recv };
    let Edge::Hello(_) = channel.expect("no permit").await? else {
        return Err(Failure::Stage("the child showed no permit"));
    };
    welcome(&mut channel).await?;
    attacker.begun();
    send_group(link, forged).await?;
    link.connection.closed().await;
    drop(channel);
    Ok(link.close_reason())
}
