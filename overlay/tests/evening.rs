//! The evening of the paper's figure 1, step by step.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use overlay::planner::{Action, Answered, Config, Peer, Planner, Relay};
use wire::message::control::Choice;
use wire::statement::{Cause, Priority, Step};
use wire::{OrderId, Stripe};

const S: &str = "S";
const HOUR_MS: u64 = 3_600_000;

struct Evening {
    planner: Planner<&'static str>,
    actions: Vec<Action<&'static str>>,
}

impl Evening {
    fn new() -> Self {
        let config = Config {
            ask_deadline_ms: 3_000,
            ask_interval_ms: 1_000,
            ..Config::default()
        };
        Self {
            planner: Planner::new(S, 2, config, 7),
            actions: Vec::new(),
        }
    }

    fn join(&mut self, now_ms: u64, node: &'static str, edges: u32) {
        let peer = Peer {
            edges,
            ..Peer::default()
        };
        self.planner.join(now_ms, node, peer).unwrap();
        self.run();
    }

    fn relay(&mut self, now_ms: u64, node: &'static str, sponsor: &'static str) {
        let relay = Relay {
            sponsor,
            order: OrderId([9; 32]),
            edges: 4,
            lease_end_ms: now_ms + HOUR_MS,
        };
        self.planner.relay_admitted(now_ms, node, relay).unwrap();
        self.run();
    }

    /// Does what the planner wants: every edge works at once, parents first.
    fn run(&mut self) {
        while let Some(action) = self.planner.poll_action() {
            if let Action::Attach {
                stripe,
                child,
                parent,
                ..
            } = action
            {
                self.planner.edge_up(child, parent, stripe);
            }
            self.actions.push(action);
        }
    }

    fn answer(&mut self, now_ms: u64, node: &'static str, choice: Choice) -> Answered {
        let ask = self
            .actions
            .iter()
            .rev()
            .find_map(|a| match a {
                Action::Ask { to, question, .. } if *to == node => Some(question.ask),
                _ => None,
            })
            .unwrap();
        let answered = self.planner.answer(now_ms, ask, node, choice).unwrap();
        self.run();
        answered
    }

    fn parents(&self, pairs: &[(&'static str, &'static str)]) {
        for (child, parent) in pairs {
            let found = self.planner.node(child).unwrap();
            assert_eq!(found.parents, [Some(*parent)], "parent of {child}");
            assert_eq!(found.fed, 1, "{child} is fed");
        }
    }

    fn asked(&self, step: Step, cause: Cause) -> Vec<&'static str> {
        let mut asked: Vec<_> = self
            .actions
            .iter()
            .filter_map(|a| match a {
                Action::Ask { to, question, .. }
                    if question.step == step && question.cause == cause =>
                {
                    Some(*to)
                }
                _ => None,
            })
            .collect();
        asked.sort_unstable();
        asked
    }

    fn has(&self, wanted: impl Fn(&Action<&'static str>) -> bool) -> bool {
        self.actions.iter().any(wanted)
    }
}

fn until_grant_of_b() -> Evening {
    let mut e = Evening::new();
    e.join(0, "A", 0);
    e.join(1, "B", 1);
    e.join(2, "C", 0);
    e.parents(&[("A", S), ("B", S), ("C", "B")]);
    e.join(3, "D", 0);
    assert!(e.has(|a| matches!(
        a,
        Action::CapacityShort {
            cause: Cause::Join,
            deficit_edges: 1,
            viewers_short: 1
        }
    )));
    assert_eq!(e.asked(Step::Affected, Cause::Join), ["D"]);
    assert!(e.asked(Step::Leaves, Cause::Join).is_empty());
    e.answer(100, "D", Choice::Decline);
    assert_eq!(e.asked(Step::Leaves, Cause::Join), ["A", "C"]);
    e.answer(200, "A", Choice::Decline);
    assert!(e.asked(Step::Inner, Cause::Join).is_empty());
    assert_eq!(e.planner.next_deadline_ms(), Some(3_100));
    e.planner.tick(3_099);
    e.run();
    assert!(e.asked(Step::Inner, Cause::Join).is_empty());
    e.planner.tick(3_100);
    e.run();
    assert!(e.has(|a| matches!(a, Action::TimedOut { to: "C", .. })));
    assert_eq!(e.asked(Step::Inner, Cause::Join), ["B"]);
    assert!(e.planner.node("D").unwrap().waiting);
    assert!(matches!(
        e.answer(3_200, "B", Choice::Accept),
        Answered::Granted(_)
    ));
    assert!(e.has(|a| matches!(a, Action::Grant { to: "B", .. })));
    e
}

#[test]
fn the_evening_comes_out_as_in_the_paper() {
    let mut e = until_grant_of_b();
    e.actions.clear();
    e.relay(4_000, "R1", "B");
    e.parents(&[("R1", S), ("A", S), ("B", "R1"), ("C", "B"), ("D", "R1")]);
    assert!(e.has(|a| matches!(
        a,
        Action::Attach {
            child: "B",
            parent: "R1",
            priority: Priority::OwnSponsor,
            replaces: Some(S),
            ..
        }
    )));
    e.join(4_500, "E", 0);
    e.parents(&[("E", "R1")]);
    assert_eq!(e.planner.node("E").unwrap().depth, Some(2));

    e.actions.clear();
    e.planner.lost(20_000, "R1").unwrap();
    e.run();
    e.parents(&[("A", S), ("B", S), ("C", "B")]);
    assert!(e.has(|a| matches!(
        a,
        Action::CapacityShort {
            cause: Cause::Leave,
            deficit_edges: 2,
            viewers_short: 2
        }
    )));
    assert_eq!(e.asked(Step::Affected, Cause::Leave), ["D", "E"]);
    e.answer(20_100, "D", Choice::Accept);
    assert!(e.has(|a| matches!(a, Action::Grant { to: "D", .. })));
    assert!(e.has(|a| matches!(a, Action::NotNeeded { to: "E", .. })));
    assert!(e.asked(Step::Leaves, Cause::Leave).is_empty());

    e.relay(20_900, "R2", "D");
    e.parents(&[
        ("R2", S),
        ("B", S),
        ("C", "B"),
        ("A", "R2"),
        ("D", "R2"),
        ("E", "R2"),
    ]);
    assert!(!e.has(|a| matches!(a, Action::Refuse { .. })));
}

#[test]
fn an_ask_says_how_many_rounds_are_still_wanted() {
    const NAMES: [&str; 23] = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r",
        "s", "t", "u", "v", "w",
    ];
    let mut e = Evening::new();
    for (n, name) in (0..).zip(NAMES) {
        e.join(n, name, 0);
    }
    let wanted = |e: &Evening| {
        e.actions.iter().rev().find_map(|a| match a {
            Action::Ask { rounds_wanted, .. } => Some(*rounds_wanted),
            _ => None,
        })
    };
    // The third viewer was the first without a place: one round for one.
    assert_eq!(wanted(&e), Some(1));
    e.answer(100, "c", Choice::Decline);
    // A relay brings 20 slots and takes one, and 21 viewers wait.
    assert_eq!(wanted(&e), Some(2));
    e.answer(101, "d", Choice::Accept);
    e.actions.clear();
    // The others of the wave are late.
    e.planner.tick(3_200);
    e.run();
    assert_eq!(wanted(&e), Some(1), "one of the two is granted");
}

#[test]
fn an_old_edge_is_kept_until_the_new_path_delivers() {
    let mut e = until_grant_of_b();
    let relay = Relay {
        sponsor: "B",
        order: OrderId([9; 32]),
        edges: 4,
        lease_end_ms: HOUR_MS,
    };
    e.planner.relay_admitted(4_000, "R1", relay).unwrap();
    let mut wanted = Vec::new();
    while let Some(action) = e.planner.poll_action() {
        wanted.push(action);
    }
    let detached = |actions: &[Action<&str>]| {
        actions.iter().any(|a| {
            matches!(
                a,
                Action::Detach {
                    child: "B",
                    parent: S,
                    ..
                }
            )
        })
    };
    assert!(!detached(&wanted));
    // B reaches the relay before the relay has the stream.
    e.planner.edge_up("B", "R1", Stripe(0));
    assert_eq!(e.planner.poll_action(), None);
    e.planner.edge_up("R1", S, Stripe(0));
    let ended: Vec<_> = std::iter::from_fn(|| e.planner.poll_action()).collect();
    assert!(detached(&ended));
}

#[test]
fn without_anybody_willing_the_joiner_is_refused_and_the_others_stay() {
    let mut e = Evening::new();
    e.join(0, "A", 0);
    e.join(1, "B", 1);
    e.join(2, "C", 0);
    e.join(3, "D", 0);
    for node in ["D", "A", "C", "B"] {
        assert!(!e.has(|a| matches!(a, Action::Refuse { .. })));
        e.answer(4, node, Choice::Decline);
    }
    assert!(e.has(|a| matches!(
        a,
        Action::Refuse {
            node: "D",
            reason: wire::Reason::NoCapacity
        }
    )));
    assert!(e.planner.node("D").is_none());
    e.parents(&[("A", S), ("B", S), ("C", "B")]);
}

#[test]
fn a_failed_redemption_lets_the_asking_go_on() {
    let mut e = Evening::new();
    e.join(0, "A", 0);
    e.join(1, "B", 1);
    e.join(2, "C", 0);
    e.join(3, "D", 0);
    let Answered::Granted(question) = e.answer(4, "D", Choice::Accept) else {
        panic!("granted");
    };
    e.planner.redeem_failed(5, question.ask, "D").unwrap();
    e.run();
    assert_eq!(e.asked(Step::Leaves, Cause::Join), ["A", "C"]);
    assert_eq!(e.asked(Step::Affected, Cause::Join), ["D"]);
    assert!(e.planner.redeem_failed(6, question.ask, "D").is_err());
}

#[test]
fn a_grant_without_a_relay_expires() {
    let mut e = until_grant_of_b();
    assert_eq!(e.planner.next_deadline_ms(), Some(63_200));
    e.planner.tick(63_200);
    e.run();
    assert!(e.has(|a| matches!(a, Action::GrantExpired { to: "B", .. })));
    assert!(e.has(|a| matches!(a, Action::Refuse { node: "D", .. })));
}

#[test]
fn capacity_that_appears_cancels_the_asking() {
    let mut e = Evening::new();
    e.join(0, "A", 0);
    e.join(1, "B", 0);
    e.join(2, "C", 0);
    assert_eq!(e.asked(Step::Affected, Cause::Join), ["C"]);
    e.planner.leave(3, "A").unwrap();
    e.run();
    e.parents(&[("C", S)]);
    assert!(e.has(|a| matches!(a, Action::NotNeeded { to: "C", .. })));
    assert!(matches!(
        e.answer(4, "C", Choice::Accept),
        Answered::Late(_)
    ));
}

#[test]
fn a_decline_of_a_withdrawn_question_is_late() {
    let mut e = Evening::new();
    e.join(0, "A", 0);
    e.join(1, "B", 0);
    e.join(2, "C", 0);
    e.planner.leave(3, "A").unwrap();
    e.run();
    assert!(matches!(
        e.answer(4, "C", Choice::Decline),
        Answered::Late(_)
    ));
}

#[test]
fn who_said_never_is_not_asked_again() {
    let mut e = Evening::new();
    e.join(0, "A", 0);
    e.join(1, "B", 0);
    e.join(2, "C", 0);
    e.answer(3, "C", Choice::Decline);
    e.answer(4, "A", Choice::Never);
    e.answer(5, "B", Choice::Decline);
    e.actions.clear();
    e.join(60_000, "D", 0);
    e.answer(60_001, "D", Choice::Decline);
    assert_eq!(e.asked(Step::Leaves, Cause::Join), ["B"]);
}

#[test]
fn a_late_answer_keeps_the_voucher() {
    let mut e = Evening::new();
    e.join(0, "A", 0);
    e.join(1, "B", 0);
    e.join(2, "C", 0);
    e.planner.tick(3_002);
    e.run();
    assert!(matches!(
        e.answer(3_003, "C", Choice::Accept),
        Answered::Late(_)
    ));
    assert!(e.has(|a| matches!(a, Action::NotNeeded { to: "C", .. })));
    assert!(!e.has(|a| matches!(a, Action::Grant { .. })));
}

#[test]
fn a_strong_joiner_takes_a_leafs_place_instead_of_being_refused() {
    let mut e = Evening::new();
    e.join(0, "A", 0);
    e.join(1, "B", 0);
    e.join(2, "C", 2);
    e.parents(&[("C", S), ("A", S), ("B", "C")]);
    assert!(e.asked(Step::Affected, Cause::Join).is_empty());
}

#[test]
fn a_relay_only_member_hangs_under_station_and_relays_alone() {
    let mut e = Evening::new();
    e.join(0, "A", 3);
    e.join(1, "B", 3);
    let shy = Peer {
        relay_only: true,
        ..Peer::default()
    };
    e.planner.join(2, "C", shy).unwrap();
    e.run();
    assert!(e.planner.node("C").unwrap().waiting);
    e.answer(3, "C", Choice::Accept);
    e.relay(4, "R1", "C");
    e.parents(&[("R1", S), ("C", "R1")]);
}

#[test]
fn a_lower_relay_takes_the_place_of_a_lost_one() {
    let mut e = Evening::new();
    e.join(0, "A", 0);
    e.join(1, "B", 0);
    e.relay(2, "R1", "A");
    e.relay(3, "R2", "B");
    // The root has only relays: the third one hangs under a relay.
    e.join(4, "C", 0);
    e.relay(5, "R3", "C");
    e.parents(&[("R1", S), ("R2", S), ("C", "R3")]);
    let above = e.planner.node("R3").unwrap().parents[0].unwrap();
    assert!(above == "R1" || above == "R2");
    e.planner.lost(6, above).unwrap();
    e.run();
    e.parents(&[("R3", S), ("C", "R3")]);
    assert!(!e.has(|a| matches!(a, Action::Refuse { .. })));
    assert!(e.planner.view().iter().all(|v| !v.waiting));
}

#[test]
fn a_relay_with_little_lease_left_stays_off_the_root() {
    let mut e = Evening::new();
    e.join(0, "A", 0);
    e.join(1, "B", 0);
    e.relay(2, "R1", "A");
    e.join(3, "C", 0);
    let relay = Relay {
        sponsor: "B",
        order: OrderId([9; 32]),
        edges: 4,
        lease_end_ms: 60_000,
    };
    e.planner.relay_admitted(4, "R2", relay).unwrap();
    e.run();
    assert_eq!(e.planner.node("R2").unwrap().depth, Some(2));
    e.parents(&[("B", "R2")]);
}

#[test]
fn a_refused_edge_sends_the_child_elsewhere() {
    let mut e = Evening::new();
    e.join(0, "A", 1);
    e.join(1, "B", 1);
    e.planner.join(2, "C", Peer::default()).unwrap();
    let parent = e.planner.node("C").unwrap().parents[0].unwrap();
    e.planner
        .edge_failed(3, "C", parent, overlay::planner::EdgeFault::Refused);
    e.run();
    let other = e.planner.node("C").unwrap().parents[0].unwrap();
    assert_ne!(parent, other);
}

/// C under a peer, which is told, and whether C has been taken from it.
fn complaint(starved: bool) -> (Evening, &'static str, bool) {
    let mut e = Evening::new();
    e.join(0, "A", 1);
    e.join(1, "B", 1);
    e.join(2, "C", 0);
    let parent = e.planner.node("C").unwrap().parents[0].unwrap();
    if starved {
        // Its own edge broke a moment ago, and the next one is not up yet.
        let fault = overlay::planner::EdgeFault::Unreachable;
        e.planner.edge_failed(3, parent, S, fault);
        assert_eq!(e.planner.node(parent).unwrap().fed, 0);
    }
    e.planner.withheld(4, "C", parent, Stripe(0));
    e.run();
    let taken =
        e.has(|a| matches!(a, Action::Detach { child: "C", parent: from, .. } if *from == parent));
    (e, parent, taken)
}

#[test]
fn a_parent_that_is_fed_and_withholds_loses_its_child() {
    let (mut e, parent, taken) = complaint(false);
    assert!(taken);
    // It may have been an accident: who does it again is left for good.
    e.planner.withheld(5, "C", parent, Stripe(0));
    e.run();
    let found = e.planner.node("C").unwrap();
    assert!(found.fed == 1 && found.parents[0] != Some(parent));
}

#[test]
fn a_parent_that_has_nothing_itself_keeps_its_child() {
    let (e, parent, taken) = complaint(true);
    assert!(!taken);
    e.parents(&[(parent, S), ("C", parent)]);
}

#[test]
fn waves_grow_and_end_with_the_quota() {
    let mut planner: Planner<u32> = Planner::new(0, 100, Config::default(), 3);
    for node in 1..=100 {
        planner.join(0, node, Peer::default()).unwrap();
    }
    planner
        .join(
            1,
            101,
            Peer {
                never_ask: true,
                ..Peer::default()
            },
        )
        .unwrap();
    let wave = |planner: &mut Planner<u32>| -> Vec<(u32, wire::AskId)> {
        std::iter::from_fn(|| planner.poll_action())
            .filter_map(|a| match a {
                Action::Ask { to, question, .. } => Some((to, question.ask)),
                _ => None,
            })
            .collect()
    };
    let first = wave(&mut planner);
    assert_eq!(first.len(), 8);
    for (to, ask) in first {
        planner.answer(2, ask, to, Choice::Decline).unwrap();
    }
    let second = wave(&mut planner);
    assert_eq!(second.len(), 32);
    let (to, ask) = second[5];
    planner.answer(3, ask, to, Choice::Accept).unwrap();
    let rest: Vec<_> = std::iter::from_fn(|| planner.poll_action()).collect();
    let withdrawn = rest
        .iter()
        .filter(|a| matches!(a, Action::NotNeeded { .. }))
        .count();
    assert_eq!(withdrawn, 31);
}
