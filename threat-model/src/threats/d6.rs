//! D6: a parent stops passing on, and keeps its links: what came last looks
//! like the end of the programme.
//!
//! The control is the head beacon on another path, and what a viewer makes of
//! it. Its use is removed in the options that the viewer is called with; in
//! the second way the other path is taken away.

use crate::attack::attack;
use crate::scene::edge::{Victim, dial_order, dialled_by_child, records, send_group};
use crate::scene::meddler::Manner;
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::under::Under;
use crate::scene::{self, loopback, within};
use crate::{Control, Failure, Outcome};
use link::{Controls, Endpoint, HeadCheck, NodeEvent};
use std::time::Duration;
use wire::Sequence;
use wire::message::control::NodeKind;
use wire::message::edge::Edge;

attack!("D6", cut,
    "the parent holds the beacons back, too" => "withheld": cut_with_its_beacons,
);

/// When the parent stops, after its own start: the viewer has begun by then.
const CUT: Duration = Duration::from_millis(6_000);
/// How long the viewer waits: four times as long as a parent may be behind,
/// since it is given a second try.
const WATCH_MS: u64 = 40_000;
/// How long the viewer of the second way lets a parent be behind, and how
/// long it is watched, in milliseconds.
const BEHIND_MS: u64 = 500;
const WATCH_SECOND_MS: u64 = 3_000;
/// How long a step may take, in milliseconds.
const STEP_MS_MAX: u64 = 10_000;

fn cut(control: Control) -> Result<Outcome, Failure> {
    scene::stage(cut_the_stream(control))
}

fn cut_with_its_beacons(control: Control) -> Result<Outcome, Failure> {
    scene::stage(hold_all_back(control))
}

async fn cut_the_stream(control: Control) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let choose = |options: &mut peer::viewer::Options| {
        if !control.is_on() {
            options.controls.heads = HeadCheck::dangerously_never();
        }
    };
    let seated = Under::seat(folder.path(), Manner::Cut(CUT), |_| {}, choose);
    let mut seated = seated.await?;
    if seated.moved(WATCH_MS).await? {
        let meddler = seated.meddler.spki.to_hex();
        let reason = within(STEP_MS_MAX, "word of the station", async {
            loop {
                let told = seated.station.told.event("withheld").await?;
                if told.get("parent").and_then(|p| p.as_str()) == Some(&meddler) {
                    return scene::client::text(&told, "reason");
                }
            }
        });
        return Ok(Outcome::stopped(reason.await??));
    }
    let more = seated.viewer.told.next("chunk_received");
    match tokio::time::timeout(CUT, more).await {
        Err(_) => Ok(Outcome::succeeded(format!(
            "the viewer has had nothing for {} s, and neither he nor the station is told",
            WATCH_MS / 1_000
        ))),
        Ok(_) => Err(Failure::Stage("the viewer still gets the stream")),
    }
}

/// The viewer's only link besides its parent's is what brings the beacon.
async fn hold_all_back(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let (rogue, child) = (stream.member("rogue")?, stream.member("child")?);
    let controls = Controls {
        heads: HeadCheck::within_ms(BEHIND_MS),
        ..Controls::default()
    };
    let mut victim = Victim::new(&stream, &child, NodeKind::Peer, true, controls)?;
    let socket = Endpoint::bind(loopback(), &rogue)?;
    let address = socket.address()?;
    let order = dial_order(&stream, rogue.spki(), child.spki(), NodeKind::Peer, address)?;
    victim.node.order_edge(order)?;
    let (link, mut channel) = dialled_by_child(&socket).await?;
    let [init, last] = two_chunks(&mut stream.publisher()?, b"the last that comes")?;
    let mut sent = records(&init)?;
    sent.extend(records(&last)?);
    send_group(&link, sent).await?;
    let key = last.header.key();
    if let Some(reason) = victim.chunk_or_refusal(key).await? {
        return Ok(Outcome::stopped(reason));
    }
    // It shows the beacon of what it has sent, and none of those after it.
    let beacon = |head| stream.beacon(head, last.header.digest());
    channel.send(&Edge::Beacon(beacon(key.sequence))).await?;
    if control.is_on() {
        let head = Sequence(key.sequence.0.saturating_add(20));
        victim.node.take_beacon(&beacon(head))?;
    }
    let patience = Duration::from_millis(WATCH_SECOND_MS);
    let blamed = tokio::time::timeout(patience, withheld(&mut victim)).await;
    match blamed.map(|from| from.ok()) {
        Ok(Some(from)) if from == rogue.spki() => {
            Ok(Outcome::stopped(wire::Reason::Withheld.name()))
        }
        Ok(_) => Err(Failure::Stage("somebody else was blamed")),
        Err(_) if victim.node.has_edge(rogue.spki(), true) => Ok(Outcome::succeeded(format!(
            "chunk {} is the end of the programme, for all that the viewer can see",
            key.sequence
        ))),
        Err(_) => Err(Failure::Stage("the edge has ended by itself")),
    }
}

async fn withheld(victim: &mut Victim) -> Result<wire::SpkiHash, Failure> {
    while let Some(event) = victim.events.recv().await {
        if let NodeEvent::Withheld { from, .. } = event {
            return Ok(from);
        }
    }
    Err(Failure::Stage("the node has ended"))
}
