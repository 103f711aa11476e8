//! D9: a neighbour says that it has a chunk, and answers the pull with another
//! block than was published.
//!
//! The control is D1's own: the block's proof against the signed header. It is
//! removed in the controls that the victim's node is made with.

use crate::attack::attack;
use crate::scene::edge::Victim;
use crate::scene::mesh::{pull, pulled_from};
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{self, within};
use crate::{Control, Failure, Outcome};
use bytes::Bytes;
use certs::seal::SealedChunk;
use link::{BlockCheck, Controls, NodeEvent};
use wire::codec::{Blob, List};
use wire::message::control::NodeKind;
use wire::message::group::Block;
use wire::message::mesh::{Answer, Map, Mesh, Pull};
use wire::{Reason, Rendition};

attack!("D9", run);

const STEP_MS_MAX: u64 = 10_000;
const MEDIA: &[u8] = b"what the station published";

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(pollute(control))
}

async fn pollute(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let (rogue, child) = (stream.member("rogue")?, stream.member("child")?);
    let mut controls = Controls::default();
    if !control.is_on() {
        controls.blocks = BlockCheck::dangerously_any();
    }
    let mut victim = Victim::new(&stream, &child, NodeKind::Peer, true, controls)?;
    // It has no parent: it pulls all that it gets.
    victim.node.pull_only();
    let [init, chunk] = two_chunks(&mut stream.publisher()?, MEDIA)?;
    let (_socket, link, mut channel) = pulled_from(&stream, &rogue, &victim).await?;
    channel.send(&boast(&chunk)?).await?;
    let pulled = pull(&mut channel).await?;
    let rubbish = altered(&chunk, pulled.index)?;
    let polluted = answer(&chunk, &pulled, rubbish.clone())?;
    channel.send(&polluted).await?;
    let answering = async {
        loop {
            let pulled = pull(&mut channel).await?;
            if pulled.chunk.init {
                let block = init.blocks.first().cloned().unwrap_or_default();
                channel.send(&answer(&init, &pulled, block)?).await?;
            }
        }
    };
    let outcome = tokio::select! {
        outcome = within(STEP_MS_MAX, "refusal or chunk", taken(&mut victim, &chunk)) => outcome?,
        failed = answering => match failed {
            Err::<std::convert::Infallible, Failure>(_) => {
                // The link has ended: the refusal is on its way.
                within(STEP_MS_MAX, "refusal", taken(&mut victim, &chunk)).await?
            }
        },
    }?;
    match outcome {
        Some((who, reason)) => {
            let closed = within(STEP_MS_MAX, "close", link.connection.closed()).await;
            closed?;
            let named = link.close_reason() == Reason::BlockProofMismatch;
            if who == rogue.spki() && named {
                Ok(Outcome::stopped(reason))
            } else {
                Err(Failure::Stage("somebody else was left, or by another name"))
            }
        }
        None => {
            let key = chunk.header.key();
            let whole = victim.node.chunk_by_sender(key);
            let held = whole.is_some_and(|(_, came)| came.iter().any(|b| b.data == rubbish));
            if held {
                Ok(Outcome::succeeded(
                    "the node holds the changed block for its children and its player",
                ))
            } else {
                Err(Failure::Stage("the node holds another block"))
            }
        }
    }
}

type Left = Option<(wire::SpkiHash, String)>;

/// Waits until the node has left its neighbour, or has the chunk.
async fn taken(victim: &mut Victim, chunk: &SealedChunk) -> Result<Left, Failure> {
    while let Some(event) = victim.events.recv().await {
        match event {
            NodeEvent::NeighbourDown { other, name, .. } => return Ok(Some((other, name))),
            NodeEvent::Chunk { key, .. } if key == chunk.header.key() => return Ok(None),
            _ => {}
        }
    }
    Err(Failure::Stage("the node has ended"))
}

fn boast(chunk: &SealedChunk) -> Result<Mesh, Failure> {
    let all = (0u16..).zip(&chunk.blocks).map(|(index, _)| index);
    Ok(Mesh::Map(Map {
        rendition: Rendition(0),
        start: Some(chunk.header.sequence),
        first: chunk.header.sequence,
        chunks: List::new(vec![all.collect()])?,
    }))
}

fn altered(chunk: &SealedChunk, index: u16) -> Result<Bytes, Failure> {
    let block = chunk.blocks.get(usize::from(index));
    let mut block = block.ok_or(Failure::Stage("no such block"))?.to_vec();
    if let Some(byte) = block.first_mut() {
        *byte ^= 1;
    }
    Ok(Bytes::from(block))
}

fn answer(chunk: &SealedChunk, pulled: &Pull, data: Bytes) -> Result<Mesh, Failure> {
    let path = chunk.paths.get(usize::from(pulled.index));
    Ok(Mesh::Answer(Box::new(Answer {
        header: pulled.header.then(|| chunk.signed.clone()),
        block: Block {
            chunk: chunk.header.key(),
            index: pulled.index,
            path: path.ok_or(Failure::Stage("no such block"))?.clone(),
            data: Blob::new(data)?,
        },
    })))
}
