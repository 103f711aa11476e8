//! Any interleaving: a child that is never slow gets every block from its
//! start on exactly once, after its header.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod common;

use bytes::Bytes;
use common::{BLOCKS, Sent, Station, give_block, give_header, resume, short, start};
use overlay::forwarder::{Begin, Config, Forwarder};
use proptest::prelude::*;
use std::collections::BTreeSet;

const CHUNKS: usize = 12;
const GROUP: usize = 3;

#[derive(Debug, Clone)]
enum Event {
    /// A parent sends its next record.
    Parent(usize),
    /// The child polls so often.
    Poll(u8),
}

/// What one parent sends: chunks in order, blocks of each in some order.
fn parent_records(rotation: u16) -> Vec<(usize, Option<u16>)> {
    (0..=CHUNKS)
        .flat_map(|chunk| {
            let blocks = (0..BLOCKS).map(move |i| (chunk, Some((i + rotation) % BLOCKS)));
            std::iter::once((chunk, None)).chain(blocks)
        })
        .collect()
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0usize..2).prop_map(Event::Parent),
        1 => (0u8..12).prop_map(Event::Poll),
    ]
}

fn check(sent: &[Sent], first: u64, had: &BTreeSet<u16>) {
    let mut opened = BTreeSet::new();
    let mut blocks = BTreeSet::new();
    for item in sent {
        match item {
            Sent::Header(s) => assert!(opened.insert(*s), "header {s} twice"),
            Sent::Block(s, i) => {
                assert!(opened.contains(s), "block before header {s}");
                assert!(blocks.insert((*s, *i)), "block {s}/{i} twice");
            }
            Sent::Dropped(..) => panic!("nothing is dropped"),
            _ => {}
        }
    }
    let due: BTreeSet<(u64, u16)> = (first..CHUNKS as u64)
        .flat_map(|s| (0..BLOCKS).map(move |i| (s, i)))
        .filter(|(s, i)| *s != first || !had.contains(i))
        .collect();
    assert_eq!(blocks, due);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_block_goes_out_exactly_once(
        events in prop::collection::vec(event(), 0..160),
        rotations in [0u16..BLOCKS, 0u16..BLOCKS],
        joins_at in 0usize..160,
        resumes in prop::option::of((0u64..CHUNKS as u64, prop::collection::btree_set(0u16..BLOCKS, 0..4))),
    ) {
        let chunks = Station::new().evening(CHUNKS, GROUP);
        let parents = rotations.map(parent_records);
        let mut at = [0usize; 2];
        let mut forwarder: Forwarder<Bytes, u32> = Forwarder::new(Config::default());
        let mut sent = Vec::new();
        let mut begin = None;
        let join = match &resumes {
            Some((next, have)) => {
                let have: Vec<u16> = have.iter().copied().collect();
                resume(Some(0), *next, &have)
            }
            None => start(),
        };
        let deliver = |f: &mut Forwarder<Bytes, u32>, (chunk, block): (usize, Option<u16>)| {
            match block {
                None => give_header(f, &chunks[chunk]),
                Some(index) => give_block(f, &chunks[chunk], index),
            };
        };
        for (step, event) in events.into_iter().enumerate() {
            if step == joins_at {
                begin = Some(forwarder.add_child(1, join.clone(), common::all(), 0));
            }
            match event {
                Event::Parent(p) => {
                    if let Some(record) = parents[p].get(at[p]) {
                        deliver(&mut forwarder, *record);
                        at[p] += 1;
                    }
                }
                Event::Poll(n) => {
                    sent.extend((0..n).filter_map(|_| forwarder.poll(1)).map(short));
                }
            }
        }
        let begin = begin.unwrap_or_else(|| forwarder.add_child(1, join, common::all(), 0));
        for p in 0..2 {
            for record in &parents[p][at[p]..] {
                deliver(&mut forwarder, *record);
            }
        }
        sent.extend(std::iter::from_fn(|| forwarder.poll(1)).map(short));
        let had = resumes.as_ref().map(|(_, have)| have.clone()).unwrap_or_default();
        let first = match (resumes, begin) {
            (Some((next, _)), _) => next,
            (None, Begin::At(first)) => first.0,
            // The first key frame that came after.
            (None, _) => common::headers(&sent)[0],
        };
        check(&sent, first, &had);
        for pair in sent.windows(2) {
            if let [Sent::Group(_), next] = pair {
                prop_assert!(matches!(next, Sent::Header(_) | Sent::Init(_)));
            }
        }
    }
}
