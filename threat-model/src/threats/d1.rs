//! D1: a parent changes one byte of a block on its way.
//!
//! The control is the block's proof against the signed header, on every hop.
//! It is removed in the controls that the victim's node is made with.

use crate::attack::attack;
use crate::scene::edge::{Victim, block, dial_order, records, rogue_parent};
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{self, loopback, within};
use crate::{Control, Failure, Outcome};
use bytes::Bytes;
use link::{BlockCheck, Controls, Endpoint};
use wire::message::control::NodeKind;
use wire::message::group::Record;

attack!("D1", run);

/// How long the close may take to arrive, in milliseconds.
const CLOSE_MS_MAX: u64 = 5_000;
const MEDIA: &[u8] = b"what the station published";

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(change_a_block(control))
}

async fn change_a_block(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let (rogue, child) = (stream.member("rogue")?, stream.member("child")?);
    let mut controls = Controls::default();
    if !control.is_on() {
        controls.blocks = BlockCheck::dangerously_any();
    }
    let mut victim = Victim::new(&stream, &child, NodeKind::Peer, true, controls)?;
    let [init, chunk] = two_chunks(&mut stream.publisher()?, MEDIA)?;
    let mut sent = records(&init)?;
    sent.push(Record::Header(chunk.signed.clone()));
    let (original, path) = chunk
        .blocks
        .first()
        .zip(chunk.paths.first())
        .ok_or(Failure::Stage("the chunk has no block"))?;
    let mut changed = original.to_vec();
    if let Some(byte) = changed.first_mut() {
        *byte ^= 1;
    }
    sent.push(block(
        &chunk,
        0,
        path.clone(),
        Bytes::from(changed.clone()),
    )?);
    let socket = Endpoint::bind(loopback(), &rogue)?;
    let address = socket.address()?;
    let order = dial_order(&stream, rogue.spki(), child.spki(), NodeKind::Peer, address)?;
    victim.node.order_edge(order)?;
    let closed = tokio::spawn(async move { rogue_parent(&socket, sent).await });
    match victim.chunk_or_refusal(chunk.header.key()).await? {
        Some(reason) => {
            // One bad block closes the link, and says why.
            let code = within(CLOSE_MS_MAX, "close of the link", closed)
                .await?
                .map_err(|_| Failure::Stage("the rogue broke"))??;
            if code.name() != reason {
                return Err(Failure::Stage("the link was closed with another code"));
            }
            Ok(Outcome::stopped(reason))
        }
        None => {
            let (_, blocks) = victim
                .node
                .chunk(chunk.header.key())
                .ok_or(Failure::Stage("the chunk is not complete"))?;
            if blocks.first().is_some_and(|held| *held.data == *changed) {
                Ok(Outcome::succeeded(
                    "the node holds the changed block for its children and its player",
                ))
            } else {
                Err(Failure::Stage("the node holds another block"))
            }
        }
    }
}
