//! A relay that can no longer be verified: its children get their next parent
//! before the old edge ends.
#![allow(clippy::unwrap_used, missing_docs)]

use overlay::planner::{Action, Config, EdgeFault, Peer, Planner, Relay};
use wire::{OrderId, Stripe};

const STATION: u32 = 0;
const RELAY: u32 = 1;
const SPONSOR: u32 = 9;

/// What is done, in short.
#[derive(Debug, PartialEq, Eq)]
enum Done {
    /// Child, new parent, and the one that goes on meanwhile.
    Attach(u32, u32, Option<u32>),
    /// Child, parent.
    Detach(u32, u32),
    Orphaned(u32),
}

fn done(planner: &mut Planner<u32>) -> Vec<Done> {
    let mut all = Vec::new();
    while let Some(action) = planner.poll_action() {
        match action {
            Action::Attach {
                child,
                parent,
                replaces,
                ..
            } => all.push(Done::Attach(child, parent, replaces)),
            Action::Detach { child, parent, .. } => all.push(Done::Detach(child, parent)),
            Action::Orphaned { node } => all.push(Done::Orphaned(node)),
            _ => {}
        }
    }
    all
}

/// A relay at the station's only slot with one child, all edges up.
fn relay_with_child(child: u32) -> Planner<u32> {
    let mut planner = Planner::new(STATION, 1, Config::default(), 7);
    let relay = Relay {
        sponsor: SPONSOR,
        order: OrderId([1; 32]),
        edges: 4,
        lease_end_ms: 3_600_000,
    };
    planner.relay_admitted(0, RELAY, relay).unwrap();
    planner.join(1, child, Peer::default()).unwrap();
    planner.edge_up(RELAY, STATION, Stripe(0));
    planner.edge_up(child, RELAY, Stripe(0));
    assert_eq!(
        done(&mut planner),
        [
            Done::Attach(RELAY, STATION, None),
            Done::Attach(child, RELAY, None)
        ]
    );
    planner
}

#[test]
fn the_next_parent_delivers_before_the_old_edge_ends() {
    let mut planner = relay_with_child(2);
    planner.claim(2, STATION, 2).unwrap();
    planner.edge_doubted(3, 2, RELAY);
    assert_eq!(
        done(&mut planner),
        [Done::Attach(2, STATION, Some(RELAY))],
        "the old edge goes on"
    );
    planner.edge_up(2, STATION, Stripe(0));
    assert_eq!(done(&mut planner), [Done::Detach(2, RELAY)]);
}

#[test]
fn without_a_place_the_old_edge_goes_on_until_the_child_ends_it() {
    let mut planner = relay_with_child(2);
    planner.edge_doubted(2, 2, RELAY);
    assert_eq!(done(&mut planner), [], "nothing better is known");
    planner.edge_failed(9_000, 2, RELAY, EdgeFault::Refused);
    let last = done(&mut planner);
    assert!(last.contains(&Done::Orphaned(2)), "{last:?}");
}

#[test]
fn a_place_that_comes_free_meanwhile_is_taken() {
    let mut planner = relay_with_child(2);
    planner.edge_doubted(2, 2, RELAY);
    assert_eq!(done(&mut planner), []);
    planner.claim(5_000, STATION, 2).unwrap();
    assert_eq!(done(&mut planner), [Done::Attach(2, STATION, Some(RELAY))]);
}

#[test]
fn a_doubt_that_the_child_never_acted_on_is_forgotten() {
    let mut planner = relay_with_child(2);
    planner.edge_doubted(2, 2, RELAY);
    planner.tick(20_000);
    planner.claim(20_001, STATION, 2).unwrap();
    assert_eq!(done(&mut planner), []);
}

#[test]
fn a_child_is_not_sent_back_to_the_relay_that_it_doubts() {
    let mut planner = relay_with_child(2);
    planner.claim(2, STATION, 2).unwrap();
    planner.edge_doubted(3, 2, RELAY);
    planner.edge_up(2, STATION, Stripe(0));
    planner.edge_failed(4, 2, STATION, EdgeFault::Unreachable);
    planner.claim(5, STATION, 1).unwrap();
    assert_ne!(planner.node(2).unwrap().parents, [Some(RELAY)]);
}

#[test]
fn stale_and_strange_doubts_change_nothing() {
    let mut planner = relay_with_child(2);
    planner.claim(2, STATION, 2).unwrap();
    planner.edge_doubted(3, 2, STATION);
    planner.edge_doubted(3, 77, RELAY);
    planner.edge_doubted(3, 2, 77);
    planner.relay_doubted(3, 2);
    assert_eq!(done(&mut planner), []);
}

#[test]
fn the_children_of_a_relay_that_the_coordinator_doubts_move_before_it_is_lost() {
    let mut planner = relay_with_child(2);
    planner.join(2, 3, Peer::default()).unwrap();
    planner.edge_up(3, RELAY, Stripe(0));
    planner.claim(3, STATION, 3).unwrap();
    assert_eq!(done(&mut planner), [Done::Attach(3, RELAY, None)]);
    planner.relay_doubted(4, RELAY);
    assert_eq!(
        done(&mut planner),
        [
            Done::Attach(2, STATION, Some(RELAY)),
            Done::Attach(3, STATION, Some(RELAY))
        ]
    );
    planner.edge_up(2, STATION, Stripe(0));
    planner.edge_up(3, STATION, Stripe(0));
    planner.lost(5, RELAY).unwrap();
    let last = done(&mut planner);
    assert!(
        !last.iter().any(|d| matches!(d, Done::Orphaned(_))),
        "{last:?}"
    );
}
