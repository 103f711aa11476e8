//! What stripes mean for what is left out, for the end, and for who is late.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use bytes::Bytes;
use certs::seal::SealedChunk;
use common::{RENDITION, Station, drain, give_block, give_header, set};
use overlay::forwarder::{Config, Forwarder, Outgoing};
use wire::message::edge::Start;
use wire::statement::ChunkFlags;
use wire::{Reason, Sequence, StripeSet};

type Node = Forwarder<Bytes, u32>;

fn join(node: &mut Node, id: u32, stripes: StripeSet) {
    let start = Start {
        rendition: RENDITION,
        stripes,
        resume: None,
    };
    node.add_child(id, start, stripes, 0);
}

/// The blocks of some stripes of a chunk of one row.
fn give(node: &mut Node, chunk: &SealedChunk, stripes: impl IntoIterator<Item = u16>) {
    give_header(node, chunk);
    for index in stripes {
        give_block(node, chunk, index);
    }
}

fn left_out(node: &mut Node, id: u32) -> Vec<(u64, u64, StripeSet)> {
    std::iter::from_fn(|| node.poll(id))
        .filter_map(|item| match item {
            Outgoing::Dropped {
                from, to, stripes, ..
            } => Some((from.0, to.0, stripes)),
            _ => None,
        })
        .collect()
}

#[test]
fn what_one_parent_leaves_out_is_beyond_repair_with_the_second_stripe_alone() {
    let chunks = Station::striped(4, 1).evening(6, 3);
    let mut node = Node::new(Config::default());
    join(&mut node, 1, set([0, 1, 2, 3, 4]));
    join(&mut node, 2, set([3]));
    join(&mut node, 3, set([0]));
    give(&mut node, &chunks[0], 0..5);
    give(&mut node, &chunks[1], 0..5);
    let range = |from, to| (Sequence(from), Sequence(to));
    let gone = node.dropped(RENDITION, range(1, 3), set([3]), Reason::SlowReader);
    assert_eq!(gone, []);
    assert_eq!(left_out(&mut node, 1), [(1, 3, set([3]))]);
    assert_eq!(left_out(&mut node, 2), [(1, 3, set([3]))]);
    assert_eq!(left_out(&mut node, 3), []);
    // The node waits for the other four, and does not ask for the fifth.
    let next = |node: &Node, stripes| node.resume(RENDITION, set(stripes)).unwrap().next;
    assert_eq!(next(&node, [0, 1]), Sequence(1));
    assert_eq!(next(&node, [3, 3]), Sequence(3));
    give(&mut node, &chunks[2], [0, 1, 2, 4]);
    assert_eq!(next(&node, [0, 1]), Sequence(2));
    let gone = node.dropped(RENDITION, range(2, 4), set([0]), Reason::SlowReader);
    assert_eq!(gone, [range(2, 3)]);
    assert_eq!(next(&node, [1, 2]), Sequence(3), "nobody brings chunk 2");
}

#[test]
fn a_slow_child_is_told_which_stripes_it_is_spared() {
    let config = Config {
        queue_bytes_max: 3_000,
        ..Config::default()
    };
    let mut node = Node::new(config);
    let chunks = Station::striped(4, 1).evening(9, 3);
    give(&mut node, &chunks[0], 0..5);
    join(&mut node, 1, set([1, 2]));
    for chunk in &chunks[1..] {
        give(&mut node, chunk, 0..5);
    }
    let told = left_out(&mut node, 1);
    assert!(!told.is_empty());
    assert!(told.iter().all(|(_, _, stripes)| *stripes == set([1, 2])));
}

#[test]
fn the_run_ends_for_a_child_with_the_last_block_of_its_stripes() {
    let mut station = Station::striped(4, 1);
    let mut node = Node::new(Config::default());
    join(&mut node, 1, set([1]));
    let (init, first) = (station.init(), station.media(true));
    let last = station.publish(ChunkFlags {
        end: true,
        ..ChunkFlags::default()
    });
    // A node that is given two stripes of five completes no chunk.
    give(&mut node, &init, [1, 2]);
    give(&mut node, &first, [1, 2]);
    give(&mut node, &last, [2]);
    assert!(!drain(&mut node, 1).contains(&common::Sent::End));
    give(&mut node, &last, [1]);
    assert_eq!(drain(&mut node, 1).last(), Some(&common::Sent::End));
    assert!(node.chunk(last.header.key()).is_none());
    assert_eq!(node.newest(RENDITION, set([1, 2])), Some(Sequence(1)));
    assert_eq!(node.newest(RENDITION, set([0, 1])), None);
}

#[test]
fn a_stripe_is_overdue_while_others_bring_what_it_lacks() {
    let mut station = Station::striped(4, 1);
    let mut node = Node::new(Config::default());
    let chunks = station.evening(3, 3);
    for chunk in &chunks[1..=2] {
        node.header(100, chunk.header.clone(), chunk.signed.clone());
        give(&mut node, chunk, [0, 1, 2, 3]);
    }
    let overdue = |node: &Node, from, before_ms| {
        node.overdue(RENDITION, set([0, 4]), Sequence(from), before_ms)
    };
    assert_eq!(overdue(&node, 0, 99), StripeSet::EMPTY, "it may yet come");
    assert_eq!(overdue(&node, 0, 100), set([4]));
    assert_eq!(overdue(&node, 2, 100), StripeSet::EMPTY, "not asked for");
    give_block(&mut node, &chunks[1], 4);
    node.dropped(
        RENDITION,
        (Sequence(1), Sequence(2)),
        set([4]),
        Reason::SlowReader,
    );
    assert_eq!(overdue(&node, 0, 100), StripeSet::EMPTY, "it was told");
}

#[test]
fn what_a_neighbour_brought_is_owed_until_the_parent_sends_it_or_need_not() {
    let chunks = &Station::striped(4, 1).evening(2, 2)[1..];
    let mut node = Node::new(Config::default());
    for chunk in chunks {
        give(&mut node, chunk, [0, 1, 2, 3]);
        node.note_repaired(chunk.header.key(), 3);
        assert!(node.chunk(chunk.header.key()).is_some(), "it can be played");
    }
    let owed = |node: &Node| {
        let due = node.overdue(RENDITION, set([3]), Sequence(0), 1_000);
        (due, node.whole(RENDITION, set([3])).map(|s| s.0))
    };
    assert_eq!(owed(&node), (set([3]), None));
    assert_eq!(node.newest(RENDITION, set([3])), None);
    assert_eq!(node.newest(RENDITION, set([2])).map(|s| s.0), Some(1));
    // The parent sends it late; of the first chunk it hears that it is here.
    give_block(&mut node, &chunks[1], 3);
    assert_eq!(owed(&node), (set([3]), Some(1)));
    node.forgive(RENDITION, Sequence(0));
    assert_eq!(owed(&node), (StripeSet::EMPTY, Some(1)));
}
