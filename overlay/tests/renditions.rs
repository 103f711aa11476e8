//! A child that moves to another rendition: the group under way to its end,
//! then the new one from a group's beginning.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Sent, Station, all, drain, give, headers, start};
use overlay::forwarder::{Config, Forwarder};
use wire::Rendition;
use wire::message::edge::Start;

const CHILD: u32 = 1;
const LATER_MS: u64 = 5_000;
const LOW: Rendition = Rendition(1);

type Node = Forwarder<bytes::Bytes, u32>;

/// A station with two renditions, and a child that gets the first chunk of the
/// best one.
fn begun() -> (Station, Station, Node) {
    let (mut top, mut low) = (Station::new(), Station::of(LOW));
    let mut node = Node::new(Config::default());
    for station in [&mut top, &mut low] {
        give(&mut node, &station.init());
        give(&mut node, &station.media(true));
    }
    node.add_child(CHILD, start(), all(), 0);
    assert_eq!(headers(&drain(&mut node, CHILD)), [0]);
    (top, low, node)
}

fn start_low() -> Start {
    Start {
        rendition: LOW,
        ..start()
    }
}

#[test]
fn the_group_under_way_comes_to_its_end_and_then_the_other_rendition() {
    let (mut top, mut low, mut node) = begun();
    node.retire_child(CHILD);
    node.add_child(CHILD, start_low(), all(), 0);
    for key in [false, false, true] {
        give(&mut node, &top.media(key));
        give(&mut node, &low.media(key));
    }
    let sent = drain(&mut node, CHILD);
    let end = sent.iter().position(|s| *s == Sent::End).unwrap();
    let (old, new) = sent.split_at(end);
    assert_eq!(headers(old), [1, 2]);
    assert!(matches!(new.get(1), Some(Sent::Group(_))), "{new:?}");
    assert!(new.contains(&Sent::Init(0)), "{new:?}");
    assert_eq!(headers(new), [3]);
}

#[test]
fn who_asks_for_nothing_else_gets_no_more_than_the_group_under_way() {
    let (mut top, _, mut node) = begun();
    node.retire_child(CHILD);
    for key in [false, true, false, true] {
        give(&mut node, &top.media(key));
    }
    assert_eq!(headers(&drain(&mut node, CHILD)), [1]);
    // What it is given leave for, it gets whenever it asks.
    node.add_child(CHILD, start_low(), all(), 0);
    assert_eq!(headers(&drain(&mut node, CHILD)), [0]);
}

#[test]
fn without_retirement_it_would_get_the_old_one_for_ever() {
    let (mut top, _, mut node) = begun();
    for key in [false, true, false, true] {
        give(&mut node, &top.media(key));
    }
    assert_eq!(headers(&drain(&mut node, CHILD)), [1, 2, 3, 4]);
}

#[test]
fn who_is_let_back_before_the_group_ends_loses_nothing() {
    let (mut top, _, mut node) = begun();
    node.retire_child(CHILD);
    node.add_child(CHILD, start_low(), all(), 0);
    node.add_child(CHILD, start(), all(), 0);
    for key in [false, true, false] {
        give(&mut node, &top.media(key));
    }
    assert_eq!(headers(&drain(&mut node, CHILD)), [1, 2, 3]);
}

#[test]
fn what_is_played_no_more_is_forgotten_unless_a_child_gets_it() {
    let (_, _, mut node) = begun();
    node.forget(Rendition(0), LATER_MS);
    assert_eq!(node.kept(Rendition(0)).len(), 1, "a child gets it");
    node.forget(LOW, 0);
    assert_eq!(node.kept(LOW).len(), 1, "it still comes");
    node.forget(LOW, LATER_MS);
    assert!(node.kept(LOW).is_empty());
    node.remove_child(CHILD);
    node.forget(Rendition(0), LATER_MS);
    assert!(node.kept(Rendition(0)).is_empty());
}
