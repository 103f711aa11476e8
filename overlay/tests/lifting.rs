//! Nearer to the root while time passes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod stripes;

use overlay::planner::{Config, Peer, Planner, Relay};
use stripes::{STATION, all_work};
use wire::{OrderId, Stripes};

/// A planner of which all edges work at once.
struct Tree {
    planner: Planner<u32>,
    now_ms: u64,
    /// Edges that were made.
    made: u32,
}

impl Tree {
    fn new(edges: u32, config: Config) -> Self {
        Self {
            planner: Planner::new(STATION, edges, config, 7),
            now_ms: 0,
            made: 0,
        }
    }

    fn join(&mut self, node: u32, edges: u32) {
        let peer = Peer {
            edges,
            ..Peer::default()
        };
        self.planner.join(self.now_ms, node, peer).unwrap();
        self.run();
    }

    fn claim(&mut self, node: u32, edges: u32) {
        self.planner.claim(self.now_ms, node, edges).unwrap();
        self.run();
    }

    /// Ticks as the coordinator's clock does.
    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 50 {
            self.now_ms += 50;
            self.planner.tick(self.now_ms);
            self.run();
        }
    }

    fn run(&mut self) {
        self.made += all_work(&mut self.planner);
    }

    fn depth(&self, node: u32) -> u32 {
        self.planner.node(node).unwrap().depth.unwrap()
    }

    fn deepest(&self) -> u32 {
        let view = self.planner.view();
        view.iter().filter_map(|v| v.depth).max().unwrap()
    }
}

/// A chain of weak ones, with one at its end who turns out to be strong.
fn chain(config: Config) -> Tree {
    let mut tree = Tree::new(1, config);
    for node in 1..=4 {
        tree.join(node, 1);
    }
    assert_eq!(tree.depth(4), 4);
    tree.claim(4, 6);
    for node in 5..=7 {
        tree.join(node, 0);
    }
    tree
}

#[test]
fn who_is_proven_strong_later_moves_up_and_all_below_with_him() {
    let mut tree = chain(Config::default());
    let before = tree.deepest();
    tree.pass(5_000);
    assert!(tree.depth(4) < 4, "{}", tree.depth(4));
    assert!(tree.deepest() < before, "{} of {before}", tree.deepest());
    let made = tree.made;
    tree.pass(60_000);
    assert_eq!(tree.made, made, "then nobody moves any more");
}

#[test]
fn without_lifting_he_stays_where_he_was_seated() {
    let mut tree = chain(Config {
        lifts_max: 0,
        ..Config::default()
    });
    tree.pass(5_000);
    assert_eq!(tree.depth(4), 4);
}

#[test]
fn the_deepest_take_places_that_fall_free_above() {
    for lifts_max in [0, 2] {
        let mut tree = Tree::new(
            1,
            Config {
                lifts_max,
                ..Config::default()
            },
        );
        for node in 1..=5 {
            tree.join(node, 1);
        }
        // The first one can feed two more, now that it is too late.
        tree.claim(1, 3);
        tree.pass(2_000);
        let depth = if lifts_max == 0 { 5 } else { 3 };
        assert_eq!(tree.deepest(), depth, "{lifts_max} at a time");
    }
}

/// An audience at 4+1 with a few sponsors among it, whose relays came last.
fn with_relays(lifts_max: u32) -> Tree {
    let config = Config {
        stripes: Stripes::new(4, 1).unwrap(),
        lifts_max,
        ..Config::default()
    };
    let mut tree = Tree::new(40, config);
    for node in 1..=300 {
        tree.join(node, 10 * (node % 3));
    }
    for sponsor in (30..=300).step_by(30) {
        let relay = Relay {
            sponsor,
            order: OrderId([0; 32]),
            edges: 30,
            lease_end_ms: 3_600_000,
        };
        let now_ms = tree.now_ms;
        let node = 1_000 + sponsor;
        tree.planner.relay_admitted(now_ms, node, relay).unwrap();
        tree.run();
    }
    tree
}

#[test]
fn relays_come_up_for_their_sponsors_who_stay_directly_below_them() {
    let mut depths = Vec::new();
    for lifts_max in [0, 2] {
        let mut tree = with_relays(lifts_max);
        tree.pass(20_000);
        depths.push(tree.deepest());
        for sponsor in (30..=300).step_by(30) {
            let view = tree.planner.node(sponsor).unwrap();
            let own = view.parents.iter().all(|p| *p == Some(1_000 + sponsor));
            assert!(own, "{view:?}");
        }
        let made = tree.made;
        tree.pass(60_000);
        assert_eq!(tree.made, made, "then nobody moves any more");
    }
    assert!(depths[1] < depths[0], "{depths:?}");
}
