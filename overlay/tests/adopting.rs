//! A coordinator that was away takes the trees up as they are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod stripes;

use overlay::planner::{Action, Adopted, Config, Peer, Planner, Relay, Standing};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use stripes::{STATION, Trees};
use wire::{OrderId, Stripe, Stripes};

type Edge = (u8, u32, u32);

/// An evening up to the moment when its coordinator is gone.
struct Evening {
    planner: Planner<u32>,
    config: Config,
    edges: u32,
    members: BTreeMap<u32, Standing<u32>>,
}

fn config(stripes: Stripes) -> Config {
    Config {
        stripes,
        ..Config::default()
    }
}

impl Evening {
    /// Members by (slots, loose edges, what); a relay is paid for by the last
    /// viewer before it.
    fn play(stripes: Stripes, slots: u32, members: &[(u32, u32, u8)]) -> Self {
        let count = u32::from(stripes.count());
        let edges = slots * count;
        let mut evening = Self {
            planner: Planner::new(STATION, edges, config(stripes), 7),
            config: config(stripes),
            edges,
            members: BTreeMap::new(),
        };
        for (node, (slots, loose, what)) in (1u32..).zip(members) {
            evening.enter(node, slots * count + loose, *what);
            evening.drain();
        }
        evening
    }

    fn enter(&mut self, node: u32, edges: u32, what: u8) {
        let now_ms = u64::from(node) * 100;
        let sponsor = self.members.iter().rev();
        let mut sponsor = sponsor.filter(|(_, s)| matches!(s, Standing::Peer(_)));
        match (what, sponsor.next()) {
            (0, Some((sponsor, _))) => {
                let relay = Relay {
                    sponsor: *sponsor,
                    order: OrderId([1; 32]),
                    edges: edges + 4,
                    lease_end_ms: 3_600_000,
                };
                self.planner.relay_admitted(now_ms, node, relay).unwrap();
                self.members.insert(node, Standing::Relay(relay));
            }
            _ => {
                let peer = Peer {
                    edges,
                    never_ask: true,
                    relay_only: what == 1,
                };
                self.planner.join(now_ms, node, peer).unwrap();
                self.members.insert(node, Standing::Peer(peer));
            }
        }
    }

    /// Every edge comes up at once.
    fn drain(&mut self) {
        while let Some(action) = self.planner.poll_action() {
            match action {
                Action::Attach {
                    stripe,
                    child,
                    parent,
                    ..
                } => self.planner.edge_up(child, parent, stripe),
                Action::Refuse { node, .. } => {
                    self.members.remove(&node);
                }
                _ => {}
            }
        }
    }

    /// Its members as their coordinator knew them, without those `gone`.
    fn adopted(&self, gone: &BTreeSet<u32>) -> Vec<Adopted<u32>> {
        let members = self.members.iter().filter(|(node, _)| !gone.contains(node));
        let one = |(node, standing): (&u32, &Standing<u32>)| Adopted {
            node: *node,
            standing: *standing,
            parents: self.held(*node, false),
        };
        members.map(one).collect()
    }

    /// Who brings the node what; without the station, which was away.
    fn held(&self, node: u32, without_station: bool) -> Vec<(Stripe, u32)> {
        let view = self.planner.node(node).unwrap();
        let parents = (0..).map(Stripe).zip(&view.parents);
        let parents = parents.filter_map(|(s, parent)| Some((s, (*parent)?)));
        parents
            .filter(|(_, p)| !without_station || *p != STATION)
            .collect()
    }

    fn next(&self) -> Planner<u32> {
        Planner::new(STATION, self.edges, self.config, 7)
    }
}

fn planned(planner: &Planner<u32>) -> BTreeSet<Edge> {
    let edges = planner.edges().into_iter().filter(|e| !e.old);
    edges.map(|e| (e.stripe.0, e.parent, e.child)).collect()
}

/// What was attached and what was ended, by the actions.
fn actions(planner: &mut Planner<u32>) -> (BTreeSet<Edge>, BTreeSet<Edge>) {
    let (mut attached, mut ended) = (BTreeSet::new(), BTreeSet::new());
    while let Some(action) = planner.poll_action() {
        match action {
            Action::Attach {
                stripe,
                child,
                parent,
                ..
            } => {
                attached.insert((stripe.0, parent, child));
            }
            Action::Detach {
                stripe,
                child,
                parent,
            } => {
                ended.insert((stripe.0, parent, child));
            }
            _ => {}
        }
    }
    (attached, ended)
}

fn check(planner: &Planner<u32>, stripes: Stripes) {
    let trees = Trees::new(planner, stripes);
    for v in trees.nodes.values() {
        trees.check_node(v);
    }
}

fn shape() -> impl Strategy<Value = Stripes> {
    let shapes = ["1+0", "4+1", "2+1", "3+0"];
    prop::sample::select(shapes.to_vec()).prop_map(|text| text.parse().unwrap())
}

fn members() -> impl Strategy<Value = Vec<(u32, u32, u8)>> {
    prop::collection::vec((0u32..4, 0u32..3, 0u8..8), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// All come back with what they had: no edge but the station's is made,
    /// none is ended, and the plan is the one of before.
    #[test]
    fn nothing_that_works_is_cut_or_made_again(
        stripes in shape(), slots in 1u32..5, members in members(),
    ) {
        let evening = Evening::play(stripes, slots, &members);
        let before = planned(&evening.planner);
        let mut next = evening.next();
        next.adopt(100_000, &evening.adopted(&BTreeSet::new()));
        let (attached, ended) = actions(&mut next);
        let stations: BTreeSet<Edge> =
            before.iter().filter(|(_, parent, _)| *parent == STATION).copied().collect();
        prop_assert_eq!(&attached, &stations);
        prop_assert!(ended.is_empty(), "{:?} ended", ended);
        prop_assert_eq!(&planned(&next), &before);
        check(&next, stripes);
        for node in evening.members.keys() {
            let foreign = next.returned(100_000, *node, &evening.held(*node, true));
            prop_assert_eq!(foreign, Vec::new());
        }
        let (attached, ended) = actions(&mut next);
        prop_assert!(attached.is_subset(&stations), "{:?} made again", attached);
        prop_assert!(ended.is_empty(), "{:?} ended", ended);
        check(&next, stripes);
    }

    /// Some never come back: what did not hang on them flows on until they
    /// count as lost, and everybody is in the trees or waits afterwards.
    #[test]
    fn who_does_not_come_back_takes_nothing_else_along(
        stripes in shape(), slots in 1u32..5, members in members(),
        gone in prop::collection::btree_set(1u32..40, 0..4),
    ) {
        let evening = Evening::play(stripes, slots, &members);
        let mut next = evening.next();
        next.adopt(100_000, &evening.adopted(&BTreeSet::new()));
        let gone: BTreeSet<u32> =
            gone.into_iter().filter(|n| evening.members.contains_key(n)).collect();
        for node in evening.members.keys().filter(|n| !gone.contains(n)) {
            next.returned(100_000, *node, &evening.held(*node, true));
        }
        let (_, ended) = actions(&mut next);
        prop_assert!(ended.is_empty(), "{:?} ended before anybody was lost", ended);
        for node in &gone {
            // Who waits for a place may have been refused before.
            if next.node(*node).is_some() {
                next.lost(110_000, *node).unwrap();
            }
            check(&next, stripes);
        }
        let there: BTreeSet<u32> = next.view().into_iter().map(|v| v.node).collect();
        prop_assert!(there.is_disjoint(&gone));
    }

    /// Members that nobody knows any more leave their children waiting with
    /// all that hangs below them, and never in a loop.
    #[test]
    fn an_edge_to_somebody_unknown_is_not_taken_on(
        stripes in shape(), slots in 1u32..5, members in members(),
        gone in prop::collection::btree_set(1u32..40, 0..4),
    ) {
        let evening = Evening::play(stripes, slots, &members);
        let mut next = evening.next();
        next.adopt(100_000, &evening.adopted(&gone));
        check(&next, stripes);
        let edges = planned(&next);
        prop_assert!(edges.iter().all(|(_, p, c)| !gone.contains(p) && !gone.contains(c)));
    }
}

fn peer(edges: u32) -> Standing<u32> {
    Standing::Peer(Peer {
        edges,
        never_ask: true,
        relay_only: false,
    })
}

fn adopted(node: u32, edges: u32, parent: u32) -> Adopted<u32> {
    Adopted {
        node,
        standing: peer(edges),
        parents: vec![(Stripe(0), parent)],
    }
}

#[test]
fn a_loop_is_not_taken_on_and_all_get_places() {
    let mut next = Planner::new(STATION, 4, config(Stripes::SINGLE), 7);
    next.adopt(0, &[adopted(1, 2, 2), adopted(2, 2, 1)]);
    check(&next, Stripes::SINGLE);
    assert!(next.view().iter().all(|v| v.depth.is_some()));
}

#[test]
fn who_is_away_gets_no_new_children_and_who_is_back_does() {
    let mut next = Planner::new(STATION, 1, config(Stripes::SINGLE), 7);
    next.adopt(0, &[adopted(1, 2, STATION)]);
    let free_rider = Peer {
        edges: 0,
        never_ask: true,
        relay_only: false,
    };
    next.join(10, 2, free_rider).unwrap();
    let waits = |planner: &Planner<u32>| planner.node(2).map(|v| v.parents[0]);
    assert_ne!(waits(&next), Some(Some(1)));
    next.returned(20, 1, &[]);
    if next.node(2).is_none() {
        next.join(30, 2, free_rider).unwrap();
    }
    assert_eq!(waits(&next), Some(Some(1)));
}

#[test]
fn an_edge_that_is_not_planned_is_named_and_one_that_is_missing_is_made() {
    let mut next = Planner::new(STATION, 2, config(Stripes::SINGLE), 7);
    next.adopt(
        0,
        &[
            adopted(1, 2, STATION),
            adopted(2, 2, STATION),
            adopted(3, 0, 1),
        ],
    );
    actions(&mut next);
    let foreign = next.returned(10, 3, &[(Stripe(0), 2)]);
    assert_eq!(foreign, [(Stripe(0), 2)]);
    let (attached, _) = actions(&mut next);
    assert_eq!(attached, BTreeSet::from([(0, 1, 3)]));
}

#[test]
fn a_relay_goes_on_to_feed_first_what_it_fed() {
    const RELAY: u32 = 10;
    let stripes: Stripes = "2+1".parse().unwrap();
    let mut next = Planner::new(STATION, 7, config(stripes), 7);
    let of = |node, standing, parents: [u32; 3]| Adopted {
        node,
        standing,
        parents: (0..).map(Stripe).zip(parents).collect(),
    };
    let relay = Relay {
        sponsor: 1,
        order: OrderId([1; 32]),
        edges: 12,
        lease_end_ms: 3_600_000,
    };
    let members = [
        of(RELAY, Standing::Relay(relay), [STATION; 3]),
        of(1, peer(0), [RELAY; 3]),
        of(2, peer(3), [STATION, STATION, RELAY]),
        of(3, peer(3), [STATION, STATION, RELAY]),
    ];
    next.adopt(0, &members);
    for member in &members {
        assert_eq!(next.returned(10, member.node, &member.parents), []);
    }
    // The station is full: he gets what is left of the others.
    let free_rider = Peer {
        never_ask: true,
        ..Peer::default()
    };
    next.join(20, 4, free_rider).unwrap();
    let parents = next.node(4).unwrap().parents;
    let from_relay: Vec<bool> = parents.iter().map(|p| *p == Some(RELAY)).collect();
    assert_eq!(from_relay, [false, false, true], "{parents:?}");
}
