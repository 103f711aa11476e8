//! The paper's order of asking (section 2.2): the affected, then the other
//! leaves, then inner peers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use overlay::planner::{Action, Config, NodeView, Peer, Planner};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use wire::message::control::{Choice, NodeKind};
use wire::statement::{Cause, Step};

const STATION: u32 = 0;

proptest! {
    #[test]
    fn at_a_join_the_order_is_kept(
        leaves in 1u32..30,
        inner in 1u32..4,
        seed in any::<u64>(),
    ) {
        // `inner` peers feed `leaves` leaves, and one more joins.
        let mut planner = Planner::new(STATION, inner, Config::default(), seed);
        for node in 1..=inner {
            let fed = leaves / inner + u32::from(node <= leaves % inner);
            planner.join(0, node, Peer { edges: fed, ..Peer::default() }).unwrap();
        }
        for node in 0..leaves {
            planner.join(1, 100 + node, Peer::default()).unwrap();
        }
        planner.join(2, 999, Peer::default()).unwrap();
        let mut order = Vec::new();
        let mut refused = false;
        while let Some(action) = planner.poll_action() {
            match action {
                Action::Ask { to, question, .. } => {
                    order.push((question.step, to));
                    planner.answer(3, question.ask, to, Choice::Decline).unwrap();
                }
                Action::Refuse { node, .. } => {
                    assert_eq!(node, 999);
                    refused = true;
                }
                _ => {}
            }
        }
        prop_assert!(refused);
        prop_assert_eq!(order[0], (Step::Affected, 999));
        prop_assert!(order.is_sorted_by_key(|(step, _)| *step));
        let leaf = order.iter().filter(|(s, _)| *s == Step::Leaves);
        let leaf: BTreeSet<u32> = leaf.map(|(_, n)| *n).collect();
        let idle = (1..=inner).filter(|n| leaves / inner + u32::from(*n <= leaves % inner) == 0);
        let expected: BTreeSet<u32> = (100..100 + leaves).chain(idle).collect();
        prop_assert_eq!(leaf, expected);
        prop_assert_eq!(order.len() as u32, 1 + leaves + inner);
    }

    #[test]
    fn at_a_leave_the_order_is_kept(
        orphans in 2u32..20,
        others in 0u32..20,
        inner in 1u32..4,
        seed in any::<u64>(),
    ) {
        // Peer 1 feeds `orphans` leaves, `inner` peers feed `others`; it leaves,
        // and its place at the station is one for all who hung under it.
        let mut planner = Planner::new(STATION, 1 + inner, Config::default(), seed);
        let feeds = |node: u32| others / inner + u32::from(node - 2 < others % inner);
        for node in 1..=1 + inner {
            let edges = if node == 1 { orphans } else { feeds(node) };
            planner.join(0, node, Peer { edges, ..Peer::default() }).unwrap();
        }
        for node in 0..orphans + others {
            planner.join(1, 100 + node, Peer::default()).unwrap();
        }
        planner.leave(2, 1).unwrap();
        let view = planner.view();
        let named = |pick: fn(&NodeView<u32>) -> bool| -> BTreeSet<u32> {
            let peers = view.iter().filter(|v| v.kind == NodeKind::Peer);
            peers.filter(|v| pick(v)).map(|v| v.node).collect()
        };
        let mut asked: BTreeMap<Step, BTreeSet<u32>> = BTreeMap::new();
        let mut steps = Vec::new();
        let mut refused = BTreeSet::new();
        while let Some(action) = planner.poll_action() {
            match action {
                Action::Ask { to, question, .. } => {
                    prop_assert_eq!(question.cause, Cause::Leave);
                    steps.push(question.step);
                    asked.entry(question.step).or_default().insert(to);
                    planner.answer(3, question.ask, to, Choice::Decline).unwrap();
                }
                Action::Refuse { node, .. } => {
                    refused.insert(node);
                }
                _ => {}
            }
        }
        let affected = named(|v| v.waiting);
        prop_assert_eq!(affected.len() as u32, orphans - 1);
        prop_assert!(steps.is_sorted(), "{:?}", steps);
        let of = |step| asked.get(&step).cloned().unwrap_or_default();
        prop_assert_eq!(of(Step::Affected), affected.clone());
        prop_assert_eq!(of(Step::Leaves), named(|v| !v.waiting && v.edges_used == 0));
        prop_assert_eq!(of(Step::Inner), named(|v| v.edges_used > 0));
        prop_assert_eq!(refused, affected);
    }
}
