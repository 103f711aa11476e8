//! Relays that pass the smallest rendition on: when it pays, for whom, and what
//! becomes of their viewers when they go.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "common/ladder.rs"]
mod world;

use overlay::ladder::Config;
use wire::Rendition;
use world::{RATIO, World, rider};

/// Long before room has lasted for long enough that somebody moves up.
const NEVER_MS: u64 = 1_000_000_000;

/// A station with two places, a relay with `slots`, and all of them taken by
/// free riders who have the best rendition where there is one.
fn crowded(slots: u32) -> (World, u32) {
    let mut world = World::with(Config {
        room_ms_min: NEVER_MS,
        ..world::config(1, 2)
    });
    world.join(rider());
    let relay = world.bring_relay(slots);
    for _ in 1..slots {
        world.join(rider());
    }
    assert_eq!(world.at(0).len(), slots as usize);
    (world, relay)
}

fn passed(world: &World, relay: u32) -> Vec<u32> {
    let sources = world.ladder.below().map(|(node, _)| node);
    sources
        .filter(|node| world.ladder.source(*node) == Some((relay, Rendition(1))))
        .collect()
}

#[test]
fn a_place_at_a_relay_serves_several_when_the_station_is_full() {
    let (mut world, relay) = crowded(2);
    for _ in 0..RATIO {
        world.join(rider());
        world.nobody_sponsors();
    }
    assert_eq!(
        passed(&world, relay),
        [0u32; 0],
        "the station has room for it"
    );
    assert_eq!(world.ladder.fed().count(), 0);
    let direct = world.at(1);
    world.join(rider());
    world.nobody_sponsors();
    assert_eq!(world.refused(), [0u32; 0]);
    // Who made room, whom it was made for, and in whose place the relay gets it.
    let here = passed(&world, relay);
    assert_eq!(here.len(), 3);
    assert_eq!(here.iter().filter(|n| direct.contains(n)).count(), 1);
    assert_eq!(world.ladder.fed().collect::<Vec<_>>(), [relay]);
    assert_eq!(world.ladder.edges_taken(relay), 1);
    // One more place of the relay's is free, and then the next one makes room.
    for _ in 0..4 {
        world.join(rider());
        world.nobody_sponsors();
    }
    assert_eq!(world.refused(), [0u32; 0]);
    assert_eq!(world.ladder.edges_taken(relay), 2);
    assert_eq!(world.at(0), [0u32; 0]);
}

#[test]
fn without_relays_that_pass_it_on_they_would_be_refused() {
    let mut world = World::with(Config {
        room_ms_min: NEVER_MS,
        ..world::config(1, 2)
    });
    for _ in 0..3 * RATIO {
        world.join(rider());
        world.nobody_sponsors();
    }
    assert_eq!(world.at(1).len(), 2 * RATIO as usize);
    assert_eq!(world.refused().len(), RATIO as usize);

    let (mut world, _) = crowded(2);
    for _ in 0..3 * RATIO - 2 {
        world.join(rider());
        world.nobody_sponsors();
    }
    // Three of the station's places, and two times four of the relay's.
    assert_eq!(world.at(1).len(), 3 + 2 * RATIO as usize);
    assert_eq!(world.refused().len(), 1);
}

#[test]
fn who_had_it_from_a_relay_that_dies_gets_it_elsewhere_or_is_refused_by_name() {
    let (mut world, relay) = crowded(2);
    for _ in 0..=RATIO {
        world.join(rider());
        world.nobody_sponsors();
    }
    assert_eq!(passed(&world, relay).len(), 3);
    let before = world.at(1).len() + world.at(0).len();
    world.lose_relay(relay);
    world.nobody_sponsors();
    world.wait(2_000);
    world.nobody_sponsors();
    assert_eq!(world.ladder.fed().count(), 0);
    assert_eq!(passed(&world, relay), [0u32; 0]);
    let after = world.at(1).len() + world.at(0).len();
    assert_eq!(after + world.refused().len(), before);
    assert_eq!(world.refused(), [0u32; 0], "there are two places of four");
}

#[test]
fn a_relay_that_goes_is_given_nothing_more_to_pass_on() {
    let (mut world, relay) = crowded(2);
    for _ in 0..=RATIO {
        world.join(rider());
        world.nobody_sponsors();
    }
    assert_eq!(passed(&world, relay).len(), 3);
    world.goes(relay);
    world.nobody_sponsors();
    for _ in 0..RATIO {
        world.join(rider());
        world.nobody_sponsors();
    }
    assert_eq!(passed(&world, relay), [0u32; 0]);
    assert_eq!(world.ladder.fed().count(), 0);
}

#[test]
fn who_gets_nothing_from_a_relay_is_given_to_another_and_not_back() {
    let (mut world, relay) = crowded(2);
    for _ in 0..=RATIO {
        world.join(rider());
        world.nobody_sponsors();
    }
    let node = passed(&world, relay)[0];
    world.fails(node, relay);
    world.nobody_sponsors();
    world.wait(2_000);
    assert_ne!(
        world.ladder.source(node).map(|(parent, _)| parent),
        Some(relay)
    );
    assert!(passed(&world, relay).len() >= 2);
    let other = passed(&world, relay)[0];
    assert_ne!(other, node);
    assert!(!world.fails(node, relay), "it has nothing from there");
}

#[test]
fn when_the_relay_grows_they_move_up_and_it_passes_nothing_on() {
    let mut world = World::with(Config {
        room_ms_min: 1_000,
        ..world::config(1, 2)
    });
    world.join(rider());
    let relay = world.bring_relay(1);
    for _ in 0..=RATIO {
        world.join(rider());
        world.nobody_sponsors();
    }
    assert_eq!(world.ladder.fed().collect::<Vec<_>>(), [relay]);
    world.grow(relay, 20);
    world.wait(20_000);
    assert_eq!(world.at(1), [0u32; 0]);
    assert_eq!(world.ladder.fed().count(), 0);
    assert_eq!(world.ladder.edges_taken(relay), 0);
}
