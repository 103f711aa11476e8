//! A plausible audience at 4+1: how much of the upload it uses before anybody
//! is asked, how many are guaranteed, how deep the trees are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use overlay::planner::{Action, Config, EdgeFault, NodeView, Peer, Planner, Relay};
use std::collections::BTreeMap;
use wire::message::control::NodeKind;
use wire::{OrderId, Stripes};

const STATION: u32 = 0;
const PER_SLOT: u32 = 5;

/// SplitMix64 (Steele et al., 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

struct Audience {
    planner: Planner<u32>,
    random: Random,
    next: u32,
    now_ms: u64,
    asks: u32,
    refused: u32,
}

impl Audience {
    fn new(slots: u32, seed: u64) -> Self {
        let stripes: Stripes = "4+1".parse().unwrap();
        let config = Config {
            stripes,
            ..Config::default()
        };
        Self {
            planner: Planner::new(STATION, slots * PER_SLOT, config, seed),
            random: Random(seed),
            next: 0,
            now_ms: 0,
            asks: 0,
            refused: 0,
        }
    }

    fn join(&mut self, slots: u64) -> u32 {
        self.next += 1;
        self.now_ms += 10;
        let edges = u32::try_from(slots).unwrap() * PER_SLOT;
        let peer = Peer {
            edges,
            ..Peer::default()
        };
        self.planner.join(self.now_ms, self.next, peer).unwrap();
        self.run();
        self.next
    }

    /// Every edge works at once.
    fn run(&mut self) {
        while let Some(action) = self.planner.poll_action() {
            match action {
                Action::Attach {
                    stripe,
                    child,
                    parent,
                    ..
                } => self.planner.edge_up(child, parent, stripe),
                Action::Ask { .. } => self.asks += 1,
                Action::Refuse { .. } => self.refused += 1,
                _ => {}
            }
        }
    }

    /// Time in which nobody comes or goes.
    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 50 {
            self.now_ms += 50;
            self.planner.tick(self.now_ms);
            self.run();
        }
    }

    fn share(&self) -> f64 {
        let (sure, all) = self.planner.guaranteed();
        f64::from(sure) / f64::from(all)
    }

    fn edges(&self) -> (u32, u32) {
        let view = self.planner.view();
        let sum = |of: fn(&NodeView<u32>) -> u32| view.iter().map(of).sum();
        (sum(|v| v.edges_used), sum(|v| v.edges))
    }

    fn depth(&self) -> u32 {
        self.planner
            .view()
            .iter()
            .filter_map(|v| v.depth)
            .max()
            .unwrap()
    }

    /// The depth of the best tree in which each peer feeds one stripe: as the
    /// planner divides them, the strongest of each stripe nearest the root.
    fn depth_best(&self) -> u32 {
        let view = self.planner.view();
        let mut by_stripe: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for v in view.iter().filter(|v| v.edges > 0 && v.node != STATION) {
            by_stripe
                .entry(self.feeds(v.node))
                .or_default()
                .push(v.edges);
        }
        let station = view.iter().find(|v| v.node == STATION).unwrap().edges / PER_SLOT;
        let viewers = u32::try_from(view.len()).unwrap() - 1;
        let depths = by_stripe.into_values().map(|mut edges| {
            edges.sort_unstable();
            let (mut left, mut places, mut depth) = (viewers, station, 0);
            while left > 0 && places > 0 {
                let seated = places.min(left);
                left -= seated;
                depth += 1;
                let keep = edges.len().saturating_sub(seated as usize);
                places = edges.split_off(keep).iter().sum();
            }
            depth
        });
        depths.max().unwrap()
    }

    /// The stripe in which the node has most children.
    fn feeds(&self, node: u32) -> usize {
        let mut children = [0; PER_SLOT as usize];
        for edge in self.planner.edges() {
            if edge.parent == node {
                children[usize::from(edge.stripe.0)] += 1;
            }
        }
        (0..children.len()).max_by_key(|s| children[*s]).unwrap()
    }
}

#[test]
fn of_an_audience_with_upload_enough_nearly_everybody_is_guaranteed() {
    for seed in 0..10 {
        let mut a = Audience::new(4, seed);
        for _ in 0..200 {
            let slots = a.random.below(4);
            a.join(slots);
        }
        let (share, depth, best) = (a.share(), a.depth(), a.depth_best());
        println!(
            "seed {seed}: guaranteed {share:.3}, depth {depth} (best {best}), asks {}, {:?}",
            a.asks,
            a.edges()
        );
        assert_eq!(a.refused, 0);
        assert!(share >= 0.9, "seed {seed}: {share}");
    }
}

/// A home evening: peers have two thirds of the upload that is needed, three
/// relays the rest.
fn with_relays(seed: u64) -> Audience {
    let mut a = Audience::new(2, seed);
    for joined in 0..60 {
        let slots = u64::from(a.random.below(3) > 0);
        let viewer = a.join(slots);
        if joined % 15 == 14 {
            let relay = Relay {
                sponsor: viewer,
                order: OrderId([1; 32]),
                edges: 40,
                lease_end_ms: 3_600_000,
            };
            a.planner
                .relay_admitted(a.now_ms, 1_000 + viewer, relay)
                .unwrap();
            a.run();
        }
    }
    println!("seed {seed}: guaranteed {:.3} before", a.share());
    for _ in 0..100 {
        a.now_ms += 1_000;
        a.planner.tick(a.now_ms);
        a.run();
    }
    a
}

#[test]
fn no_single_end_takes_more_than_one_stripe_from_most_once_there_is_room() {
    let mut shares = 0.0;
    for seed in 0..10 {
        let a = with_relays(seed);
        let (used, all) = a.edges();
        println!(
            "seed {seed}: guaranteed {:.3}, depth {}, asks {}, {used} of {all}",
            a.share(),
            a.depth(),
            a.asks
        );
        assert_eq!(a.refused, 0);
        shares += a.share();
    }
    assert!(shares >= 6.0, "{shares} of 10 audiences");
}

#[test]
fn the_upload_is_used_before_anybody_is_asked() {
    for seed in 0..10 {
        let mut a = Audience::new(2, seed);
        for _ in 0..150 {
            let slots = 1 + a.random.below(3);
            a.join(slots);
        }
        assert_eq!(a.asks, 0, "there is more than enough");
        let mut before = a.edges();
        // Free riders until it is used up.
        while a.asks == 0 && a.next < 2_000 {
            before = a.edges();
            a.join(0);
        }
        let (used, all) = before;
        println!(
            "seed {seed}: {} viewers, {used} of {all} edges, guaranteed {:.3}",
            a.next,
            a.share()
        );
        assert!(a.asks > 0);
        assert!(
            f64::from(used) >= 0.9 * f64::from(all),
            "seed {seed}: {used} of {all}"
        );
    }
}

#[test]
fn after_much_coming_and_going_the_trees_are_flat_and_the_guarantee_is_kept() {
    for seed in 0..5 {
        let mut a = Audience::new(4, seed);
        let mut members = Vec::new();
        for _ in 0..300 {
            let slots = a.random.below(4);
            members.push(a.join(slots));
        }
        for _ in 0..1_000 {
            let at = a.random.below(members.len() as u64) as usize;
            a.planner.lost(a.now_ms, members.swap_remove(at)).unwrap();
            a.run();
            let slots = a.random.below(4);
            members.push(a.join(slots));
        }
        a.pass(5_000);
        let (share, depth, best) = (a.share(), a.depth(), a.depth_best());
        println!("seed {seed}: guaranteed {share:.3}, depth {depth} (best {best})");
        assert_eq!((a.asks, a.refused), (0, 0));
        assert!(share >= 0.9, "seed {seed}: {share}");
        assert!(
            f64::from(depth) <= 1.3 * f64::from(best),
            "{depth} of {best}"
        );
    }
}

#[test]
fn a_part_that_loses_its_parent_moves_whole() {
    for seed in 0..10 {
        let mut a = Audience::new(4, seed);
        for _ in 0..200 {
            let slots = a.random.below(4);
            a.join(slots);
        }
        let inner: Vec<u32> = (1..=200)
            .filter(|n| {
                let view = a.planner.node(*n);
                view.is_some_and(|v| v.edges_used > 2 && v.parents.contains(&Some(STATION)))
            })
            .collect();
        let gone = inner[a.random.below(inner.len() as u64) as usize];
        let before = a.planner.edges();
        a.planner.lost(a.now_ms, gone).unwrap();
        a.run();
        let after = a.planner.edges();
        let orphan = |child: u32, stripe| {
            let mut edges = before.iter();
            edges.any(|e| (e.child, e.stripe, e.parent) == (child, stripe, gone))
        };
        // Whoever hangs below an orphan still hangs there, unless it is a leaf
        // that made room or went up to where the lost one was.
        let mut kept = 0;
        for edge in before.iter().filter(|e| orphan(e.parent, e.stripe)) {
            let child = (edge.child, edge.stripe);
            let inner = before.iter().any(|e| (e.parent, e.stripe) == child);
            let same = after
                .iter()
                .any(|e| (e.child, e.stripe, e.parent) == (edge.child, edge.stripe, edge.parent));
            assert!(same || !inner, "{edge:?} was torn off");
            kept += u32::from(same);
        }
        println!("seed {seed}: {kept} edges below orphans kept");
    }
}

/// Ten viewers, a relay of 40 edges, its sponsor.
fn with_relay() -> (Audience, u32, u32) {
    let mut a = Audience::new(2, 1);
    for _ in 0..10 {
        a.join(1);
    }
    let sponsor = a.join(0);
    let relay = Relay {
        sponsor,
        order: OrderId([1; 32]),
        edges: 40,
        lease_end_ms: 3_600_000,
    };
    a.planner.relay_admitted(a.now_ms, 999, relay).unwrap();
    a.run();
    (a, 999, sponsor)
}

#[test]
fn a_sponsor_hangs_under_his_relay_in_every_stripe() {
    let (a, relay, sponsor) = with_relay();
    let under = a.planner.node(sponsor).unwrap();
    assert_eq!(under.parents, vec![Some(relay); 5]);
    assert_eq!(under.fed, 5);
    assert!(!under.guaranteed, "the relay is one ancestor for all");
    let relay = a.planner.node(relay).unwrap();
    assert!(
        relay.parents.contains(&Some(STATION)),
        "near the root in its own"
    );
    assert_eq!(relay.fed, 5, "and in all for its sponsor");
    assert_eq!(relay.kind, NodeKind::Relay);
}

#[test]
fn the_link_of_a_pair_fails_in_all_its_stripes() {
    let (mut a, relay, sponsor) = with_relay();
    a.planner
        .edge_failed(a.now_ms, sponsor, relay, EdgeFault::Refused);
    a.run();
    let view = a.planner.node(sponsor).unwrap();
    assert!(!view.parents.contains(&Some(relay)), "{view:?}");
    assert_eq!(view.fed, 5, "there are other places");
}

#[test]
fn who_was_lost_and_is_back_has_no_standing_for_a_minute() {
    let near_root = |wait_ms: u64| {
        let mut a = Audience::new(2, 3);
        let strong = a.join(3);
        for _ in 0..8 {
            a.join(1);
        }
        a.planner.lost(a.now_ms, strong).unwrap();
        a.run();
        // A viewer for each place near the root, so that it must be won.
        for _ in 0..4 {
            a.join(0);
        }
        a.now_ms += wait_ms;
        let peer = Peer {
            edges: 3 * PER_SLOT,
            ..Peer::default()
        };
        a.planner.join(a.now_ms, strong, peer).unwrap();
        a.run();
        let view = a.planner.node(strong).unwrap();
        view.parents.contains(&Some(STATION))
    };
    assert!(
        !near_root(1_000),
        "a flapping node is not put near the root"
    );
    assert!(
        near_root(120_000),
        "who was away for long comes like anybody"
    );
}
