//! The bitrate ladder: who gets a smaller rendition, and who comes first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "common/ladder.rs"]
mod world;

use overlay::ladder::{Config, Ladder};
use proptest::prelude::*;
use wire::Rendition;
use wire::message::control::MoveCause;
use world::{RATIO, World, contributor, rider};

#[test]
fn renditions_get_smaller_or_there_is_no_ladder() {
    for slots_bps in [vec![5], vec![5, 5], vec![5, 6], vec![5, 0], vec![]] {
        let config = Config {
            slots_bps,
            ..world::config(1, 4)
        };
        let refused = Ladder::new(0u32, config, 1).unwrap_err();
        assert_eq!(refused.reason(), "no_ladder");
    }
}

#[test]
fn who_finds_the_trees_full_gets_the_smaller_rendition_at_once() {
    let mut world = World::new(4, 1);
    for _ in 0..4 {
        world.join(rider());
    }
    // One place of four is kept for the smaller rendition.
    assert_eq!(world.at(0), [1, 2, 3]);
    assert_eq!(world.at(1), [4]);
    assert_eq!(world.moves(4), [(1, MoveCause::Full)]);
}

#[test]
fn nobody_is_refused_while_a_free_rider_can_make_several_places_of_his() {
    let mut world = World::new(2, 1);
    // One at the top, and as many below as one place is worth.
    for _ in 0..=RATIO {
        world.join(rider());
    }
    assert_eq!(world.at(0), [1]);
    world.join(rider());
    world.nobody_sponsors();
    assert_eq!(world.at(0), [0u32; 0]);
    assert_eq!(world.moves(1), [(1, MoveCause::MadeRoom)]);
    assert_eq!(world.refused(), [0u32; 0]);
    for _ in 0..RATIO {
        world.join(rider());
        world.nobody_sponsors();
    }
    // Two places, each for so many: now it is full.
    assert_eq!(world.at(1).len(), 2 * RATIO as usize);
    assert_eq!(world.refused().len(), 2);
}

#[test]
fn a_free_rider_makes_room_for_who_contributes_and_not_the_other_way_round() {
    let mut world = World::new(2, 5);
    world.join(rider());
    // He gives a stripe, and takes five.
    world.join(contributor());
    assert_eq!((world.at(0), world.at(1)), (vec![1], vec![2]));
    world.nobody_sponsors();
    world.wait(2_000);
    assert_eq!((world.at(0), world.at(1)), (vec![2], vec![1]));
    assert_eq!(world.moves(1), [(1, MoveCause::MadeRoom)]);

    let mut world = World::new(2, 5);
    world.join(rider());
    world.join(rider());
    world.nobody_sponsors();
    world.wait(2_000);
    assert_eq!(world.at(0), [1], "both ride free: who came first stays");
}

#[test]
fn a_relay_moves_them_up_again_once_the_room_has_lasted() {
    let mut world = World::new(2, 1);
    for _ in 0..4 {
        world.join(rider());
    }
    world.nobody_sponsors();
    assert_eq!(world.at(1), [2, 3, 4]);
    world.bring_relay(4);
    world.wait(500);
    assert_eq!(world.at(1), [2, 3, 4], "not yet");
    world.wait(5_000);
    assert_eq!(world.at(1), [0u32; 0]);
    assert_eq!(world.moves(3), [(1, MoveCause::Full), (0, MoveCause::Room)]);
}

#[test]
fn without_the_pause_who_moves_up_does_so_at_once() {
    let mut world = World::with(Config {
        room_ms_min: 0,
        ..world::config(1, 2)
    });
    for _ in 0..3 {
        world.join(rider());
    }
    world.nobody_sponsors();
    world.bring_relay(4);
    world.wait(1_000);
    assert_eq!(world.at(1), [0u32; 0]);
}

#[test]
fn what_is_left_goes_to_renditions_between() {
    let mut world = World::with(Config {
        slots_bps: vec![1_000, 500, 100],
        ..world::config(1, 3)
    });
    for _ in 0..3 {
        world.join(rider());
    }
    world.nobody_sponsors();
    world.wait(5_000);
    let third = world.ladder.rendition(3);
    assert_eq!(third, Rendition(1), "{:?}", world.at(1));
    for _ in 0..6 {
        world.join(rider());
    }
    world.nobody_sponsors();
    assert_eq!(world.refused(), [0u32; 0]);
    assert_eq!(world.ladder.rendition(3), Rendition(2));
}

#[test]
fn who_never_says_what_it_plays_does_not_hold_two_places() {
    let mut world = World::new(2, 5);
    world.silent = true;
    world.join(rider());
    world.join(contributor());
    world.nobody_sponsors();
    world.wait(1_000);
    assert_eq!(world.moves(1), [(1, MoveCause::MadeRoom)]);
    assert!(world.planner.is_seated(1), "it may still play the best one");
    world.wait(20_000);
    assert_eq!(world.at(0), [2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_the_upload_is_enough_and_nobody_is_refused_beside_a_place(
        slots in 1u64..6,
        stripes in prop_oneof![Just(1u8), Just(5)],
        events in prop::collection::vec(world::event(), 1..50),
        between in any::<bool>(),
    ) {
        let mut config = world::config(stripes, slots);
        if between {
            let middle = config.slots_bps.last().unwrap() * 2;
            config.slots_bps.insert(1, middle);
        }
        let mut world = World::with(config);
        for event in events {
            world.take(event);
        }
        world.rest();
        world.check_order();
    }
}
