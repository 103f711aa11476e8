use crate::world::{World, me, other, publish};
use certs::receipt::{Accumulator, Counted, Ledger, ReceiptKey, StripeDigests, check};
use certs::seal::SealedChunk;
use certs::{Error, Verified};
use std::collections::BTreeMap;
use wire::message::receipt::{Bitmap, Receipt};
use wire::statement::{ChunkHeader, RunStatement};
use wire::{Decode, Encode, Epoch, Rendition, Sequence, Stripe};

struct Evening {
    run: Verified<RunStatement>,
    chunks: Vec<SealedChunk>,
    published: BTreeMap<Sequence, StripeDigests>,
    viewer: Accumulator,
}

fn key() -> ReceiptKey {
    ReceiptKey::new([6; 32])
}

impl Evening {
    /// `count` chunks of four blocks each.
    fn new(count: usize) -> Self {
        let world = World::new();
        let mut publisher = world.started();
        let chunks: Vec<_> = (0..count)
            .map(|_| publish(&mut publisher, 60_000))
            .collect();
        let published = chunks
            .iter()
            .map(|chunk| (chunk.header.sequence, digests(&chunk.header, chunk)))
            .collect();
        let viewer = Accumulator::new(world.scope(), me(), other(), Stripe(0), Rendition(0));
        Self {
            run: world.run,
            chunks,
            published,
            viewer,
        }
    }

    fn block(&mut self, chunk: usize, index: usize, in_time: bool) {
        let of = &self.chunks[chunk];
        self.viewer
            .add(&of.header, index as u16, &of.blocks[index], in_time)
            .unwrap();
    }

    fn chunk(&mut self, chunk: usize, in_time: bool) {
        for index in 0..self.chunks[chunk].blocks.len() {
            self.block(chunk, index, in_time);
        }
    }

    fn receipt(&mut self, interval: u64) -> Receipt {
        self.viewer.finish(interval, Epoch(0), &key()).unwrap()
    }

    fn check(&self, receipt: &Receipt) -> Result<Counted, Error> {
        check(receipt, &self.run, &key(), |rendition, sequence| {
            let published = (rendition == Rendition(0)).then_some(&self.published);
            published?.get(&sequence)
        })
    }
}

fn digests(header: &Verified<ChunkHeader>, chunk: &SealedChunk) -> StripeDigests {
    StripeDigests::new(header, &chunk.blocks).unwrap()
}

#[test]
fn a_receipt_counts_complete_chunks_in_time_and_late() {
    let mut evening = Evening::new(4);
    evening.chunk(0, true);
    evening.chunk(1, false);
    evening.block(2, 0, true);
    evening.chunk(3, true);
    let receipt = evening.receipt(0);
    let counted = evening.check(&receipt).unwrap();
    assert_eq!(counted.in_time(), [Sequence(0), Sequence(3)]);
    assert_eq!(counted.late(), [Sequence(1)]);
    assert_eq!(counted.bytes(), counted.cumulative_bytes());
    assert_eq!(
        (counted.member(), counted.parent(), counted.stripe()),
        (me(), other(), Stripe(0))
    );
    let layout = evening.chunks[0].header.layout;
    let each = u64::from(layout.block_len) * u64::from(layout.blocks());
    assert_eq!(counted.bytes(), 3 * each);
}

#[test]
fn one_late_block_makes_a_chunk_late() {
    let mut evening = Evening::new(1);
    for index in 0..evening.chunks[0].blocks.len() {
        evening.block(0, index, index != 1);
    }
    let receipt = evening.receipt(0);
    assert_eq!(evening.check(&receipt).unwrap().late(), [Sequence(0)]);
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let mut forward = Evening::new(3);
    let mut backward = Evening::new(3);
    for chunk in 0..3 {
        forward.chunk(chunk, true);
    }
    for chunk in (0..3).rev() {
        for index in (0..backward.chunks[chunk].blocks.len()).rev() {
            backward.block(chunk, index, true);
        }
    }
    assert_eq!(forward.receipt(0), backward.receipt(0));
}

#[test]
fn an_unfinished_chunk_waits_for_the_next_receipt_and_counts_once() {
    let mut evening = Evening::new(3);
    evening.block(0, 0, true);
    evening.chunk(1, true);
    let first = evening.receipt(0);
    assert_eq!(evening.check(&first).unwrap().in_time(), [Sequence(1)]);
    evening.chunk(1, true);
    evening.chunk(0, true);
    evening.chunk(2, true);
    let second = evening.receipt(1);
    let counted = evening.check(&second).unwrap();
    assert_eq!(counted.in_time(), [Sequence(0), Sequence(2)]);
    let mut ledger = Ledger::new();
    ledger.accept(&evening.check(&first).unwrap()).unwrap();
    ledger.accept(&counted).unwrap();
    assert_eq!(ledger.in_time_chunks(), 3);
    assert_eq!(ledger.late_chunks(), 0);
    assert_eq!(ledger.cumulative_bytes(), counted.cumulative_bytes());
}

#[test]
fn a_receipt_without_chunks_is_good_and_counts_nothing() {
    let mut evening = Evening::new(1);
    let receipt = evening.receipt(0);
    let counted = evening.check(&receipt).unwrap();
    assert_eq!(counted.bytes(), 0);
}

#[test]
fn refuses_a_receipt_for_blocks_that_were_not_received() {
    let mut evening = Evening::new(2);
    evening.chunk(0, true);
    let mut receipt = evening.receipt(0);
    receipt.in_time = Bitmap::new(vec![3u8]).unwrap();
    let error = evening.check(&receipt).unwrap_err();
    assert_eq!(error.reason(), "receipt_mac_invalid");
}

#[test]
fn refuses_a_receipt_for_other_bytes_than_were_published() {
    let mut evening = Evening::new(1);
    let header = evening.chunks[0].header.clone();
    for index in 0..evening.chunks[0].blocks.len() {
        let mut data = evening.chunks[0].blocks[index].to_vec();
        data[0] ^= 1;
        evening
            .viewer
            .add(&header, index as u16, &data, true)
            .unwrap();
    }
    let receipt = evening.receipt(0);
    assert_eq!(
        evening.check(&receipt).unwrap_err(),
        Error::ReceiptMacInvalid
    );
}

#[test]
fn refuses_another_members_key() {
    let mut evening = Evening::new(1);
    evening.chunk(0, true);
    let receipt = evening
        .viewer
        .finish(0, Epoch(0), &ReceiptKey::new([7; 32]));
    let error = evening.check(&receipt.unwrap()).unwrap_err();
    assert_eq!(error, Error::ReceiptMacInvalid);
}

#[test]
fn refuses_every_single_altered_byte() {
    let mut evening = Evening::new(2);
    evening.chunk(0, true);
    evening.chunk(1, false);
    let encoded = evening.receipt(9).to_bytes();
    let mut refused = 0;
    for at in 0..encoded.len() {
        for bit in 0..8 {
            let mut changed = encoded.clone();
            changed[at] ^= 1 << bit;
            if let Ok(receipt) = Receipt::from_bytes(&changed) {
                evening.check(&receipt).unwrap_err();
                refused += 1;
            }
        }
    }
    assert!(refused > encoded.len() * 7, "only {refused} decoded");
}

#[test]
fn refuses_a_receipt_of_another_run() {
    let mut evening = Evening::new(1);
    evening.chunk(0, true);
    let receipt = evening.receipt(0);
    evening.run = World::of_run(8).run;
    assert_eq!(evening.check(&receipt).unwrap_err(), Error::ReceiptWrongRun);
}

#[test]
fn what_came_of_one_rendition_is_no_receipt_for_another() {
    let mut evening = Evening::new(1);
    evening.chunk(0, true);
    let receipt = evening.receipt(0);
    let mut better = receipt.clone();
    better.rendition = Rendition(1);
    assert_eq!(
        evening.check(&better).unwrap_err(),
        Error::ReceiptUnknownChunk
    );
    // Nor if the other one has a chunk of that number.
    let checked = |receipt: &Receipt| {
        check(receipt, &evening.run, &key(), |_, sequence| {
            evening.published.get(&sequence)
        })
    };
    assert_eq!(checked(&better).unwrap_err(), Error::ReceiptMacInvalid);
    assert_eq!(checked(&receipt).unwrap().rendition(), Rendition(0));
}

#[test]
fn refuses_chunks_that_are_unknown_or_both_late_and_in_time() {
    let mut evening = Evening::new(1);
    evening.chunk(0, true);
    let receipt = evening.receipt(0);
    let mut unknown = receipt.clone();
    unknown.first = Sequence(5);
    assert_eq!(
        evening.check(&unknown).unwrap_err(),
        Error::ReceiptUnknownChunk
    );
    let mut both = receipt.clone();
    both.late = receipt.in_time.clone();
    assert_eq!(evening.check(&both).unwrap_err(), Error::ReceiptMalformed);
    let mut stripe = receipt.clone();
    stripe.stripe = Stripe(1);
    assert_eq!(evening.check(&stripe).unwrap_err(), Error::ReceiptMalformed);
    let mut overflow = receipt;
    overflow.first = Sequence(u64::MAX);
    overflow.in_time = Bitmap::new(vec![2u8]).unwrap();
    assert_eq!(
        evening.check(&overflow).unwrap_err(),
        Error::ReceiptMalformed
    );
}

#[test]
fn the_accumulator_takes_blocks_of_its_own_edge_only() {
    let mut evening = Evening::new(1);
    let chunk = evening.chunks[0].clone();
    let mut viewer = Accumulator::new(
        evening.run.scope.clone(),
        me(),
        other(),
        Stripe(1),
        Rendition(0),
    );
    let foreign = Err(Error::ReceiptForeignBlock);
    assert_eq!(
        viewer.add(&chunk.header, 0, &chunk.blocks[0], true),
        foreign
    );
    let mut add = |index, data: &[u8]| evening.viewer.add(&chunk.header, index, data, true);
    assert_eq!(add(4, &chunk.blocks[0]), foreign);
    assert_eq!(add(0, &chunk.blocks[0][1..]), foreign);
    assert_eq!(add(0, &chunk.blocks[0]), Ok(()));
}

#[test]
fn the_ledger_refuses_replays_repeats_and_sums_that_shrink() {
    let mut evening = Evening::new(4);
    evening.chunk(0, true);
    let first = evening.receipt(3);
    let first = evening.check(&first).unwrap();
    let mut ledger = Ledger::new();
    ledger.accept(&first).unwrap();
    assert_eq!(ledger.accept(&first), Err(Error::ReceiptOutOfOrder));

    let mut again = Evening::new(4);
    again.chunk(0, true);
    let repeated = again.receipt(4);
    let repeated = again.check(&repeated).unwrap();
    assert_eq!(ledger.accept(&repeated), Err(Error::ReceiptRepeatsChunk));

    let mut shrunk = Evening::new(4);
    shrunk.chunk(1, true);
    let smaller = shrunk.receipt(4);
    let smaller = shrunk.check(&smaller).unwrap();
    assert_eq!(ledger.accept(&smaller), Err(Error::ReceiptBytesWrong));

    evening.chunk(1, true);
    evening.receipt(4);
    evening.chunk(2, true);
    let later = evening.receipt(5);
    ledger.accept(&evening.check(&later).unwrap()).unwrap();
    assert_eq!(
        ledger.in_time_chunks(),
        2,
        "the lost receipt's chunk is not counted"
    );
}

#[test]
fn memory_is_bounded_when_no_chunk_is_ever_complete() {
    let world = World::new();
    let mut publisher = world.started();
    let mut viewer = Accumulator::new(world.scope(), me(), other(), Stripe(0), Rendition(0));
    let mut newest = None;
    for _ in 0..600 {
        let chunk = publish(&mut publisher, 20_000);
        viewer
            .add(&chunk.header, 0, &chunk.blocks[0], true)
            .unwrap();
        newest = Some(chunk);
    }
    let chunk = newest.unwrap();
    viewer
        .add(&chunk.header, 1, &chunk.blocks[1], true)
        .unwrap();
    let receipt = viewer.finish(0, Epoch(0), &key()).unwrap();
    assert_eq!(receipt.first, chunk.header.sequence);
    assert_eq!(&receipt.in_time[..], [1]);
}

#[test]
fn receipt_keys_are_never_printed() {
    assert_eq!(format!("{:?}", key()), "[redacted]");
}
