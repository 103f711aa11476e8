//! A viewer whose parent may be dead: he waits for its place, and is refused
//! when it turns out to be alive.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use overlay::planner::{Action, Config, EdgeFault, Peer, Planner};

const STATION: u32 = 0;
const PARENT: u32 = 1;
const CHILD: u32 = 2;
/// As long as the planner suspects anybody.
const SUSPECT_MS: u64 = 9_000;

fn peer(edges: u32) -> Peer {
    Peer {
        edges,
        never_ask: true,
        ..Peer::default()
    }
}

/// Lets the edges work; tells who was refused.
fn refused(planner: &mut Planner<u32>) -> Vec<u32> {
    let mut refused = Vec::new();
    while let Some(action) = planner.poll_action() {
        match action {
            Action::Attach {
                stripe,
                child,
                parent,
                ..
            } => planner.edge_up(child, parent, stripe),
            Action::Refuse { node, .. } => refused.push(node),
            _ => {}
        }
    }
    refused
}

/// The station has one place, its child another one, and nobody may be asked.
/// The last one says that it does not reach its parent any more.
fn out_of_reach(now_ms: u64) -> Planner<u32> {
    let mut planner = Planner::new(STATION, 1, Config::default(), 1);
    planner.join(0, PARENT, peer(1)).unwrap();
    planner.join(0, CHILD, peer(0)).unwrap();
    assert!(refused(&mut planner).is_empty());
    // It tries twice.
    for _ in 0..2 {
        planner.edge_failed(now_ms, CHILD, PARENT, EdgeFault::Unreachable);
        assert!(refused(&mut planner).is_empty(), "its parent may be dead");
    }
    assert_eq!(planner.node(CHILD).unwrap().parents, [None]);
    planner
}

#[test]
fn the_place_of_a_dead_parent_is_taken() {
    let mut planner = out_of_reach(100);
    planner.tick(100 + SUSPECT_MS - 1);
    assert!(refused(&mut planner).is_empty());
    planner.lost(100 + SUSPECT_MS - 1, PARENT).unwrap();
    assert!(refused(&mut planner).is_empty());
    let child = planner.node(CHILD).unwrap();
    assert_eq!(child.parents, [Some(STATION)]);
}

#[test]
fn who_does_not_reach_a_living_parent_is_refused_in_the_end() {
    let mut planner = out_of_reach(100);
    assert_eq!(planner.next_deadline_ms(), Some(100 + SUSPECT_MS));
    planner.tick(100 + SUSPECT_MS);
    assert_eq!(refused(&mut planner), [CHILD]);
    assert!(planner.node(CHILD).is_none());
}

#[test]
fn a_parent_that_refuses_is_not_waited_for() {
    let mut planner = Planner::new(STATION, 1, Config::default(), 1);
    planner.join(0, PARENT, peer(1)).unwrap();
    planner.join(0, CHILD, peer(0)).unwrap();
    assert!(refused(&mut planner).is_empty());
    planner.edge_failed(1, CHILD, PARENT, EdgeFault::Refused);
    assert_eq!(refused(&mut planner), [CHILD]);
}
