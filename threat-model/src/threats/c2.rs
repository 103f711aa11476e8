//! C2: a node that forwards nothing writes the receipts of eight children
//! himself.
//!
//! The control is the receipt's MAC, under a key that child and coordinator
//! share. It is removed by believing the receipt's bitmaps.

use crate::attack::attack;
use crate::scene::stream::{Stream, two_chunks};
use crate::scene::{now, rng};
use crate::{Control, Failure, Outcome};
use certs::receipt::{Accumulator, Counted, ReceiptKey, StripeDigests, check};
use certs::seal::SealedChunk;
use overlay::slots;
use std::collections::BTreeMap;
use wire::message::receipt::Receipt;
use wire::statement::ChunkFlags;
use wire::{Epoch, Rendition, Sequence, SpkiHash, Stripe};

attack!("C2", run);

/// A second of media of the stage's stream, in bytes.
const SECOND_BYTES: usize = 4_096;
/// Rate of that stream, in bit/s.
const STREAM_BPS: u64 = SECOND_BYTES as u64 * 8;
/// Seconds over which the coordinator adds up.
const SECONDS: u64 = 30;
/// Children in whose names receipts are written.
const CHILDREN: u8 = 8;
/// What the node claims to carry, in streams.
const CLAIMED: u64 = 100;

fn run(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let liar = stream.member("liar")?.spki();
    let chunks = programme(&stream)?;
    let mut digests = BTreeMap::new();
    for chunk in &chunks {
        let of_chunk = StripeDigests::new(&chunk.header, &chunk.blocks)?;
        digests.insert(chunk.header.sequence, of_chunk);
    }
    let mut slots = slots::Ledger::new();
    slots.claim(liar, CLAIMED * STREAM_BPS, None);
    for number in 0..CHILDREN {
        let child = SpkiHash([number; 32]);
        let childs_key = ReceiptKey::generate(&rng())?;
        let receipt = forged_receipt(&stream, liar, child, &chunks)?;
        let lookup = |sequence: Sequence| digests.get(&sequence);
        let counted = match control {
            Control::On => check(&receipt, &stream.run, &childs_key, lookup),
            Control::Removed => Counted::dangerously_unchecked(&receipt),
        };
        let counted = match counted {
            Ok(counted) => counted,
            Err(refusal) => return Ok(Outcome::stopped(refusal.reason())),
        };
        let received = counted.in_time().len() as u64;
        let summary = slots::Summary {
            bytes: counted.cumulative_bytes(),
            due: received,
            in_time: received,
        };
        slots.receipt(SECONDS * 1_000, counted.parent(), summary);
    }
    let granted = slots.slots(SECONDS * 1_000, liar, STREAM_BPS);
    if granted > slots::UNPROVEN_SLOTS {
        Ok(Outcome::succeeded(format!(
            "{granted} slots for a node that forwarded nothing"
        )))
    } else {
        Err(Failure::Stage("the receipts proved too little"))
    }
}

/// Thirty seconds of programme, as the liar receives them.
fn programme(stream: &Stream) -> Result<Vec<SealedChunk>, Failure> {
    let mut publisher = stream.publisher()?;
    let media = [7u8; SECOND_BYTES];
    let [_, first] = two_chunks(&mut publisher, &media)?;
    let mut chunks = vec![first];
    for second in 1..SECONDS {
        let flags = ChunkFlags::default();
        chunks.push(publisher.publish(&media, second, 1_000_000, now(), flags)?);
    }
    Ok(chunks)
}

/// A receipt that looks like the child's: made of the very blocks, under a
/// key that the liar had to make up.
fn forged_receipt(
    stream: &Stream,
    parent: SpkiHash,
    child: SpkiHash,
    chunks: &[SealedChunk],
) -> Result<Receipt, Failure> {
    let scope = stream.run.scope.clone();
    let mut blocks = Accumulator::new(scope, child, parent, Stripe(0), Rendition(0));
    for chunk in chunks {
        for (index, data) in (0u16..).zip(&chunk.blocks) {
            blocks.add(&chunk.header, index, data, true)?;
        }
    }
    let made_up = ReceiptKey::generate(&rng())?;
    Ok(blocks.finish(1, Epoch(0), &made_up)?)
}
