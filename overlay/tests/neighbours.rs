//! Who may pull from whom, while viewers come and go.
#![allow(clippy::unwrap_used)]

use overlay::planner::{Action, Config, Everybody, NeighbourChange, Neighbours, Peer, Planner};
use proptest::prelude::*;
use std::collections::BTreeSet;
use wire::Stripes;

type Links = BTreeSet<(u32, u32)>;

const STATION: u32 = 0;

struct World {
    planner: Planner<u32>,
    neighbours: Neighbours<u32>,
    links: Links,
    members: BTreeSet<u32>,
}

impl World {
    fn new(stripes: &str, edges: u32) -> Self {
        let config = Config {
            stripes: stripes.parse::<Stripes>().unwrap(),
            ..Config::default()
        };
        Self {
            planner: Planner::new(STATION, edges, config, 7),
            neighbours: Neighbours::new(7),
            links: Links::new(),
            members: BTreeSet::new(),
        }
    }

    fn join(&mut self, node: u32, edges: u32, relay_only: bool) {
        let peer = Peer {
            edges,
            never_ask: true,
            relay_only,
        };
        self.planner.join(0, node, peer).unwrap();
        self.neighbours.join(node);
        self.members.insert(node);
        self.tend();
    }

    fn leave(&mut self, node: u32) {
        if self.members.remove(&node) {
            self.planner.lost(0, node).unwrap();
            self.neighbours.leave(node);
            self.tend();
        }
    }

    fn tend(&mut self) {
        while let Some(action) = self.planner.poll_action() {
            if let Action::Refuse { node, .. } = action {
                self.members.remove(&node);
                self.neighbours.leave(node);
            }
        }
        self.neighbours.tend(&self.planner);
        while let Some(change) = self.neighbours.poll_change() {
            match change {
                NeighbourChange::Link { child, parent } => {
                    assert!(self.links.insert((child, parent)), "there already");
                }
                NeighbourChange::End { child, parent } => {
                    assert!(self.links.remove(&(child, parent)), "never there");
                }
            }
        }
    }

    fn of(&self, child: u32) -> usize {
        self.links.iter().filter(|(c, _)| *c == child).count()
    }

    /// Whether `top` is above `node` in some stripe.
    fn is_above(&self, top: u32, node: u32) -> bool {
        let count = self.planner.node(node).map_or(0, |n| n.parents.len());
        (0..count).any(|stripe| {
            let parent = |at: &u32| *self.planner.node(*at)?.parents.get(stripe)?;
            std::iter::successors(parent(&node), parent).any(|at| at == top)
        })
    }
}

#[derive(Debug, Clone)]
enum Step {
    Join { edges: u32, relay_only: bool },
    Leave(u32),
    Break(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u32..20, any::<bool>(), any::<bool>()).prop_map(|(edges, a, b)| Step::Join {
            edges,
            relay_only: a && b,
        }),
        1 => (1u32..60).prop_map(Step::Leave),
        1 => any::<usize>().prop_map(Step::Break),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn links_are_few_between_members_and_with_those_who_can(
        steps in prop::collection::vec(step(), 1..60),
        striped in any::<bool>(),
    ) {
        let mut world = World::new(if striped { "4+1" } else { "1+0" }, 40);
        let mut next = 1;
        let mut relay_only_members = BTreeSet::new();
        for step in steps {
            match step {
                Step::Join { edges, relay_only } => {
                    world.join(next, edges, relay_only);
                    if relay_only {
                        relay_only_members.insert(next);
                    }
                    next += 1;
                }
                Step::Leave(node) => world.leave(node),
                Step::Break(at) => {
                    let links: Vec<_> = world.links.iter().copied().collect();
                    if let Some((child, parent)) = links.get(at % links.len().max(1)) {
                        world.neighbours.broke(*child, *parent);
                        world.tend();
                        prop_assert!(!world.links.contains(&(*child, *parent)), "left for good");
                    }
                }
            }
            for (child, parent) in &world.links {
                prop_assert!(child != parent && *parent != STATION);
                prop_assert!(world.members.contains(child) && world.members.contains(parent));
                prop_assert!(!relay_only_members.contains(child), "he shows nobody his address");
                prop_assert!(!relay_only_members.contains(parent));
            }
            for member in &world.members {
                prop_assert!(world.of(*member) <= 3);
                let pullers = world.links.iter().filter(|(_, p)| p == member).count();
                prop_assert!(pullers <= 6);
            }
        }
    }
}

#[test]
fn in_a_large_audience_everybody_has_three_and_none_is_above_or_below() {
    let mut world = World::new("4+1", 40);
    for node in 1..=200 {
        world.join(node, 15, false);
    }
    for _ in 0..100 {
        world.tend();
    }
    let few = (1..=200).filter(|node| world.of(*node) < 3).count();
    assert_eq!(few, 0);
    let related = world.links.iter().filter(|(child, parent)| {
        world.is_above(*parent, *child) || world.is_above(*child, *parent)
    });
    assert_eq!(related.count(), 0);
}

#[test]
fn a_crowd_is_told_from_a_few_until_it_has_been_looked_at() {
    let mut world = World::new("4+1", 40);
    for node in 1..=3 {
        world.join(node, 15, false);
    }
    assert!(!world.neighbours.is_behind());
    for node in 4..=100 {
        world.neighbours.join(node);
    }
    assert!(world.neighbours.is_behind());
    for _ in 0..7 {
        world.tend();
    }
    assert!(!world.neighbours.is_behind());
}

#[test]
fn a_free_rider_pulls_and_nobody_pulls_from_him() {
    let mut world = World::new("1+0", 40);
    world.join(1, 0, false);
    world.join(2, 3, false);
    for _ in 0..3 {
        world.tend();
    }
    assert_eq!(world.links, Links::from([(1, 2)]));
}

/// What has changed since the last time, applied to the links that there were.
fn follow(everybody: &mut Everybody<u32>, links: &mut Links) {
    while let Some(change) = everybody.poll_change() {
        match change {
            NeighbourChange::Link { child, parent } => {
                assert!(links.insert((child, parent)), "there already");
            }
            NeighbourChange::End { child, parent } => {
                assert!(links.remove(&(child, parent)), "never there");
            }
        }
    }
}

#[test]
fn without_trees_all_pull_from_all_who_give_and_from_the_station() {
    let (mut everybody, mut links) = (Everybody::new(STATION), Links::new());
    // The first gives, the second does not, the third links to the station alone.
    for (node, links_to_viewers, gives) in [(1, true, true), (2, true, false), (3, false, true)] {
        assert!(everybody.join(node, links_to_viewers, gives));
    }
    follow(&mut everybody, &mut links);
    assert_eq!(links, Links::from([(1, 0), (2, 0), (3, 0), (2, 1)]));
    assert!(everybody.join(4, true, true));
    follow(&mut everybody, &mut links);
    assert!(
        [(4, 0), (4, 1), (1, 4), (2, 4)]
            .iter()
            .all(|l| links.contains(l))
    );
    assert_eq!(links.len(), 8);
    everybody.broke(1, 4);
    everybody.broke(2, STATION);
    follow(&mut everybody, &mut links);
    assert!(
        !links.contains(&(1, 4)) && links.contains(&(2, STATION)),
        "nobody is without it"
    );
    everybody.leave(1);
    follow(&mut everybody, &mut links);
    assert!(
        links
            .iter()
            .all(|(child, parent)| *child != 1 && *parent != 1)
    );
}

#[test]
fn without_trees_an_audience_is_small() {
    let mut everybody = Everybody::new(STATION);
    let admitted = (1..100)
        .filter(|node| everybody.join(*node, true, true))
        .count();
    assert_eq!(admitted, 16);
    everybody.leave(3);
    assert!(everybody.join(100, true, true));
}
