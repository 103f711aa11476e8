//! Pulling, with neighbours that answer, refuse, are silent or boast.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use overlay::forwarder::OpenRow;
use overlay::mesh::{Arrival, Config, Puller, Unasked, Wanted};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use wire::codec::List;
use wire::message::mesh::{Map, Pull};
use wire::statement::ChunkKey;
use wire::{BlockMap, Rendition, Sequence};

const RENDITION: Rendition = Rendition(0);
/// Rows of 4+1.
const K: usize = 4;
const WIDTH: u16 = 5;
const ROWS: u16 = 2;

fn key(sequence: u64) -> ChunkKey {
    ChunkKey {
        rendition: RENDITION,
        init: false,
        sequence: Sequence(sequence),
    }
}

fn map(first: u64, chunks: impl IntoIterator<Item = BlockMap>) -> Map {
    Map {
        rendition: RENDITION,
        start: None,
        first: Sequence(first),
        chunks: List::new(chunks.into_iter().collect()).unwrap(),
    }
}

fn whole() -> BlockMap {
    (0..ROWS * WIDTH).collect()
}

/// What a node has of chunks of which it knows the headers, or does not.
#[derive(Default)]
struct Here {
    blocks: BTreeMap<ChunkKey, BTreeSet<u16>>,
    headless: BTreeSet<ChunkKey>,
}

impl Here {
    fn is_complete(&self, key: ChunkKey) -> bool {
        self.open_rows(key).is_some_and(|rows| rows.is_empty())
    }
}

impl Wanted for Here {
    fn open_rows(&self, key: ChunkKey) -> Option<Vec<OpenRow>> {
        if self.headless.contains(&key) {
            return None;
        }
        let here = self.blocks.get(&key)?;
        let rows = (0..ROWS).map(|row| row * WIDTH..(row + 1) * WIDTH);
        let rows = rows.filter_map(|row| {
            let lacking: Vec<u16> = row.filter(|i| !here.contains(i)).collect();
            let need = (lacking.len() + K).checked_sub(usize::from(WIDTH))?;
            (need > 0).then_some(OpenRow { need, lacking })
        });
        Some(rows.collect())
    }

    fn init_lacking(&self, _: ChunkKey) -> Option<ChunkKey> {
        None
    }
}

/// How a neighbour takes a pull.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Answers,
    Refuses,
    Silent,
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![
        3 => Just(Manner::Answers),
        1 => Just(Manner::Refuses),
        1 => Just(Manner::Silent),
    ]
}

/// A newcomer's neighbours name what they have before he has a parent: he does
/// not pull what the parent is just about to bring.
#[test]
fn what_was_named_before_anything_was_needed_may_still_come() {
    let config = Config::default();
    let mut puller = Puller::new(usize::MAX, RENDITION, config);
    let mut here = Here::default();
    puller.add(0, false);
    puller.map(0, 0, &map(0, [whole()]));
    assert!(puller.poll(5_000, &here).is_empty());
    // The parent's first block.
    here.blocks.insert(key(0), BTreeSet::from([0]));
    puller.needs_from(5_050, Sequence(0));
    let last_ms = 5_050 + config.grace_ms;
    for now_ms in (5_050..last_ms).step_by(50) {
        assert!(puller.poll(now_ms, &here).is_empty(), "at {now_ms} ms");
    }
    assert!(!puller.poll(last_ms, &here).is_empty());
}

proptest! {
    /// With one honest neighbour that has all, everything comes in the end,
    /// whatever the others do; no block is under way twice, and nobody is
    /// asked for the same block twice or for more than it may have in hand.
    #[test]
    fn everything_comes_and_nothing_is_pulled_twice(
        manners in prop::collection::vec(manner(), 0..4),
        missing in prop::collection::vec(prop::collection::btree_set(0u16..10, 0..10), 1..12),
        headless in prop::collection::btree_set(0u64..12, 0..3),
        seed in any::<u64>(),
    ) {
        let config = Config { seed, ..Config::default() };
        let mut puller = Puller::new(usize::MAX, RENDITION, config);
        let mut here = Here::default();
        for (sequence, missing) in (0u64..).zip(&missing) {
            let has = (0..10).filter(|i| !missing.contains(i)).collect();
            here.blocks.insert(key(sequence), has);
        }
        for sequence in headless.into_iter().filter(|s| *s < missing.len() as u64) {
            here.blocks.insert(key(sequence), BTreeSet::new());
            here.headless.insert(key(sequence));
        }
        let manners: Vec<Manner> = [Manner::Answers].into_iter().chain(manners).collect();
        puller.needs_from(0, Sequence(0));
        for neighbour in 0..manners.len() {
            puller.add(neighbour, false);
            puller.map(0, neighbour, &map(0, missing.iter().map(|_| whole())));
        }
        let mut asked: BTreeSet<(usize, ChunkKey, u16)> = BTreeSet::new();
        let mut under_way: Vec<(u64, usize, Pull)> = Vec::new();
        for now_ms in (0..20_000).step_by(50) {
            under_way.retain(|(at, ..)| now_ms - at < config.answer_ms_max);
            let mut last = None;
            for (of, pull) in puller.poll(now_ms, &here) {
                prop_assert!(now_ms >= config.grace_ms, "it may still come by itself");
                prop_assert!(asked.insert((of, pull.chunk, pull.index)), "twice of one");
                let twice = under_way.iter().any(|(_, _, p)| {
                    (p.chunk, p.index) == (pull.chunk, pull.index)
                });
                prop_assert!(!twice, "under way already");
                prop_assert_eq!(pull.header, here.headless.contains(&pull.chunk));
                prop_assert!(last <= Some(pull.chunk.sequence), "what is needed first, first");
                last = Some(pull.chunk.sequence);
                under_way.push((now_ms, of, pull));
                let in_hand = under_way.iter().filter(|(_, to, _)| *to == of).count();
                prop_assert!(in_hand <= config.pending_max);
            }
            prop_assert!(under_way.len() <= config.asked_max);
            let (answered, silent) = under_way.into_iter().partition(|(_, of, _)| {
                !matches!(manners[*of], Manner::Silent)
            });
            under_way = silent;
            let answered: Vec<(u64, usize, Pull)> = answered;
            for (_, of, pull) in answered {
                match manners[of] {
                    Manner::Answers => {
                        prop_assert_eq!(puller.answered(of, pull.chunk, pull.index), Ok(()));
                        here.headless.remove(&pull.chunk);
                        prop_assert!(here.blocks.get_mut(&pull.chunk).unwrap().insert(pull.index));
                        puller.arrived(Arrival::Repaired);
                    }
                    _ => {
                        let refused = puller.refused(of, pull.chunk, pull.index, false);
                        prop_assert_eq!(refused, Ok(()));
                    }
                }
            }
            for neighbour in puller.unanswering() {
                prop_assert!(matches!(manners[neighbour], Manner::Silent));
                puller.remove(neighbour);
                under_way.retain(|(_, of, _)| *of != neighbour);
            }
        }
        for sequence in 0..missing.len() as u64 {
            prop_assert!(here.is_complete(key(sequence)), "chunk {} is missing", sequence);
        }
    }
}

/// A node that lacks all of one chunk, of which it knows the header.
fn lacking_one() -> (Puller<u8>, Here) {
    let mut puller = Puller::new(0, RENDITION, Config::default());
    puller.needs_from(0, Sequence(0));
    let mut here = Here::default();
    here.blocks.insert(key(5), BTreeSet::new());
    (puller, here)
}

#[test]
fn parity_is_not_pulled_where_it_is_not_needed() {
    let (mut puller, here) = lacking_one();
    puller.add(1, false);
    puller.add(2, false);
    for neighbour in [1, 2] {
        puller.map(0, neighbour, &map(5, [whole()]));
    }
    let pulls = puller.poll(1_000, &here);
    assert_eq!(pulls.len(), 2 * K, "k of each row");
    assert!(puller.poll(1_001, &here).is_empty(), "they are under way");
}

#[test]
fn nobody_may_speak_of_what_he_was_not_asked_for() {
    let (mut puller, here) = lacking_one();
    puller.add(1, false);
    assert_eq!(puller.answered(1, key(5), 0), Err(Unasked));
    assert_eq!(puller.refused(2, key(5), 0, false), Err(Unasked));
    puller.map(0, 1, &map(5, [whole()]));
    let (_, pull) = puller.poll(1_000, &here).remove(0);
    assert_eq!(puller.answered(1, pull.chunk, pull.index), Ok(()));
    assert_eq!(puller.answered(1, pull.chunk, pull.index), Err(Unasked));
}

#[test]
fn a_late_answer_is_no_offence_and_the_block_is_asked_of_another() {
    let (mut puller, here) = lacking_one();
    puller.add(1, false);
    let one: BlockMap = [3].into_iter().collect();
    puller.map(0, 1, &map(5, [one.clone()]));
    assert_eq!(puller.poll(1_000, &here)[0].0, 1);
    puller.add(2, false);
    puller.map(1_000, 2, &map(5, [one]));
    assert!(puller.poll(1_499, &here).is_empty());
    assert_eq!(puller.poll(1_500, &here)[0].0, 2);
    assert_eq!(puller.answered(1, key(5), 3), Ok(()));
    assert_eq!(puller.pulled().unanswered, 1);
}

#[test]
fn what_comes_by_itself_after_all_makes_a_node_wait_longer() {
    let (mut puller, here) = lacking_one();
    puller.add(1, false);
    for _ in 0..20 {
        puller.arrived(Arrival::Wasted);
    }
    puller.map(0, 1, &map(5, [whole()]));
    let longest_ms = Config::default().grace_ms_max;
    assert!(puller.poll(longest_ms - 1, &here).is_empty());
    assert!(!puller.poll(longest_ms, &here).is_empty());
    for _ in 0..100 {
        puller.arrived(Arrival::Repaired);
    }
    puller.add(2, false);
    puller.map(10_000, 2, &map(6, [whole()]));
    let mut here = here;
    here.blocks.insert(key(6), BTreeSet::new());
    let soon_ms = 10_000 + Config::default().grace_ms;
    let of_six = |pulls: Vec<(u8, Pull)>| pulls.iter().any(|(_, p)| p.chunk == key(6));
    assert!(of_six(puller.poll(soon_ms, &here)));
}

#[test]
fn the_last_resort_is_asked_for_what_nobody_else_has() {
    let (mut puller, here) = lacking_one();
    puller.add(1, true);
    puller.add(2, false);
    let half: BlockMap = (0..WIDTH).collect();
    puller.map(0, 1, &map(5, [whole()]));
    puller.map(0, 2, &map(5, [half]));
    for (of, pull) in puller.poll(1_000, &here) {
        assert_eq!(of, if pull.index < WIDTH { 2 } else { 1 });
    }
}

#[test]
fn boasts_take_no_memory_and_hide_nothing() {
    let (mut puller, here) = lacking_one();
    puller.add(1, false);
    puller.add(2, false);
    puller.map(0, 2, &map(5, [whole()]));
    for first in (1_000..100_000).step_by(64) {
        puller.map(0, 1, &map(first, (0..64).map(|_| whole())));
    }
    let pulls = puller.poll(1_000, &here);
    let of_two = pulls.iter().filter(|(of, _)| *of == 2);
    assert_eq!(of_two.count(), 2 * K, "what is needed comes first");
    let boasts = pulls.iter().filter(|(of, _)| *of == 1).count();
    assert!(boasts <= Config::default().pending_max);
}

/// Pulls of four who have nothing yet, from each other and from a last resort
/// that has a chunk: who asks it for what.
fn of_the_last_resort(now_ms: u64) -> Vec<Vec<u16>> {
    const LAST: u8 = 9;
    let pulls_of = |me: u8| {
        let config = Config::default().pull_only();
        let mut puller = Puller::new(me, RENDITION, config);
        puller.needs_from(0, Sequence(0));
        for other in (0..4).filter(|other| *other != me) {
            puller.add(other, false);
        }
        puller.add(LAST, true);
        puller.map(0, LAST, &map(5, [whole()]));
        let mut here = Here::default();
        here.blocks.insert(key(5), BTreeSet::new());
        let pulls = puller.poll(now_ms, &here);
        assert!(pulls.iter().all(|(of, _)| *of == LAST));
        pulls.into_iter().map(|(_, pull)| pull.index).collect()
    };
    (0..4).map(pulls_of).collect()
}

#[test]
fn who_pull_only_ask_the_last_resort_for_each_block_once() {
    let mut all: Vec<u16> = of_the_last_resort(0).concat();
    all.sort_unstable();
    assert_eq!(all, (0..ROWS * WIDTH).collect::<Vec<u16>>());
    let later = of_the_last_resort(600);
    assert!(later.iter().all(|asked| asked.len() == 2 * K));
}
