//! Children that were permitted and do not read. The controls are the time
//! that a child may take nothing, and the bound of its queue.

use crate::scene::edge::{Victim, accept_order, publish};
use crate::scene::stream::Stream;
use crate::scene::{self, loopback, now, within};
use crate::{Control, Failure, Outcome};
use certs::seal::Publisher;
use link::{
    Channel, Controls, DialControls, Endpoint, Link, NodeEvent, Patience, TurnCheck, open_channel,
};
use overlay::forwarder::Config;
use std::time::Duration;
use wire::message::StreamKind;
use wire::message::control::Empty;
use wire::message::edge::{Edge, Start};
use wire::statement::ChunkFlags;
use wire::{Rendition, SpkiHash, Stripe};

/// A chunk, in bytes, and how many are published: far more than QUIC's windows
/// and a child's queue hold together.
const CHUNK_BYTES: usize = 1 << 20;
const CHUNKS: u64 = 64;
/// What waits for a child with the control on: the queue's bound and a chunk.
const WAITING_BYTES_MAX: u64 = 6 << 20;
/// How long the parent may take to have had enough, in milliseconds.
const ENOUGH_MS_MAX: u64 = 14_000;
/// What the slow child takes, and how often.
const SIP_BYTES: usize = 64 << 10;
const SIP: Duration = Duration::from_millis(20);
/// How long a step may take, in milliseconds: what waits for the slow child
/// takes a few seconds.
const STEP_MS_MAX: u64 = 20_000;

pub(super) fn takes_nothing(control: Control) -> Result<Outcome, Failure> {
    scene::stage(keep_a_place(control))
}

pub(super) fn takes_little(control: Control) -> Result<Outcome, Failure> {
    scene::stage(fill_the_queue(control))
}

/// A child that was permitted, has started, and whose streams nobody reads.
struct Child {
    spki: SpkiHash,
    link: Link,
    _channel: Channel,
    _socket: Endpoint,
}

async fn hang(stream: &Stream, parent: &Victim) -> Result<Child, Failure> {
    let identity = stream.member("reader")?;
    let spki = identity.spki();
    let permit = certs::permit::sign(&stream.permit_key, &stream.permit(parent.spki, spki));
    parent
        .node
        .order_edge(accept_order(permit.clone(), spki)?)?;
    let socket = Endpoint::bind(loopback(), &identity)?;
    let address = parent.endpoint.address()?;
    let link = socket
        .dial(address, Some(parent.spki), Patience::Control)
        .await?;
    let mut channel = open_channel(&link, StreamKind::Edge).await?;
    channel.send(&Edge::Hello(permit)).await?;
    match within(STEP_MS_MAX, "welcome", channel.expect("no welcome")).await?? {
        Edge::Welcome(Empty {}) => {}
        _ => return Err(Failure::Stage("the parent did not welcome")),
    }
    let start = Start {
        rendition: Rendition(0),
        stripes: Stripe(0).into(),
        resume: None,
    };
    channel.send(&Edge::Start(start)).await?;
    Ok(Child {
        spki,
        link,
        _channel: channel,
        _socket: socket,
    })
}

/// A parent that has begun a stream.
fn parent(
    stream: &Stream,
    queues: Config,
    controls: Controls,
) -> Result<(Victim, Publisher), Failure> {
    let identity = stream.member("parent")?;
    let victim = Victim::dialled(
        stream,
        &identity,
        queues,
        (DialControls::default(), controls),
    )?;
    victim.accept_edges();
    let mut publisher = stream.publisher()?;
    let init = ChunkFlags {
        init: true,
        ..ChunkFlags::default()
    };
    publish(&victim, publisher.publish(b"init", 0, 0, now(), init)?)?;
    Ok((victim, publisher))
}

fn publish_all(victim: &Victim, publisher: &mut Publisher) -> Result<(), Failure> {
    let key = ChunkFlags {
        key: true,
        ..ChunkFlags::default()
    };
    let media = vec![0x5a; CHUNK_BYTES];
    for n in 0..CHUNKS {
        let chunk = publisher.publish(&media, n * 200_000, 200_000, now(), key)?;
        publish(victim, chunk)?;
    }
    Ok(())
}

/// Waits until the child's edge is up: what is published then is no backlog.
async fn started(victim: &mut Victim) -> Result<(), Failure> {
    within(STEP_MS_MAX, "start of the child", async {
        while let Some(event) = victim.events.recv().await {
            if matches!(event, NodeEvent::EdgeUp { child: false, .. }) {
                return Ok(());
            }
        }
        Err(Failure::Stage("the node has ended"))
    })
    .await?
}

async fn keep_a_place(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let mut controls = Controls::default();
    if !control.is_on() {
        controls.turns = TurnCheck::dangerously_endless();
    }
    let (mut victim, mut publisher) = parent(&stream, Config::default(), controls)?;
    let child = hang(&stream, &victim).await?;
    started(&mut victim).await?;
    publish_all(&victim, &mut publisher)?;
    let enough = Duration::from_millis(ENOUGH_MS_MAX);
    match tokio::time::timeout(enough, ended(&mut victim, child.spki)).await {
        Ok(name) => Ok(Outcome::stopped(name?)),
        Err(_) if victim.node.load().children == 1 => Ok(Outcome::succeeded(format!(
            "a child that has taken nothing for {} s keeps its place",
            ENOUGH_MS_MAX / 1_000
        ))),
        Err(_) => Err(Failure::Stage("the child is gone, and nobody was told")),
    }
}

async fn ended(victim: &mut Victim, child: SpkiHash) -> Result<String, Failure> {
    while let Some(event) = victim.events.recv().await {
        match event {
            NodeEvent::EdgeDown { other, name, .. } if other == child => return Ok(name),
            _ => {}
        }
    }
    Err(Failure::Stage("the node has ended"))
}

async fn fill_the_queue(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let mut queues = Config::default();
    if !control.is_on() {
        queues = queues.dangerously_queueing_all();
    }
    let (mut victim, mut publisher) = parent(&stream, queues, Controls::default())?;
    let child = hang(&stream, &victim).await?;
    started(&mut victim).await?;
    let sipping = tokio::spawn(sip(child.link.clone()));
    publish_all(&victim, &mut publisher)?;
    let waiting = victim.node.queued_bytes(child.spki);
    let outcome = if waiting > WAITING_BYTES_MAX {
        Ok(Outcome::succeeded(format!(
            "{} MiB wait for a child that takes {} KiB at a time",
            waiting >> 20,
            SIP_BYTES >> 10
        )))
    } else {
        within(
            STEP_MS_MAX,
            "word of what is left out",
            left_out(&mut victim),
        )
        .await?
    };
    sipping.abort();
    outcome
}

async fn left_out(victim: &mut Victim) -> Result<Outcome, Failure> {
    while let Some(event) = victim.events.recv().await {
        if let NodeEvent::LeftOut { dropped, .. } = event {
            return Ok(Outcome::stopped(dropped.reason.name()));
        }
    }
    Err(Failure::Stage("the node has ended"))
}

/// Reads a little of each group, now and then.
async fn sip(link: Link) {
    let mut taken = vec![0; SIP_BYTES];
    while let Ok(mut group) = link.connection.accept_uni().await {
        while let Ok(Some(_)) = group.read(&mut taken).await {
            tokio::time::sleep(SIP).await;
        }
    }
}
