//! Whatever happens to trees of k+m stripes, in whatever order: what holds
//! afterwards, worked out anew from the edges alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod stripes;

use overlay::planner::{Action, Config, EdgeFault, Peer, Planner, Question, Relay};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use stripes::{STATION, Trees};
use wire::message::control::{Choice, NodeKind};
use wire::{OrderId, Stripe, Stripes};

#[derive(Debug, Clone)]
enum Event {
    /// Slots and loose edges; whether he links to relays only.
    Join(u32, u32, bool),
    Leave(usize),
    Lost(usize),
    /// The last that was lost comes again.
    Again(u32),
    Claim(usize, u32),
    /// The oldest open question is answered so.
    Answer(Choice),
    /// The oldest grant is redeemed: a relay of so many edges and lease.
    Redeem(u32, u64),
    /// A relay that nobody was asked for.
    Bring(usize, u32),
    EdgesUp(usize),
    EdgeFailed(usize, EdgeFault),
    Withheld(usize),
    EdgeDoubted(usize),
    RelayDoubted(usize),
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let choice = prop_oneof![
        1 => Just(Choice::Accept),
        3 => Just(Choice::Decline),
        1 => Just(Choice::Never),
    ];
    let fault = prop_oneof![Just(EdgeFault::Refused), Just(EdgeFault::Unreachable)];
    let lease = prop_oneof![Just(60_000u64), Just(3_600_000)];
    let at = 0usize..64;
    prop_oneof![
        8 => (0u32..4, 0u32..3, prop::bool::weighted(0.1)).prop_map(|(s, l, r)| Event::Join(s, l, r)),
        2 => at.clone().prop_map(Event::Leave),
        2 => at.clone().prop_map(Event::Lost),
        1 => (0u32..4).prop_map(Event::Again),
        2 => (at.clone(), 0u32..20).prop_map(|(n, e)| Event::Claim(n, e)),
        8 => choice.prop_map(Event::Answer),
        4 => (0u32..40, lease).prop_map(|(e, l)| Event::Redeem(e, l)),
        1 => (at.clone(), 0u32..40).prop_map(|(n, e)| Event::Bring(n, e)),
        6 => at.clone().prop_map(Event::EdgesUp),
        2 => (at.clone(), fault).prop_map(|(n, f)| Event::EdgeFailed(n, f)),
        1 => at.clone().prop_map(Event::Withheld),
        2 => at.clone().prop_map(Event::EdgeDoubted),
        1 => at.prop_map(Event::RelayDoubted),
        3 => (0u64..40_000).prop_map(Event::Wait),
    ]
}

fn shape() -> impl Strategy<Value = Stripes> {
    let shapes = ["1+0", "4+1", "2+1", "8+2", "3+0"];
    prop::sample::select(shapes.to_vec()).prop_map(|text| text.parse().unwrap())
}

type Edge = (u8, u32, u32);

/// A driver that sees what the real one sees, and checks it.
struct World {
    planner: Planner<u32>,
    config: Config,
    now_ms: u64,
    next: u32,
    peers: BTreeMap<u32, Peer>,
    relays: BTreeMap<u32, u32>,
    lost: Option<u32>,
    /// (stripe, parent, child) by the actions alone.
    edges: BTreeSet<Edge>,
    /// (child, parent) that failed at least once.
    failures: BTreeSet<(u32, u32)>,
    questions: Vec<(u32, Question)>,
    grants: Vec<u32>,
    log: Vec<Action<u32>>,
}

impl World {
    fn new(stripes: Stripes, slots: u32, overlap: u32, seed: u64) -> Self {
        let config = Config {
            stripes,
            ask_deadline_ms: 3_000,
            ask_interval_ms: 10_000,
            round_slots: 5,
            handover_edges_max: overlap,
            ..Config::default()
        };
        let edges = slots * u32::from(stripes.count());
        Self {
            planner: Planner::new(STATION, edges, config, seed),
            config,
            now_ms: 0,
            next: 1,
            peers: BTreeMap::new(),
            relays: BTreeMap::new(),
            lost: None,
            edges: BTreeSet::new(),
            failures: BTreeSet::new(),
            questions: Vec::new(),
            grants: Vec::new(),
            log: Vec::new(),
        }
    }

    fn count(&self) -> u32 {
        u32::from(self.config.stripes.count())
    }

    fn pick(&self, at: usize) -> Option<u32> {
        let all: Vec<u32> = self
            .peers
            .keys()
            .chain(self.relays.keys())
            .copied()
            .collect();
        (!all.is_empty()).then(|| all[at % all.len()])
    }

    fn play(&mut self, event: Event) {
        self.now_ms += 10;
        let now_ms = self.now_ms;
        match event {
            Event::Join(slots, loose, relay_only) => {
                let edges = slots * self.count() + loose;
                self.next += 1;
                self.join(self.next, edges, relay_only);
            }
            Event::Again(slots) => {
                if let Some(node) = self.lost.take() {
                    self.join(node, slots * self.count(), false);
                }
            }
            Event::Leave(at) => {
                if let Some(node) = self.pick(at) {
                    self.gone(node);
                    self.planner.leave(now_ms, node).unwrap();
                }
            }
            Event::Lost(at) => {
                if let Some(node) = self.pick(at) {
                    self.lost = self.peers.contains_key(&node).then_some(node);
                    self.gone(node);
                    self.planner.lost(now_ms, node).unwrap();
                }
            }
            Event::Claim(at, edges) => {
                if let Some(node) = self.pick(at) {
                    self.planner.claim(now_ms, node, edges).unwrap();
                }
            }
            Event::Answer(choice) => self.answer(choice),
            Event::Redeem(edges, lease_ms) => {
                if let Some(sponsor) = self.grants.first().copied() {
                    self.relay(sponsor, edges, lease_ms);
                }
            }
            Event::Bring(at, edges) => {
                if let Some(sponsor) = self.pick(at).filter(|n| self.peers.contains_key(n)) {
                    self.relay(sponsor, edges, 3_600_000);
                }
            }
            Event::Wait(ms) => {
                self.now_ms += ms;
                self.planner.tick(self.now_ms);
            }
            other => self.play_edge(&other),
        }
        self.drain();
        self.check();
    }

    fn play_edge(&mut self, event: &Event) {
        let now_ms = self.now_ms;
        let planned = self.planned();
        let picked = |at: usize| (!planned.is_empty()).then(|| planned[at % planned.len()]);
        match *event {
            Event::EdgesUp(at) => {
                for (s, parent, child) in planned.iter().skip(at % 4).step_by(2) {
                    self.planner.edge_up(*child, *parent, Stripe(*s));
                }
            }
            Event::EdgeFailed(at, fault) => {
                if let Some((_, parent, child)) = picked(at) {
                    self.failures.insert((child, parent));
                    self.planner.edge_failed(now_ms, child, parent, fault);
                }
            }
            Event::Withheld(at) => {
                if let Some((s, parent, child)) = picked(at) {
                    self.failures.insert((child, parent));
                    self.planner.withheld(now_ms, child, parent, Stripe(s));
                }
            }
            Event::EdgeDoubted(at) => {
                if let Some((_, parent, child)) = picked(at) {
                    self.failures.insert((child, parent));
                    self.planner.edge_doubted(now_ms, child, parent);
                }
            }
            Event::RelayDoubted(at) => {
                let relays: Vec<u32> = self.relays.keys().copied().collect();
                if let Some(relay) = relays.get(at % relays.len().max(1)) {
                    let pairs = planned.iter().filter(|(_, p, _)| p == relay);
                    self.failures.extend(pairs.map(|(_, p, c)| (*c, *p)));
                    self.planner.relay_doubted(now_ms, *relay);
                }
            }
            _ => {}
        }
    }

    fn join(&mut self, node: u32, edges: u32, relay_only: bool) {
        let peer = Peer {
            edges,
            relay_only,
            ..Peer::default()
        };
        self.peers.insert(node, peer);
        self.planner.join(self.now_ms, node, peer).unwrap();
    }

    fn relay(&mut self, sponsor: u32, edges: u32, lease_ms: u64) {
        self.next += 1;
        let relay = Relay {
            sponsor,
            order: OrderId([1; 32]),
            edges,
            lease_end_ms: self.now_ms + lease_ms,
        };
        self.relays.insert(self.next, sponsor);
        self.grants.retain(|to| *to != sponsor);
        self.planner
            .relay_admitted(self.now_ms, self.next, relay)
            .unwrap();
    }

    fn gone(&mut self, node: u32) {
        self.peers.remove(&node);
        self.relays.remove(&node);
        self.failures.retain(|(child, _)| *child != node);
        self.questions.retain(|(to, _)| *to != node);
        self.grants.retain(|to| *to != node);
    }

    fn answer(&mut self, choice: Choice) {
        if let Some((to, question)) = self.questions.first().copied() {
            self.questions.remove(0);
            self.planner
                .answer(self.now_ms, question.ask, to, choice)
                .unwrap();
        }
    }

    fn planned(&self) -> Vec<Edge> {
        let edges = self.planner.edges().into_iter().filter(|e| !e.old);
        edges.map(|e| (e.stripe.0, e.parent, e.child)).collect()
    }

    fn drain(&mut self) {
        while let Some(action) = self.planner.poll_action() {
            match action {
                Action::Attach {
                    stripe,
                    child,
                    parent,
                    ..
                } => {
                    self.edges.insert((stripe.0, parent, child));
                }
                Action::Detach {
                    stripe,
                    child,
                    parent,
                } => {
                    let known = self.edges.remove(&(stripe.0, parent, child));
                    assert!(known, "{action:?} ends what there was");
                }
                Action::Ask { to, question, .. } => self.questions.push((to, question)),
                Action::NotNeeded { to, question } | Action::TimedOut { to, question } => {
                    self.questions.retain(|q| *q != (to, question));
                }
                Action::Grant { to, .. } => self.grants.push(to),
                Action::GrantExpired { to, .. } => self.grants.retain(|g| *g != to),
                Action::Refuse { node, .. } => {
                    assert!(self.questions.is_empty(), "{node} refused while asking");
                    assert!(self.grants.is_empty(), "{node} refused, a relay comes");
                    self.gone(node);
                }
                Action::Orphaned { .. } | Action::CapacityShort { .. } => {}
            }
            self.log.push(action);
        }
    }

    fn check(&self) {
        let trees = Trees::new(&self.planner, self.config.stripes);
        self.check_edges(&trees);
        for v in trees.nodes.values() {
            trees.check_node(v);
            let relays_only = self.peers.get(&v.node).is_some_and(|p| p.relay_only);
            for parent in v.parents.iter().flatten() {
                let peer = trees.nodes[parent].kind == NodeKind::Peer;
                assert!(!(relays_only && peer), "{v:?} links to relays only");
            }
        }
        let members = self.peers.len() + self.relays.len();
        assert_eq!(trees.nodes.len(), 1 + members);
        self.check_waiting(&trees);
        self.check_sponsors(&trees);
        let sure = trees
            .nodes
            .values()
            .filter(|v| v.kind == NodeKind::Peer && v.guaranteed);
        let all = u32::try_from(self.peers.len()).unwrap();
        assert_eq!(
            self.planner.guaranteed(),
            (u32::try_from(sure.count()).unwrap(), all)
        );
    }

    fn check_edges(&self, trees: &Trees) {
        let told = self.planner.edges();
        let told: BTreeSet<Edge> = told
            .iter()
            .map(|e| (e.stripe.0, e.parent, e.child))
            .collect();
        assert_eq!(told, self.edges, "the actions make exactly these edges");
        let mut carried: BTreeMap<u32, u32> = BTreeMap::new();
        for (_, parent, _) in &self.edges {
            *carried.entry(*parent).or_default() += 1;
        }
        for (parent, edges) in carried {
            let most = trees.nodes[&parent].edges + self.config.handover_edges_max;
            assert!(edges <= most, "{parent} carries {edges}, may {most}");
        }
        for v in trees.nodes.values() {
            for (s, parent) in (0..).zip(&v.parents) {
                assert!(parent.is_none_or(|p| self.edges.contains(&(s, p, v.node))));
            }
        }
    }

    /// Whether nothing known speaks against the edge.
    fn may_link(&self, trees: &Trees, child: u32, parent: u32) -> bool {
        let peer = trees.nodes[&parent].kind == NodeKind::Peer;
        let relays_only = self.peers.get(&child).is_some_and(|p| p.relay_only);
        (!peer || !relays_only) && !self.failures.contains(&(child, parent))
    }

    /// Everybody can watch or waits, and nobody lacks a stripe, and so nobody
    /// is asked, while an edge is free that could bring it.
    fn check_waiting(&self, trees: &Trees) {
        let k = usize::from(self.config.stripes.k());
        for v in trees.nodes.values().filter(|v| v.node != STATION) {
            let rooted = trees.rooted(v.node);
            let lacks = v.parents.iter().any(Option::is_none);
            if v.kind == NodeKind::Peer {
                assert_eq!(v.waiting, lacks, "{v:?}");
                assert!(
                    rooted.len() >= k || trees.waits_above(v),
                    "{v:?} is forgotten"
                );
                let some = v.parents.iter().any(Option::is_some) || v.edges_used > 0;
                for (s, parent) in (0..).zip(&v.parents) {
                    let place = trees.free_for(s, |p| self.may_link(trees, v.node, p));
                    let served = parent.is_some() || !some || place.is_none();
                    assert!(served, "{v:?} lacks {s} beside {place:?}");
                }
                let places = trees.matching(|p| self.may_link(trees, v.node, p));
                assert!(some || places < k, "{v:?} has none beside {places}");
            }
        }
        let (shortage, asked) = (trees.lacking(), !self.questions.is_empty());
        assert!(!asked || shortage, "asked though nobody lacks anything");
    }

    fn check_sponsors(&self, trees: &Trees) {
        for (relay, sponsor) in &self.relays {
            let (Some(r), Some(s)) = (trees.nodes.get(relay), trees.nodes.get(sponsor)) else {
                continue;
            };
            let own = |p: &Option<u32>| p.is_some_and(|p| self.relays.get(&p) == Some(sponsor));
            let carried = s.parents.iter().filter(|p| **p == Some(*relay)).count();
            // With too little to watch he waits with none, also of his own.
            let placed = s.parents.iter().any(Option::is_some);
            let room = placed
                && r.edges as usize > carried
                && !self.failures.contains(&(*sponsor, *relay));
            for stripe in trees.rooted(*relay) {
                let under_own = own(&s.parents[usize::from(stripe)]);
                assert!(
                    !room || under_own,
                    "{s:?} is not under its relay {r:?} in {stripe}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_trees_hold_whatever_happens(
        stripes in shape(),
        slots in 0u32..5,
        overlap in 0u32..2,
        seed in any::<u64>(),
        events in prop::collection::vec(event(), 1..100),
    ) {
        let mut world = World::new(stripes, slots, overlap, seed);
        for event in events {
            world.play(event);
        }
    }

    #[test]
    fn equal_seed_and_events_give_equal_actions(
        stripes in shape(),
        seed in any::<u64>(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let run = |events: Vec<Event>| {
            let mut world = World::new(stripes, 2, 1, seed);
            for event in events {
                world.play(event);
            }
            world.log
        };
        prop_assert_eq!(run(events.clone()), run(events));
    }

    #[test]
    fn who_cannot_watch_is_answered_in_bounded_time(
        stripes in shape(),
        slots in 0u32..3,
        seed in any::<u64>(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut world = World::new(stripes, slots, 1, seed);
        for event in events {
            world.play(event);
        }
        // Nobody answers any more, and no relay comes.
        for _ in 0..400 {
            let Some(at_ms) = world.planner.next_deadline_ms() else { break };
            world.now_ms = world.now_ms.max(at_ms);
            world.planner.tick(world.now_ms);
            world.drain();
            world.check();
        }
        prop_assert_eq!(world.planner.next_deadline_ms(), None);
        let trees = Trees::new(&world.planner, stripes);
        for node in world.peers.keys() {
            prop_assert!(trees.rooted(*node).len() >= usize::from(stripes.k()));
        }
    }

    #[test]
    fn no_single_peer_takes_a_chunk_from_the_guaranteed(
        viewers in 5u32..60,
        seed in any::<u64>(),
        slots in prop::collection::vec(0u32..4, 60),
    ) {
        let stripes: Stripes = "4+1".parse().unwrap();
        let mut world = World::new(stripes, 4, 1, seed);
        for slots in slots.into_iter().take(viewers as usize) {
            world.play(Event::Join(slots, 0, false));
        }
        let trees = Trees::new(&world.planner, stripes);
        let sure = trees.nodes.values().filter(|v| v.guaranteed && v.node != STATION);
        for v in sure {
            for killed in world.peers.keys().filter(|n| **n != v.node) {
                let through = |s: &u8| trees.ancestors(v.node, *s).contains(killed);
                let left = (0..stripes.count()).filter(|s| !through(s)).count();
                prop_assert!(left >= usize::from(stripes.k()));
            }
        }
    }
}
