//! A node that says that it goes: its children are handed over first.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use overlay::planner::{Action, Config, Peer, Planner};
use overlay::{Error, planner::EdgeFault};
use wire::{Stripe, Stripes};

const STATION: u32 = 0;
const INNER: u32 = 1;
const FIRST: u32 = 2;
const SECOND: u32 = 3;

fn edges(edges: u32) -> Peer {
    Peer {
        edges,
        ..Peer::default()
    }
}

/// Every edge that was made or ended since the last call: child, parent, and
/// the parent that goes on meanwhile; none for an edge that ended.
fn changes(planner: &mut Planner<u32>) -> Vec<(u32, u32, Option<Option<u32>>)> {
    let mut all = Vec::new();
    while let Some(action) = planner.poll_action() {
        match action {
            Action::Attach {
                child,
                parent,
                replaces,
                ..
            } => all.push((child, parent, Some(replaces))),
            Action::Detach { child, parent, .. } => all.push((child, parent, None)),
            _ => {}
        }
    }
    all
}

fn parent(planner: &Planner<u32>, node: u32) -> Option<u32> {
    planner.node(node).and_then(|view| view.parents[0])
}

/// The station feeds INNER, and INNER feeds FIRST and SECOND; all edges work.
fn chain() -> Planner<u32> {
    let mut planner = Planner::new(STATION, 1, Config::default(), 7);
    planner.join(0, INNER, edges(2)).unwrap();
    planner.join(1, FIRST, edges(0)).unwrap();
    planner.join(2, SECOND, edges(0)).unwrap();
    for (child, parent) in [(INNER, STATION), (FIRST, INNER), (SECOND, INNER)] {
        planner.edge_up(child, parent, Stripe(0));
    }
    changes(&mut planner);
    planner
}

#[test]
fn the_children_have_their_next_parent_before_the_node_is_gone() {
    let mut planner = chain();
    planner.claim(3, STATION, 3).unwrap();
    planner.retire(4, INNER).unwrap();
    let made = [
        (FIRST, STATION, Some(Some(INNER))),
        (SECOND, STATION, Some(Some(INNER))),
    ];
    assert_eq!(changes(&mut planner), made, "no edge has ended yet");
    planner.edge_up(FIRST, STATION, Stripe(0));
    planner.edge_up(SECOND, STATION, Stripe(0));
    let ended = [(FIRST, INNER, None), (SECOND, INNER, None)];
    assert_eq!(changes(&mut planner), ended);
    planner.leave(5, INNER).unwrap();
    assert_eq!(changes(&mut planner), [(INNER, STATION, None)]);
}

#[test]
fn who_leaves_gets_no_new_children() {
    let mut planner = chain();
    planner.claim(3, INNER, 3).unwrap();
    planner.retire(4, INNER).unwrap();
    planner.join(5, 4, edges(0)).unwrap();
    assert_ne!(parent(&planner, 4), Some(INNER));
    planner.edge_failed(6, FIRST, INNER, EdgeFault::Unreachable);
    assert_ne!(parent(&planner, FIRST), Some(INNER));
}

#[test]
fn without_another_place_it_serves_until_it_is_gone() {
    let mut planner = chain();
    planner.retire(3, INNER).unwrap();
    assert_eq!(changes(&mut planner), []);
    assert_eq!(parent(&planner, FIRST), Some(INNER));
    planner.leave(4, INNER).unwrap();
    assert_eq!(
        parent(&planner, FIRST),
        Some(STATION),
        "the place is free now"
    );
}

/// What the hand-over is good for: the same departure without it is a break.
#[test]
fn without_the_hand_over_the_edges_end_first() {
    let mut planner = chain();
    planner.claim(3, STATION, 3).unwrap();
    planner.leave(4, INNER).unwrap();
    let seen = changes(&mut planner);
    let first_made = seen.iter().position(|change| change.2.is_some());
    let last_ended = seen.iter().rposition(|change| change.2.is_none());
    assert!(last_ended < first_made, "{seen:?}");
    assert!(seen.iter().all(|change| change.2 != Some(Some(INNER))));
}

#[test]
fn every_stripe_is_handed_over() {
    let stripes = Stripes::new(4, 1).unwrap();
    let config = Config {
        stripes,
        ..Config::default()
    };
    let mut planner = Planner::new(STATION, 5, config, 7);
    planner.join(0, INNER, edges(10)).unwrap();
    planner.join(1, FIRST, edges(0)).unwrap();
    for s in stripes.all() {
        planner.edge_up(INNER, STATION, s);
        planner.edge_up(FIRST, INNER, s);
    }
    planner.claim(2, STATION, 10).unwrap();
    changes(&mut planner);
    planner.retire(3, INNER).unwrap();
    let seen = changes(&mut planner);
    assert_eq!(seen, vec![(FIRST, STATION, Some(Some(INNER))); 5]);
}

#[test]
fn neither_strangers_nor_the_station_retire() {
    let mut planner = chain();
    assert_eq!(planner.retire(1, 99), Err(Error::UnknownNode));
    assert_eq!(planner.retire(1, STATION), Err(Error::Station));
}
