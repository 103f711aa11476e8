//! Links that members open toward the station: control, and edges.

use super::controls::MessageCheck;
use super::coordinator::{Event, Parts};
use super::rate::{MessageLimit, MessageRate};
use super::traffic::Traffic;
use link::{Channel, Clock, Endpoint, Link, Node};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use wire::Reason;
use wire::message::StreamKind;
use wire::message::control::{Down, Empty, Up};

/// How long a stranger may take to ask for membership.
const JOIN_MS_MAX: u64 = 5_000;
/// How long the last message may take to arrive before the link is closed.
const FAREWELL_MS: u64 = 500;

/// What the members' links share.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) node: Arc<Node>,
    pub(super) clock: Clock,
    pub(super) limits: MessageCheck,
    /// To the coordinator. A full one makes its members wait, each with the
    /// one message that he has in hand.
    pub(super) messages: mpsc::Sender<Event>,
    pub(super) traffic: Arc<Traffic>,
}

impl Desk {
    /// For the coordinator that is made of these parts.
    pub(super) fn beside(parts: &Parts, clock: Clock, limits: MessageCheck) -> Self {
        Self {
            node: parts.node.clone(),
            clock,
            limits,
            messages: parts.messages.clone(),
            traffic: parts.traffic.clone(),
        }
    }
}

/// Accepts links for the station until its endpoint closes.
pub(super) async fn accept_links(endpoint: Arc<Endpoint>, desk: Desk) {
    while let Some(accepting) = endpoint.accept().await {
        let desk = desk.clone();
        tokio::spawn(async move {
            if let Ok(link) = accepting.finish().await {
                streams(link, &desk).await;
            }
        });
    }
}

async fn streams(link: Link, desk: &Desk) {
    let Ok(mut next) = link.first_channel().await else {
        return;
    };
    loop {
        match next {
            (StreamKind::Edge, channel) => {
                let (node, link) = (desk.node.clone(), link.clone());
                tokio::spawn(async move { node.accept_edge(link, channel).await });
            }
            (StreamKind::Mesh, channel) => {
                let (node, link) = (desk.node.clone(), link.clone());
                tokio::spawn(async move { node.accept_mesh(link, channel).await });
            }
            (StreamKind::Control, channel) => {
                let (link, desk) = (link.clone(), desk.clone());
                tokio::spawn(async move { member(link, channel, desk).await });
            }
            _ => return link.close(Reason::UnknownMessage),
        }
        let Ok((send, mut recv)) = link.connection.accept_bi().await else {
            return;
        };
        let Some(kind) = link::stream_kind(&mut recv).await else {
            return link.close(Reason::UnknownMessage);
        };
        next = (kind, Channel { send, recv });
    }
}

/// One member's control link, from its join to its leave.
async fn member(link: Link, mut channel: Channel, desk: Desk) {
    let patience = Duration::from_millis(JOIN_MS_MAX);
    let (join, holding) = match tokio::time::timeout(patience, channel.recv::<Up>()).await {
        Ok(Ok(Some(Up::Join(join)))) => (join, None),
        Ok(Ok(Some(Up::Rejoin(rejoin)))) => (rejoin.join, Some(rejoin.holding)),
        Ok(Err(e)) => return link.close(e.wire_reason()),
        _ => return link.close(Reason::Nonsense),
    };
    let (reply, admitted) = oneshot::channel();
    let asked = Event::Join {
        link: link.clone(),
        join,
        holding,
        reply,
    };
    if desk.messages.send(asked).await.is_err() {
        return link.close(Reason::RunEnded);
    }
    match admitted.await {
        Ok(Ok(down)) => {
            link.admit();
            relay_messages(link, channel, down, desk).await;
        }
        Ok(Err(reason)) => {
            let _ = channel.send(&Down::Refused(reason)).await;
            farewell(&link, channel.split::<Up>().0, reason).await;
        }
        Err(_) => link.close(Reason::RunEnded),
    }
}

/// Carries messages both ways; the coordinator ends it by dropping its end or
/// by sending [`Down::Refused`].
async fn relay_messages(
    link: Link,
    channel: Channel,
    mut down: mpsc::UnboundedReceiver<Down>,
    desk: Desk,
) {
    let from = link.peer;
    let limit = desk.limits.limit(MessageLimit::MEMBER);
    let mut rate = MessageRate::new(limit, desk.clock.mono_ms());
    let (mut sender, mut receiver) = channel.split::<Up>();
    let reason = loop {
        tokio::select! {
            message = down.recv() => match message {
                Some(Down::Refused(reason)) => {
                    let _ = sender.send(&Down::Refused(reason)).await;
                    break reason;
                }
                Some(message) => match sender.send_counted(&message).await {
                    Ok(bytes) => {
                        desk.node.charge(bytes);
                        desk.traffic.sent(bytes as u64);
                    }
                    Err(_) => break Reason::PeerGone,
                },
                None => break Reason::Done,
            },
            message = receiver.recv() => match counted(message, &receiver, &desk.traffic) {
                Ok(Some(Up::Leave(Empty {}))) => break Reason::Done,
                Ok(Some(_)) if !rate.admit(desk.clock.mono_ms()) => break Reason::RateLimited,
                Ok(Some(message)) => {
                    let _ = desk.messages.send(Event::Up { from, message }).await;
                }
                Ok(None) => break Reason::PeerGone,
                Err(e) => break e.wire_reason(),
            },
        }
    };
    // Closed by nobody, the line may have broken alone.
    let silent = reason == Reason::PeerGone && link.last_word().await == Reason::PeerGone;
    let gone = if silent {
        Event::Silent(from)
    } else {
        Event::Gone {
            node: from,
            graceful: reason == Reason::Done,
        }
    };
    let _ = desk.messages.send(gone).await;
    farewell(&link, sender, reason).await;
}

/// A message whose bytes were counted, and those that wait behind it.
fn counted<M>(message: M, receiver: &link::Receiver<Up>, traffic: &Traffic) -> M {
    traffic.received(receiver.take_bytes());
    message
}

/// Lets the last message arrive, then closes.
async fn farewell(link: &Link, sender: link::Sender, reason: Reason) {
    let _ = tokio::time::timeout(Duration::from_millis(FAREWELL_MS), sender.finish()).await;
    link.close(reason);
}

#[cfg(test)]
mod tests;
