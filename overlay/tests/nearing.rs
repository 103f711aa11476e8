//! Places by round trip: near among equals, and nothing else changes for it.
#![allow(clippy::unwrap_used, missing_docs)]

mod stripes;

use overlay::near::{Agreement, Coordinate, Lines};
use overlay::planner::{Config, Peer, Planner};
use proptest::prelude::*;
use std::collections::BTreeSet;
use stripes::{STATION, Trees, all_work};
use wire::Stripes;

const VIEWERS: u32 = 80;
/// From one tick to the next: as often as members are moved.
const TICK_MS: u64 = 250;

/// Who is in the far region; the station is in the near one.
fn is_far(node: u32) -> bool {
    node != STATION && node.is_multiple_of(2)
}

fn rtt_us(one: u32, other: u32) -> u64 {
    if is_far(one) == is_far(other) {
        10_000
    } else {
        120_000
    }
}

/// A planner of which all edges work at once.
struct Audience {
    planner: Planner<u32>,
    stripes: Stripes,
    now_ms: u64,
    /// Edges that were made.
    made: u32,
}

impl Audience {
    /// Viewers of two regions, as deep as the uplinks make them.
    fn new(nears_max: u32) -> Self {
        let stripes = Stripes::new(4, 1).unwrap();
        let config = Config {
            stripes,
            nears_max,
            ..Config::default()
        };
        let mut audience = Self {
            planner: Planner::new(STATION, 40, config, 7),
            stripes,
            now_ms: 0,
            made: 0,
        };
        for node in 1..=VIEWERS {
            let edges = if node.is_multiple_of(3) { 0 } else { 12 };
            let peer = Peer {
                edges,
                ..Peer::default()
            };
            audience.planner.join(audience.now_ms, node, peer).unwrap();
            audience.run();
        }
        audience.pass(5_000);
        audience
    }

    fn run(&mut self) {
        self.made += all_work(&mut self.planner);
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / TICK_MS {
            self.now_ms += TICK_MS;
            self.planner.tick(self.now_ms);
            self.run();
        }
    }

    /// Everybody measures everybody of a few, and the planner hears of it.
    fn measure(&mut self) {
        let mut lines = Lines::new(STATION, Agreement::default());
        for node in 1..=VIEWERS {
            lines.tell_own(node, rtt_us(STATION, node));
            let others = (1..=VIEWERS).filter(|o| (o + node) % 11 == 0);
            lines.tell(node, others.map(|o| (o, rtt_us(node, o))));
        }
        for _ in 0..100 {
            lines.step(1_000);
        }
        self.planner.locate(STATION, lines.at(STATION).unwrap());
        for node in 1..=VIEWERS {
            self.planner.locate(node, lines.at(node).unwrap());
        }
    }

    fn trees(&self) -> Trees {
        Trees::new(&self.planner, self.stripes)
    }

    /// Edges between the regions, and the mean round trip of a way in ms.
    fn ways(&self) -> (u32, u64) {
        let trees = self.trees();
        let (mut crossing, mut sum_us, mut ways) = (0, 0, 0);
        for node in 1..=VIEWERS {
            for s in 0..self.stripes.count() {
                let mut below = node;
                for above in trees.ancestors(node, s) {
                    if below == node {
                        crossing += u32::from(is_far(below) != is_far(above));
                    }
                    sum_us += rtt_us(below, above);
                    below = above;
                }
                ways += 1;
            }
        }
        (crossing, sum_us / ways / 1_000)
    }

    /// How deep they hang in all, and how many are guaranteed.
    fn shape(&self) -> (usize, u32) {
        let trees = self.trees();
        let all = (1..=VIEWERS).flat_map(|n| (0..self.stripes.count()).map(move |s| (n, s)));
        let depths = all.map(|(n, s)| trees.ancestors(n, s).len()).sum();
        (depths, self.planner.guaranteed().0)
    }
}

#[test]
fn near_parents_are_taken_among_equals_and_then_all_is_quiet() {
    let mut audience = Audience::new(2);
    audience.measure();
    let (before, shape) = (audience.ways(), audience.shape());
    audience.pass(240_000);
    let after = audience.ways();
    assert!(after.0 * 3 < before.0 * 2, "{before:?} to {after:?}");
    assert!(after.1 * 10 < before.1 * 9, "{before:?} to {after:?}");
    let (depths, guaranteed) = audience.shape();
    assert!(depths <= shape.0, "{depths} of {}", shape.0);
    assert!(guaranteed >= shape.1, "{guaranteed} of {}", shape.1);
    audience.made = 0;
    audience.pass(120_000);
    assert_eq!(audience.made, 0, "what is near stays where it is");
}

#[test]
fn while_more_urgent_orders_wait_nobody_is_moved_and_afterwards_they_are() {
    let mut audience = Audience::new(2);
    audience.measure();
    let before = (audience.ways(), audience.made);
    audience.planner.hold_nearing(true);
    audience.pass(60_000);
    assert_eq!((audience.ways(), audience.made), before);
    audience.planner.hold_nearing(false);
    audience.pass(60_000);
    assert!(audience.ways().1 < before.0.1, "{:?}", audience.ways());
}

#[test]
fn without_the_choice_the_ways_stay_as_long() {
    let mut audience = Audience::new(0);
    audience.measure();
    let before = audience.ways();
    audience.pass(240_000);
    let after = audience.ways();
    assert!(after.1 * 10 >= before.1 * 9, "{before:?} to {after:?}");
}

#[test]
fn who_comes_again_hangs_under_the_near_of_equals() {
    let mut audience = Audience::new(2);
    audience.measure();
    audience.pass(240_000);
    let trees = audience.trees();
    let parent = (1..=VIEWERS)
        .find(|n| is_far(*n) && trees.nodes.get(n).unwrap().edges_used > 4)
        .unwrap();
    let crossing = audience.ways().0;
    audience.planner.leave(audience.now_ms, parent).unwrap();
    audience.run();
    let trees = audience.trees();
    let nodes = (1..=VIEWERS).filter(|n| *n != parent);
    let now: u32 = nodes
        .flat_map(|n| (0..5).map(move |s| (n, s)))
        .filter_map(|(n, s)| Some((n, *trees.ancestors(n, s).first()?)))
        .map(|(n, p)| u32::from(is_far(n) != is_far(p)))
        .sum();
    assert!(now <= crossing + 6, "{crossing} to {now}");
}

#[test]
fn a_lossy_edge_is_left_for_a_place_as_good_and_not_taken_again() {
    let mut audience = Audience::new(2);
    let trees = audience.trees();
    let (child, parent) = (1..=VIEWERS)
        .find_map(|n| {
            Some((
                n,
                *trees.ancestors(n, 0).first().filter(|p| **p != STATION)?,
            ))
        })
        .unwrap();
    let (depths, guaranteed) = audience.shape();
    assert!(audience.planner.edge_lossy(child, parent));
    audience.run();
    audience.pass(10_000);
    let parents = audience.planner.node(child).unwrap().parents;
    let parents: BTreeSet<u32> = parents.into_iter().flatten().collect();
    assert!(!parents.contains(&parent));
    let after = audience.shape();
    assert!(after.0 <= depths + 2 && after.1 >= guaranteed.saturating_sub(1));
    assert!(!audience.planner.edge_lossy(child, parent), "it is over");
}

/// A place at a weak one is free as long as nobody comes, and half a millisecond
/// is noise: who hangs under a strong one stays there.
#[test]
fn who_would_fill_the_nearer_place_stays_with_the_stronger() {
    let mut planner = Planner::new(STATION, 2, Config::default(), 7);
    let (strong, weak, viewer) = (1, 2, 3);
    let mut join = |node, edges, us| {
        let peer = Peer {
            edges,
            ..Peer::default()
        };
        planner.locate(STATION, Coordinate::default());
        planner.join(0, node, peer).unwrap();
        planner.locate(node, told(us));
        all_work(&mut planner);
    };
    join(strong, 4, 1_500);
    join(weak, 1, 1_000);
    join(viewer, 0, 1_000);
    let parents = |planner: &Planner<u32>| planner.node(viewer).unwrap().parents;
    assert_eq!(parents(&planner), [Some(strong)]);
    for now_ms in (0..120_000).step_by(250) {
        planner.tick(now_ms);
        assert_eq!(all_work(&mut planner), 0, "at {now_ms} ms");
    }
    // Nor does who comes when all have been measured.
    planner.leave(120_000, viewer).unwrap();
    planner.join(120_000, viewer, Peer::default()).unwrap();
    all_work(&mut planner);
    assert_eq!(parents(&planner), [Some(strong)]);
}

/// A coordinate that somebody may have come to by lies.
fn anywhere() -> impl Strategy<Value = Vec<(u32, u64)>> {
    proptest::collection::vec((1..=VIEWERS, 1_000u64..2_000_000), 1..30)
}

fn told(us: u64) -> Coordinate {
    let mut lines = Lines::new(0u8, Agreement::default());
    lines.tell_own(1, us);
    for _ in 0..20 {
        lines.step(2);
    }
    lines.at(1).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Wherever liars make themselves appear, nobody hangs deeper, loses the
    /// guarantee or goes without a place for it, and all is quiet in the end.
    #[test]
    fn liars_change_nothing_but_the_way_among_equals(lies in anywhere()) {
        let mut audience = Audience::new(2);
        audience.measure();
        let (depths, guaranteed) = audience.shape();
        for (liar, us) in lies {
            audience.planner.locate(liar, told(us));
            audience.pass(1_000);
        }
        audience.pass(240_000);
        let after = audience.shape();
        prop_assert!(after.0 <= depths && after.1 >= guaranteed);
        prop_assert!(!audience.trees().lacking());
        // Some come to rest later than others, since each move has its pause.
        let is_quiet = (0..20).any(|_| {
            audience.made = 0;
            audience.pass(60_000);
            audience.made == 0
        });
        prop_assert!(is_quiet);
    }
}
