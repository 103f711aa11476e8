//! Any interleaving with several stripes: a child gets the blocks of its
//! stripes as they come, each once, and none of another; who loses a parent
//! and finds the next one misses nothing.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod common;

use bytes::Bytes;
use certs::seal::SealedChunk;
use common::{RENDITION, Sent, Station, give_block, give_header, short};
use overlay::forwarder::{Config, Forwarder, Outgoing};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use wire::message::edge::Start;
use wire::{Decode, Stripe, StripeSet};

const CHUNKS: usize = 8;
const GROUP: usize = 3;
const K: u8 = 4;
const M: u8 = 1;

type Node = Forwarder<Bytes, u32>;

fn stripe_of(index: u16) -> Stripe {
    Stripe(u8::try_from(index % 5).unwrap())
}

/// Chunks of two rows.
fn programme() -> Vec<SealedChunk> {
    let mut station = Station::striped(K, M);
    station.chunk_len = 70_000;
    station.evening(CHUNKS, GROUP)
}

fn sets() -> impl Strategy<Value = StripeSet> {
    prop::collection::btree_set(0u8..5, 1..=5).prop_map(common::set)
}

fn start(stripes: StripeSet) -> Start {
    Start {
        rendition: RENDITION,
        stripes,
        resume: None,
    }
}

/// What one parent sends: chunks in order, of each the blocks of its stripes
/// in some order.
fn records(chunks: &[SealedChunk], stripes: StripeSet, rotation: u16) -> Vec<(usize, Option<u16>)> {
    let of = |(at, chunk): (usize, &SealedChunk)| {
        let count = u16::try_from(chunk.blocks.len()).unwrap();
        let blocks = (0..count).map(move |i| (i + rotation) % count);
        let mine = blocks.filter(move |i| stripes.has(stripe_of(*i)));
        std::iter::once((at, None)).chain(mine.map(move |i| (at, Some(i))))
    };
    chunks.iter().enumerate().flat_map(of).collect()
}

/// A child, and what was sent to it.
struct Child {
    id: u32,
    stripes: StripeSet,
    opened: BTreeSet<u64>,
    blocks: BTreeSet<(u64, u16)>,
}

impl Child {
    fn join(node: &mut Node, id: u32, stripes: StripeSet) -> Self {
        node.add_child(id, start(stripes), stripes, 0);
        Self {
            id,
            stripes,
            opened: BTreeSet::new(),
            blocks: BTreeSet::new(),
        }
    }

    fn poll(&mut self, node: &mut Node, count: usize) {
        for item in std::iter::from_fn(|| node.poll(self.id)).take(count) {
            match short(item) {
                Sent::Header(s) => {
                    self.opened.insert(s);
                }
                Sent::Block(s, i) => {
                    assert!(self.opened.contains(&s), "block before header {s}");
                    assert!(
                        self.stripes.has(stripe_of(i)),
                        "{s}/{i} is not its stripe's"
                    );
                    assert!(self.blocks.insert((s, i)), "block {s}/{i} twice");
                }
                Sent::InitBlock(_, i) => {
                    assert!(
                        self.stripes.has(stripe_of(i)),
                        "init/{i} is not its stripe's"
                    );
                }
                Sent::Dropped(..) => panic!("nothing is dropped"),
                Sent::Group(_) | Sent::End | Sent::Init(_) => {}
            }
        }
    }

    /// All of its stripes that has come is on its way to it.
    fn check(&self, came: &BTreeSet<(u64, u16)>, first: u64) {
        let due = came
            .iter()
            .filter(|(s, i)| *s >= first && self.stripes.has(stripe_of(*i)));
        for block in due {
            assert!(self.blocks.contains(block), "{block:?} has not come");
        }
    }
}

#[derive(Debug, Clone)]
enum Event {
    /// A parent sends its next record.
    Parent(usize),
    /// A child polls so often.
    Poll(usize, u8),
    /// A child polls all there is.
    Drain(usize),
    /// A child is given other stripes.
    Stripes(usize, StripeSet),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0usize..3).prop_map(Event::Parent),
        2 => (0usize..2, 0u8..12).prop_map(|(c, n)| Event::Poll(c, n)),
        1 => (0usize..2).prop_map(Event::Drain),
        1 => (0usize..2, sets()).prop_map(|(c, s)| Event::Stripes(c, s)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn children_get_their_stripes_as_they_come_and_no_others(
        events in prop::collection::vec(event(), 0..240),
        parents in prop::collection::vec((sets(), 0u16..10), 3),
        wanted in prop::collection::vec(sets(), 2),
    ) {
        let chunks = programme();
        let all = parents.iter().map(|(s, _)| *s).fold(StripeSet::EMPTY, StripeSet::union);
        let parents: Vec<_> = parents.iter().map(|(s, r)| records(&chunks, *s, *r)).collect();
        let mut at = [0usize; 3];
        let mut node = Node::new(Config::default());
        let mut children: Vec<Child> = (0u32..)
            .zip(&wanted)
            .map(|(id, stripes)| Child::join(&mut node, id, *stripes))
            .collect();
        let mut came = BTreeSet::new();
        let mut complete = BTreeMap::<u64, usize>::new();
        let mut deliver = |node: &mut Node, came: &mut BTreeSet<(u64, u16)>, (chunk, block): (usize, Option<u16>)| {
            let Some(index) = block else {
                give_header(node, &chunks[chunk]);
                return;
            };
            let taken = give_block(node, &chunks[chunk], index);
            if let Some(sequence) = (chunk as u64).checked_sub(1) {
                assert_eq!(taken.fresh, came.insert((sequence, index)));
                *complete.entry(sequence).or_default() += usize::from(taken.complete);
            }
        };
        for event in events {
            match event {
                Event::Parent(p) => {
                    if let Some(record) = parents[p].get(at[p]) {
                        deliver(&mut node, &mut came, *record);
                        at[p] += 1;
                    }
                }
                Event::Poll(c, n) => children[c].poll(&mut node, usize::from(n)),
                Event::Drain(c) => {
                    children[c].poll(&mut node, usize::MAX);
                    children[c].check(&came, 0);
                }
                Event::Stripes(c, stripes) => {
                    node.set_stripes(children[c].id, stripes);
                    children[c].stripes = stripes;
                }
            }
        }
        for p in 0..3 {
            for record in &parents[p][at[p]..] {
                deliver(&mut node, &mut came, *record);
            }
        }
        for child in &mut children {
            child.poll(&mut node, usize::MAX);
            child.check(&came, 0);
        }
        // Complete once, as soon as there are k stripes of every row.
        let enough = usize::from(all.len() >= u32::from(K));
        for sequence in 0..CHUNKS as u64 {
            prop_assert_eq!(complete.get(&sequence).copied().unwrap_or(0), enough);
            let key = chunks[sequence as usize + 1].header.key();
            prop_assert_eq!(node.chunk(key).is_some(), enough == 1);
        }
        let missing = common::set(0..5).minus(all);
        let overdue = node.overdue(RENDITION, common::set(0..5), wire::Sequence(0), 0);
        prop_assert_eq!(overdue, missing);
    }

    #[test]
    fn who_loses_a_parent_resumes_its_stripes_at_another_and_misses_nothing(
        mine in sets(),
        pace in prop::collection::vec((0usize..3, 0usize..12), 0..120),
        dies_at in 0usize..120,
        waits in 0usize..20,
        forwards: bool,
    ) {
        let chunks = programme();
        let all = common::set(0..5);
        let other = all.minus(mine);
        let (mut above, mut beside, mut node) =
            (Node::new(Config::default()), Node::new(Config::default()), Node::new(Config::default()));
        above.add_child(9, start(mine), mine, 0);
        beside.add_child(9, start(other), other, 0);
        let mut below = forwards.then(|| Child::join(&mut node, 1, all));
        let mut published = 0;
        let mut got = BTreeSet::new();
        let mut dead = false;
        let mut found = false;
        let mut publish = |above: &mut Node, beside: &mut Node| {
            if let Some(chunk) = chunks.get(published) {
                common::give(above, chunk);
                common::give(beside, chunk);
                published += 1;
            }
        };
        let steps = pace.len();
        for (step, (what, count)) in pace.into_iter().enumerate() {
            // One of the parents dies with all that waits there.
            dead |= step >= dies_at;
            if dead && !found && step >= dies_at + waits {
                resume(&mut above, &node, mine, other);
                found = true;
            }
            match what {
                0 => publish(&mut above, &mut beside),
                1 => take(&mut above, &mut node, &chunks, &mut got, count),
                _ if !dead => take(&mut beside, &mut node, &chunks, &mut got, count),
                _ => {}
            }
        }
        if !found {
            resume(&mut above, &node, mine, other);
        }
        prop_assert!(steps <= 120);
        (0..=CHUNKS).for_each(|_| publish(&mut above, &mut beside));
        take(&mut above, &mut node, &chunks, &mut got, usize::MAX);
        for chunk in &chunks[1..] {
            prop_assert!(node.chunk(chunk.header.key()).is_some(), "a chunk is missing");
        }
        if let Some(below) = &mut below {
            below.poll(&mut node, usize::MAX);
            let came = (0..CHUNKS as u64).flat_map(|s| (0..10u16).map(move |i| (s, i))).collect();
            below.check(&came, 0);
        }
    }
}

/// The parent of some stripes becomes that of others, too: the node says what
/// it has of these.
fn resume(parent: &mut Node, node: &Node, known: StripeSet, fresh: StripeSet) {
    let stripes = known.union(fresh);
    let start = Start {
        rendition: RENDITION,
        stripes,
        resume: node.resume(RENDITION, fresh),
    };
    parent.add_child(9, start, stripes, 0);
}

/// The node takes so much of what a parent has for it; nothing comes twice.
fn take(
    parent: &mut Node,
    node: &mut Node,
    chunks: &[SealedChunk],
    got: &mut BTreeSet<(bool, u64, u16)>,
    count: usize,
) {
    for item in std::iter::from_fn(|| parent.poll(9)).take(count) {
        match item {
            Outgoing::Header(signed) => {
                let header = wire::statement::ChunkHeader::from_bytes(signed.body()).unwrap();
                let chunk = chunks.iter().find(|c| c.header.key() == header.key());
                give_header(node, chunk.unwrap());
            }
            Outgoing::Block { chunk, index, .. } => {
                let key = (chunk.init, chunk.sequence.0, index);
                // An init segment that is not whole may come again: it is small.
                let fresh = got.insert(key);
                assert!(fresh || chunk.init, "{key:?} twice");
                let chunk = chunks.iter().find(|c| c.header.key() == chunk);
                assert_eq!(give_block(node, chunk.unwrap(), index).fresh, fresh);
            }
            Outgoing::Dropped { .. } => panic!("nothing is dropped"),
            Outgoing::GroupStart(_) | Outgoing::GroupEnd => {}
        }
    }
}
