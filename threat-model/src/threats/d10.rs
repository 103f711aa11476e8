//! D10: a sender publishes two programmes under one name. A viewer with a
//! parent in each half of the audience sees both.
//!
//! The control is that headers are compared, and the proof is gossiped. It is
//! removed in the controls that every node of the stage is made with. Without
//! it each half believes that it saw what all saw, and the viewer leaves an
//! honest parent for what the sender did.

use crate::attack::attack;
use crate::scene::edge::{Victim, accept_order, dial_order, publish};
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{self, within};
use crate::{Control, Failure, Outcome};
use certs::seal::SealedChunk;
use link::{Controls, EquivocationCheck, NodeEvent};
use wire::message::control::NodeKind;
use wire::statement::ChunkKey;
use wire::{Digest, Reason, SpkiHash};

attack!("D10", two_programmes,
    "the second programme comes after a parent has changed" => "sender_equivocated": after_a_change,
);

/// How long a step may take, in milliseconds.
const STEP_MS_MAX: u64 = 10_000;
const MEDIA: [&[u8]; 2] = [b"what one half sees", b"what the other half is told"];

fn two_programmes(control: Control) -> Result<Outcome, Failure> {
    scene::stage(divide(control))
}

fn after_a_change(control: Control) -> Result<Outcome, Failure> {
    scene::stage(go_on_differently(control))
}

/// The audience: a parent for each half, a viewer who has both for parents,
/// and one below him.
struct Audience {
    halves: [Victim; 2],
    viewer: Victim,
    below: Victim,
}

impl Audience {
    fn seat(stream: &Stream, control: Control) -> Result<Self, Failure> {
        let mut controls = Controls::default();
        if !control.is_on() {
            controls.equivocations = EquivocationCheck::dangerously_ignored();
        }
        let node = |name| {
            let victim = Victim::new(
                stream,
                &stream.member(name)?,
                NodeKind::Peer,
                true,
                controls,
            )?;
            victim.accept_edges();
            Ok::<_, Failure>(victim)
        };
        Ok(Self {
            halves: [node("one half")?, node("other half")?],
            viewer: node("viewer")?,
            below: node("below")?,
        })
    }
}

fn hang(stream: &Stream, parent: &Victim, child: &Victim) -> Result<(), Failure> {
    let address = parent.endpoint.address()?;
    let order = dial_order(stream, parent.spki, child.spki, NodeKind::Peer, address)?;
    let permit = order.permit.clone();
    parent.node.order_edge(accept_order(permit, child.spki)?)?;
    Ok(child.node.order_edge(order)?)
}

/// The sender's two programmes: init segment and first chunk of each.
fn programmes(stream: &Stream) -> Result<[[SealedChunk; 2]; 2], Failure> {
    let [one, other] = MEDIA;
    Ok([
        two_chunks(&mut stream.publisher()?, one)?,
        two_chunks(&mut stream.publisher()?, other)?,
    ])
}

async fn divide(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let mut seated = Audience::seat(&stream, control)?;
    let [[init, one], [_, other]] = programmes(&stream)?;
    let (key, digests) = (one.header.key(), [&one, &other].map(|c| c.header.digest()));
    hang(&stream, &seated.viewer, &seated.below)?;
    for half in &mut seated.halves {
        hang(&stream, half, &seated.viewer)?;
        within(STEP_MS_MAX, "start of the viewer", has_child(half)).await??;
        publish(half, init.clone())?;
    }
    let [half, other_half] = &seated.halves;
    publish(half, one)?;
    within(
        STEP_MS_MAX,
        "first programme",
        holds(&mut seated.viewer, key),
    )
    .await??;
    publish(other_half, other)?;
    judge(seated, key, digests).await
}

/// Everybody's nodes tell of both headers, and nobody leaves anybody; or
/// nobody is told, and somebody is left.
async fn judge(
    mut seated: Audience,
    key: ChunkKey,
    digests: [Digest; 2],
) -> Result<Outcome, Failure> {
    let parents = [seated.halves[0].spki, seated.halves[1].spki];
    match first_news(&mut seated.viewer).await? {
        News::Proven(seen) if seen == digests => {
            let [one, other] = &mut seated.halves;
            for node in [&mut seated.below, one, other] {
                match first_news(node).await? {
                    News::Proven(seen) if seen == digests => {}
                    _ => return Err(Failure::Stage("somebody was told something else")),
                }
            }
            let keeps = |parent: &SpkiHash| seated.viewer.node.has_edge(*parent, true);
            if !parents.iter().all(keeps) {
                return Err(Failure::Stage("a parent was blamed for it"));
            }
            Ok(Outcome::stopped("sender_equivocated"))
        }
        News::Proven(_) => Err(Failure::Stage("other headers were told")),
        News::Left(parent, reason) if parent == parents[1] => {
            let [one, other] = seated.halves.each_ref().map(|half| half.node.chunk(key));
            let (Some((one, _)), Some((other, _))) = (one, other) else {
                return Err(Failure::Stage("a half has no chunk"));
            };
            if one.digest() == other.digest() {
                return Err(Failure::Stage("both halves have the same chunk"));
            }
            Ok(Outcome::succeeded(format!(
                "two halves of the audience hold different chunks {}, nobody is told, and an honest parent was left for {reason}",
                key.sequence
            )))
        }
        News::Left(..) => Err(Failure::Stage("the first parent was left")),
    }
}

/// What a node tells of the sender or of its parents.
enum News {
    Proven([Digest; 2]),
    Left(SpkiHash, String),
}

async fn first_news(victim: &mut Victim) -> Result<News, Failure> {
    within(STEP_MS_MAX, "news of the sender or a parent", async {
        while let Some(event) = victim.events.recv().await {
            match event {
                NodeEvent::SenderEquivocated { digests, .. } => {
                    return Ok(News::Proven(digests));
                }
                NodeEvent::EdgeDown {
                    other,
                    child: true,
                    name,
                    ..
                } => return Ok(News::Left(other, name)),
                _ => {}
            }
        }
        Err(Failure::Stage("the node has ended"))
    })
    .await?
}

async fn has_child(victim: &mut Victim) -> Result<(), Failure> {
    while let Some(event) = victim.events.recv().await {
        if matches!(event, NodeEvent::EdgeUp { child: false, .. }) {
            return Ok(());
        }
    }
    Err(Failure::Stage("the node has ended"))
}

async fn holds(victim: &mut Victim, wanted: ChunkKey) -> Result<(), Failure> {
    match victim.chunk_or_refusal(wanted).await? {
        None => Ok(()),
        Some(_) => Err(Failure::Stage("the viewer has refused its parent")),
    }
}

/// The viewer has never seen two headers of one name: his parent is gone when
/// the next one goes on with the other programme. The chain tells.
async fn go_on_differently(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let mut seated = Audience::seat(&stream, control)?;
    let [one_half, other_half] = &seated.halves;
    let [mut one, mut other] = [stream.publisher()?, stream.publisher()?];
    let [init, first] = two_chunks(&mut one, MEDIA[0])?;
    two_chunks(&mut other, MEDIA[1])?;
    let [_, next] = two_chunks(&mut other, MEDIA[1])?;
    let digests = [first.header.digest(), next.header.digest()];
    let (first_key, next_key) = (first.header.key(), next.header.key());
    publish(one_half, init.clone())?;
    publish(one_half, first)?;
    hang(&stream, one_half, &seated.viewer)?;
    within(
        STEP_MS_MAX,
        "first programme",
        holds(&mut seated.viewer, first_key),
    )
    .await??;
    publish(other_half, init)?;
    publish(other_half, next)?;
    let gone = one_half.spki;
    hang(&stream, other_half, &seated.viewer)?;
    seated.viewer.node.end_edge(gone, true, Reason::Reparented);
    within(STEP_MS_MAX, "news or the next chunk", async {
        let mut proven = false;
        while let Some(event) = seated.viewer.events.recv().await {
            match event {
                NodeEvent::SenderEquivocated { digests: seen, .. } => {
                    proven = seen == digests;
                    if !proven {
                        return Err(Failure::Stage("other headers were told"));
                    }
                }
                NodeEvent::EdgeDown { other, .. } if other != gone => {
                    return Err(Failure::Stage("a parent was blamed for it"));
                }
                NodeEvent::Chunk { key, .. } if key == next_key => {
                    return Ok(if proven {
                        Outcome::stopped("sender_equivocated")
                    } else {
                        Outcome::succeeded(format!(
                            "the viewer plays chunk {next_key} of another programme than he began, and nobody is told",
                            next_key = next_key.sequence
                        ))
                    });
                }
                _ => {}
            }
        }
        Err(Failure::Stage("the node has ended"))
    })
    .await?
}
