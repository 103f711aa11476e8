//! D4: a parent was given two stripes of five and sends nothing of them, and
//! nobody finds the child another parent: parity makes up for one of them.
//!
//! The control is the pulling of what is missing from a neighbour; the parent
//! is told of by name all the same. It is removed in the controls that the
//! child's node is made with.

use crate::attack::attack;
use crate::scene::edge::{Victim, publish, rogue_parent};
use crate::scene::mesh::{feed, neighbours, orders};
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{self, loopback, now};
use crate::{Control, Failure, Outcome};
use link::{Controls, Endpoint, MeshRepair, NodeEvent};
use std::time::{Duration, Instant};
use wire::message::control::NodeKind;
use wire::statement::{ChunkFlags, ChunkKey, PermitKind};
use wire::{Reason, SpkiHash, Stripe, StripeSet, Stripes};

attack!("D4", run);

const MEDIA: &[u8] = &[7; 60_000];
/// Chunks that are published while the parent starves the child.
const CHUNKS: u64 = 20;
const CHUNK: Duration = Duration::from_millis(100);
/// How long after the last of them the child may be complete.
const PATIENCE: Duration = Duration::from_secs(4);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(starve(control))
}

fn set(stripes: impl IntoIterator<Item = u8>) -> StripeSet {
    stripes.into_iter().map(Stripe).collect()
}

async fn starve(control: Control) -> Result<Outcome, Failure> {
    let stripes = Stripes::new(4, 1).ok_or(Failure::Stage("4+1"))?;
    let stream = Stream::striped(stripes)?;
    let mut controls = Controls::default();
    if !control.is_on() {
        controls.mesh = MeshRepair::dangerously_never();
    }
    let node = |name, controls| {
        let member = stream.member(name)?;
        Victim::new(&stream, &member, NodeKind::Peer, true, controls)
    };
    let station = &stream.station;
    let all = Controls::default();
    let station = Victim::new(&stream, station, NodeKind::Station, true, all)?;
    let mut neighbour = node("neighbour", all)?;
    let mut child = node("child", controls)?;
    station.accept_edges();
    neighbour.accept_edges();
    let mut publisher = stream.publisher()?;
    let [init, first] = two_chunks(&mut publisher, MEDIA)?;
    let first_key = first.header.key();
    let mut published = vec![first_key];
    publish(&station, init)?;
    publish(&station, first)?;
    feed(&stream, &station, &neighbour, stripes.into())?;
    feed(&stream, &station, &child, set(0..3))?;
    if neighbour.chunk_or_refusal(first_key).await?.is_some() {
        return Err(Failure::Stage("the neighbour has refused the station"));
    }
    let rogue = stream.member("rogue")?;
    let socket = Endpoint::bind(loopback(), &rogue)?;
    let from = (rogue.spki(), socket.address()?);
    let [above, _] = orders(&stream, from, child.spki, (PermitKind::Push, set(3..5)))?;
    child.node.order_edge(above)?;
    let starving = tokio::spawn(async move { rogue_parent(&socket, Vec::new()).await });
    neighbours(&stream, &neighbour, &child)?;
    for count in 1..=CHUNKS {
        let time_us = count.saturating_mul(200_000);
        let flags = ChunkFlags::default();
        let chunk = publisher.publish(MEDIA, time_us, 200_000, now(), flags)?;
        published.push(chunk.header.key());
        publish(&station, chunk)?;
        tokio::time::sleep(CHUNK).await;
    }
    let outcome = judge(&mut child, &published, rogue.spki()).await;
    starving.abort();
    outcome
}

/// Nothing is missing and the parent is told of; or something never comes.
async fn judge(
    child: &mut Victim,
    published: &[ChunkKey],
    rogue: SpkiHash,
) -> Result<Outcome, Failure> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        while let Ok(event) = child.events.try_recv() {
            if let NodeEvent::Withheld { from, .. } = event {
                told |= from == rogue;
            }
        }
        let lacking = published.iter().filter(|k| child.node.chunk(**k).is_none());
        let missing = lacking.count();
        if missing == 0 && told {
            return Ok(Outcome::stopped(Reason::Withheld.name()));
        }
        if begun.elapsed() > PATIENCE {
            return if missing == 0 {
                Err(Failure::Stage("nobody hears of the parent"))
            } else {
                Ok(Outcome::succeeded(format!(
                    "{missing} of {} chunks never come",
                    published.len()
                )))
            };
        }
        tokio::time::sleep(CHUNK).await;
    }
}
