//! E3: all parents of a viewer are one attacker's. They stop at the same chunk,
//! so that no stripe is behind another, and show the beacon of what they have
//! sent.
//!
//! The control is the beacon on a path that is no parent's: the control link.
//! It is removed by taking that path away.

use crate::attack::attack;
use crate::scene::edge::{Victim, dial_order, dialled_by_child, records, send_group};
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use certs::seal::SealedChunk;
use link::{Channel, Controls, Endpoint, HeadCheck, Identity, Link, NodeEvent};
use std::collections::BTreeSet;
use std::time::Duration;
use wire::message::control::NodeKind;
use wire::message::edge::Edge;
use wire::message::group::Record;
use wire::statement::Permit;
use wire::{Reason, Sequence, SpkiHash, Stripe, Stripes};

attack!("E3", run);

/// How long the viewer lets a parent be behind, and how long it is watched, in
/// milliseconds.
const BEHIND_MS: u64 = 500;
const WATCH_MS: u64 = 3_000;
/// How far the stream is ahead of what the parents show.
const HIDDEN: u64 = 20;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(eclipse(control))
}

/// One of the attacker's parents, with its links held open.
struct Accomplice {
    spki: SpkiHash,
    channel: Channel,
    _link: Link,
    _socket: Endpoint,
}

async fn eclipse(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::striped(Stripes::new(2, 0).ok_or(Failure::Stage("two stripes"))?)?;
    let child = stream.member("child")?;
    let controls = Controls {
        heads: HeadCheck::within_ms(BEHIND_MS),
        ..Controls::default()
    };
    let mut victim = Victim::new(&stream, &child, NodeKind::Peer, true, controls)?;
    let chunks = two_chunks(&mut stream.publisher()?, &[7; 60_000])?;
    let mut accomplices = Vec::new();
    for (stripe, name) in [(Stripe(0), "one"), (Stripe(1), "other")] {
        let rogue = stream.member(name)?;
        accomplices.push(feed(&stream, &victim, rogue, stripe, &chunks).await?);
    }
    let [_, last] = &chunks;
    let key = last.header.key();
    if let Some(reason) = victim.chunk_or_refusal(key).await? {
        return Ok(Outcome::stopped(reason));
    }
    let beacon = |head| stream.beacon(head, last.header.digest());
    for accomplice in &mut accomplices {
        let shown = Edge::Beacon(beacon(key.sequence));
        accomplice.channel.send(&shown).await?;
    }
    if control.is_on() {
        let head = Sequence(key.sequence.0.saturating_add(HIDDEN));
        victim.node.take_beacon(&beacon(head))?;
    }
    let all: BTreeSet<SpkiHash> = accomplices.iter().map(|a| a.spki).collect();
    let patience = Duration::from_millis(WATCH_MS);
    match tokio::time::timeout(patience, all_blamed(&mut victim, &all)).await {
        Ok(blamed) => blamed.map(|()| Outcome::stopped(Reason::Withheld.name())),
        Err(_) if all.iter().all(|a| victim.node.has_edge(*a, true)) => {
            Ok(Outcome::succeeded(format!(
                "chunk {} is the end of the programme, as all parents of the viewer tell it",
                key.sequence
            )))
        }
        Err(_) => Err(Failure::Stage("an edge has ended, or one alone was blamed")),
    }
}

/// Becomes the viewer's parent for one stripe, and sends that of both chunks.
async fn feed(
    stream: &Stream,
    victim: &Victim,
    rogue: Identity,
    stripe: Stripe,
    chunks: &[SealedChunk],
) -> Result<Accomplice, Failure> {
    let socket = Endpoint::bind(loopback(), &rogue)?;
    let (spki, address) = (rogue.spki(), socket.address()?);
    let mut order = dial_order(stream, spki, victim.spki, NodeKind::Peer, address)?;
    let permit = Permit {
        stripes: stripe.into(),
        ..stream.permit(spki, victim.spki)
    };
    order.permit = certs::permit::sign(&stream.permit_key, &permit);
    victim.node.order_edge(order)?;
    let (link, channel) = dialled_by_child(&socket).await?;
    let mut sent = Vec::new();
    for chunk in chunks {
        let of_stripe = |record: &Record| match record {
            Record::Block(block) => chunk.header.layout.stripe_of(block.index) == stripe,
            _ => true,
        };
        sent.extend(records(chunk)?.into_iter().filter(of_stripe));
    }
    send_group(&link, sent).await?;
    Ok(Accomplice {
        spki,
        channel,
        _link: link,
        _socket: socket,
    })
}

/// Waits until the viewer has complained about each of them.
async fn all_blamed(victim: &mut Victim, all: &BTreeSet<SpkiHash>) -> Result<(), Failure> {
    let mut blamed = BTreeSet::new();
    while blamed != *all {
        match victim.events.recv().await {
            Some(NodeEvent::Withheld { from, .. }) => {
                blamed.insert(from);
            }
            Some(_) => {}
            None => return Err(Failure::Stage("the node has ended")),
        }
    }
    Ok(())
}
