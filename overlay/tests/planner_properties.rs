//! Whatever happens, in whatever order: the planner's guarantees.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use overlay::planner::{Action, Config, EdgeFault, NodeView, Peer, Planner, Question, Relay};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use wire::message::control::{Choice, NodeKind};
use wire::statement::Cause;
use wire::{OrderId, Stripe};

const STATION: u32 = 0;

#[derive(Debug, Clone)]
enum Event {
    Join(Peer),
    Leave(usize),
    Lost(usize),
    Claim(usize, u32),
    /// The oldest open question is answered so.
    Answer(Choice),
    /// The oldest grant is redeemed: a relay of so many slots and lease.
    Redeem(u32, u64),
    RedeemFailed,
    /// A relay that nobody was asked for.
    Bring(usize, u32),
    EdgesUp(usize),
    EdgeFailed(usize, EdgeFault),
    EdgeDoubted(usize),
    RelayDoubted(usize),
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let peer = (0u32..4, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(edges, rides, never_ask, shy)| Peer {
            edges: if rides { 0 } else { edges },
            never_ask: never_ask && shy,
            relay_only: shy && edges == 0,
        },
    );
    let choice = prop_oneof![
        1 => Just(Choice::Accept),
        3 => Just(Choice::Decline),
        1 => Just(Choice::Never),
    ];
    let fault = prop_oneof![Just(EdgeFault::Refused), Just(EdgeFault::Unreachable)];
    let at = 0usize..64;
    prop_oneof![
        8 => peer.prop_map(Event::Join),
        2 => at.clone().prop_map(Event::Leave),
        2 => at.clone().prop_map(Event::Lost),
        2 => (at.clone(), 0u32..5).prop_map(|(n, s)| Event::Claim(n, s)),
        8 => choice.prop_map(Event::Answer),
        4 => (0u32..6, prop_oneof![Just(60_000u64), Just(3_600_000)])
            .prop_map(|(s, l)| Event::Redeem(s, l)),
        1 => Just(Event::RedeemFailed),
        1 => (at.clone(), 0u32..6).prop_map(|(n, s)| Event::Bring(n, s)),
        6 => at.clone().prop_map(Event::EdgesUp),
        2 => (at.clone(), fault).prop_map(|(n, f)| Event::EdgeFailed(n, f)),
        2 => at.clone().prop_map(Event::EdgeDoubted),
        1 => at.prop_map(Event::RelayDoubted),
        3 => (0u64..40_000).prop_map(Event::Wait),
    ]
}

/// A driver that sees what the real one sees, and checks it.
struct World {
    planner: Planner<u32>,
    config: Config,
    now_ms: u64,
    next: u32,
    peers: BTreeMap<u32, Peer>,
    relays: BTreeMap<u32, u32>,
    refused: BTreeSet<u32>,
    /// Edges that are permitted, (parent, child), by the actions alone.
    edges: BTreeSet<(u32, u32)>,
    /// Those of them that end as soon as another one works.
    old: BTreeSet<(u32, u32)>,
    failures: BTreeSet<(u32, u32)>,
    questions: Vec<(u32, Question)>,
    grants: Vec<(u32, Question)>,
    /// Who was asked when, by cause.
    asked: BTreeMap<(u32, Cause), u64>,
    log: Vec<Action<u32>>,
}

impl World {
    fn new(slots: u32, overlap: u32, seed: u64) -> Self {
        let config = Config {
            ask_deadline_ms: 3_000,
            ask_interval_ms: 10_000,
            round_slots: 5,
            handover_edges_max: overlap,
            ..Config::default()
        };
        Self {
            planner: Planner::new(STATION, slots, config, seed),
            config,
            now_ms: 0,
            next: 1,
            peers: BTreeMap::new(),
            relays: BTreeMap::new(),
            refused: BTreeSet::new(),
            edges: BTreeSet::new(),
            old: BTreeSet::new(),
            failures: BTreeSet::new(),
            questions: Vec::new(),
            grants: Vec::new(),
            asked: BTreeMap::new(),
            log: Vec::new(),
        }
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
            Event::Join(peer) => {
                let node = self.name();
                self.peers.insert(node, peer);
                self.planner.join(now_ms, node, peer).unwrap();
            }
            Event::Leave(at) | Event::Lost(at) => {
                if let Some(node) = self.pick(at) {
                    self.gone(node);
                    self.planner.lost(now_ms, node).unwrap();
                }
            }
            Event::Claim(at, slots) => {
                if let Some(node) = self.pick(at) {
                    self.planner.claim(now_ms, node, slots).unwrap();
                }
            }
            Event::Answer(choice) => self.answer(choice),
            Event::Redeem(slots, lease_ms) => {
                if let Some((sponsor, _)) = self.grants.first().copied() {
                    self.grants.remove(0);
                    self.relay(sponsor, slots, lease_ms);
                }
            }
            Event::RedeemFailed => {
                if let Some((sponsor, question)) = self.grants.first().copied() {
                    self.grants.remove(0);
                    self.planner
                        .redeem_failed(now_ms, question.ask, sponsor)
                        .unwrap();
                }
            }
            Event::Bring(at, slots) => {
                if let Some(sponsor) = self.pick(at).filter(|n| self.peers.contains_key(n)) {
                    self.relay(sponsor, slots, 3_600_000);
                }
            }
            Event::EdgesUp(at) => self.edges_up(at),
            Event::EdgeFailed(at, fault) => self.edge_failed(at, fault),
            Event::EdgeDoubted(at) => self.edge_doubted(at),
            Event::RelayDoubted(at) => self.relay_doubted(at),
            Event::Wait(ms) => {
                self.now_ms += ms;
                self.planner.tick(self.now_ms);
            }
        }
        self.drain();
        self.check();
    }

    fn name(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn relay(&mut self, sponsor: u32, slots: u32, lease_ms: u64) {
        let node = self.name();
        self.relays.insert(node, sponsor);
        let relay = Relay {
            sponsor,
            order: OrderId([1; 32]),
            edges: slots,
            lease_end_ms: self.now_ms + lease_ms,
        };
        self.grants.retain(|(to, _)| *to != sponsor);
        self.planner
            .relay_admitted(self.now_ms, node, relay)
            .unwrap();
    }

    fn gone(&mut self, node: u32) {
        self.peers.remove(&node);
        self.relays.remove(&node);
        self.questions.retain(|(to, _)| *to != node);
        self.grants.retain(|(to, _)| *to != node);
    }

    fn answer(&mut self, choice: Choice) {
        if let Some((to, question)) = self.questions.first().copied() {
            self.questions.remove(0);
            if choice == Choice::Never
                && let Some(peer) = self.peers.get_mut(&to)
            {
                peer.never_ask = true;
            }
            self.planner
                .answer(self.now_ms, question.ask, to, choice)
                .unwrap();
        }
    }

    fn planned(&self) -> Vec<(u32, u32)> {
        let view = self.planner.view();
        view.iter()
            .filter_map(|v| Some((v.node, v.parents[0]?)))
            .collect()
    }

    fn edges_up(&mut self, at: usize) {
        let planned = self.planned();
        for (child, parent) in planned.iter().skip(at % 4).step_by(2) {
            self.planner.edge_up(*child, *parent, Stripe(0));
        }
    }

    fn edge_failed(&mut self, at: usize, fault: EdgeFault) {
        let planned = self.planned();
        if planned.is_empty() {
            return;
        }
        let (child, parent) = planned[at % planned.len()];
        self.failures.insert((child, parent));
        self.planner.edge_failed(self.now_ms, child, parent, fault);
    }

    fn edge_doubted(&mut self, at: usize) {
        let planned = self.planned();
        if planned.is_empty() {
            return;
        }
        let (child, parent) = planned[at % planned.len()];
        self.failures.insert((child, parent));
        self.planner.edge_doubted(self.now_ms, child, parent);
    }

    fn relay_doubted(&mut self, at: usize) {
        let relays: Vec<u32> = self.relays.keys().copied().collect();
        if relays.is_empty() {
            return;
        }
        let relay = relays[at % relays.len()];
        let children = self.planned().into_iter().filter(|(_, p)| *p == relay);
        self.failures.extend(children);
        self.planner.relay_doubted(self.now_ms, relay);
    }

    fn drain(&mut self) {
        while let Some(action) = self.planner.poll_action() {
            match action {
                Action::Attach {
                    child,
                    parent,
                    replaces,
                    ..
                } => {
                    self.edges.insert((parent, child));
                    self.old.remove(&(parent, child));
                    self.old.extend(replaces.map(|old| (old, child)));
                }
                Action::Detach { child, parent, .. } => {
                    self.edges.remove(&(parent, child));
                    self.old.remove(&(parent, child));
                }
                Action::Ask { to, question, .. } => self.check_ask(to, question),
                Action::NotNeeded { to, question } | Action::TimedOut { to, question } => {
                    self.questions.retain(|q| *q != (to, question));
                }
                Action::Grant { to, question, .. } => self.grants.push((to, question)),
                Action::GrantExpired { to, question } => {
                    self.grants.retain(|g| *g != (to, question));
                }
                Action::Refuse { node, .. } => {
                    self.check_refusal(node);
                    self.gone(node);
                    self.refused.insert(node);
                }
                Action::Orphaned { .. } | Action::CapacityShort { .. } => {}
            }
            self.log.push(action);
        }
    }

    fn check_ask(&mut self, to: u32, question: Question) {
        let peer = self.peers.get(&to).expect("only members are asked");
        assert!(!peer.never_ask, "{to} is never asked");
        assert!(
            !self.questions.iter().any(|(node, _)| *node == to),
            "{to} is asked one thing at a time"
        );
        // The paper's order: a step begins when nobody of an earlier one is
        // still thinking.
        for (_, open) in &self.questions {
            assert!(open.step >= question.step, "{question:?} during {open:?}");
        }
        self.asked.insert((to, question.cause), self.now_ms);
        self.questions.push((to, question));
    }

    /// Nobody is refused while somebody could still be asked, a question is
    /// open or a relay is on its way.
    fn check_refusal(&self, node: u32) {
        assert!(self.questions.is_empty(), "{node} refused while asking");
        assert!(self.grants.is_empty(), "{node} refused while a relay comes");
        let unasked = self.peers.iter().find(|(n, peer)| {
            !peer.never_ask
                && [Cause::Join, Cause::Leave]
                    .iter()
                    .all(|cause| !self.asked.contains_key(&(**n, *cause)))
        });
        assert!(unasked.is_none(), "{node} refused, {unasked:?} not asked");
        let free = self.free_for(node);
        assert!(free.is_none(), "{node} refused beside {free:?}");
    }

    /// A node under which this peer could hang now, by the edges that the
    /// actions have made so far: what follows a refusal may free slots.
    fn free_for(&self, node: u32) -> Option<NodeView<u32>> {
        let mut rooted = BTreeSet::from([STATION]);
        let mut todo = vec![STATION];
        while let Some(top) = todo.pop() {
            let below = self.edges.range((top, 0)..=(top, u32::MAX));
            // Who hangs on an old edge may be in the part that has no place.
            let below = below.filter(|edge| !self.old.contains(edge));
            todo.extend(below.map(|(_, child)| *child).filter(|c| rooted.insert(*c)));
        }
        let children = |of: u32| self.edges.range((of, 0)..=(of, u32::MAX)).count();
        let shy = self.peers[&node].relay_only;
        self.planner.view().into_iter().find(|p| {
            rooted.contains(&p.node)
                && children(p.node) < p.edges as usize
                && (p.kind != NodeKind::Peer || !shy)
                && !self.failures.contains(&(node, p.node))
        })
    }

    fn check(&self) {
        let view = self.planner.view();
        let nodes: BTreeMap<u32, NodeView<u32>> =
            view.iter().map(|v| (v.node, v.clone())).collect();
        for v in &view {
            self.check_node(&nodes, v);
        }
        self.check_members(&nodes);
        self.check_sponsors(&nodes);
        self.check_edges(&nodes);
    }

    fn check_node(&self, nodes: &BTreeMap<u32, NodeView<u32>>, v: &NodeView<u32>) {
        assert!(v.edges_used <= v.edges, "{v:?} is over its edges");
        let children = nodes
            .values()
            .filter(|c| c.parents[0] == Some(v.node))
            .count();
        assert_eq!(children, v.edges_used as usize);
        // No loop: the top is the station, or a node that waits.
        let (mut at, mut depth) = (v, 0);
        while let Some(parent) = at.parents[0] {
            at = &nodes[&parent];
            depth += 1;
            assert!(depth <= nodes.len(), "a loop at {v:?}");
        }
        assert_eq!(v.depth.is_some(), at.node == STATION);
        assert_eq!(at.waiting, at.node != STATION, "{at:?}");
        assert_eq!(v.waiting, v.parents[0].is_none() && v.node != STATION);
        if v.depth.is_some() {
            assert_eq!(v.depth, u32::try_from(depth).ok());
        }
        if let (Some(parent), Some(peer)) = (v.parents[0], self.peers.get(&v.node)) {
            let hub = nodes[&parent].kind != NodeKind::Peer;
            assert!(hub || !peer.relay_only, "{v:?} links to relays only");
        }
    }

    /// Everybody has a place, waits, or was refused; and nobody waits while
    /// a place that he may take is free, or while he brings one himself.
    fn check_members(&self, nodes: &BTreeMap<u32, NodeView<u32>>) {
        for node in self.peers.keys().chain(self.relays.keys()) {
            assert!(nodes.contains_key(node), "{node} is lost");
            assert!(!self.refused.contains(node));
        }
        assert_eq!(nodes.len(), 1 + self.peers.len() + self.relays.len());
        for waiting in nodes.values().filter(|v| v.waiting) {
            if waiting.kind == NodeKind::Relay && waiting.edges == 0 {
                continue;
            }
            let shy = self.peers.get(&waiting.node).is_some_and(|p| p.relay_only);
            // A relay never hangs on its own sponsor.
            let below_sponsor = |node: u32| {
                let sponsor = self.relays.get(&waiting.node);
                let mut at = Some(node);
                while let Some(n) = at.filter(|n| Some(n) != sponsor) {
                    at = nodes[&n].parents[0];
                }
                at.is_some()
            };
            let place = nodes.values().find(|p| {
                let hub = p.kind != NodeKind::Peer;
                p.depth.is_some()
                    && p.edges_used < p.edges
                    && (hub || !shy)
                    && !below_sponsor(p.node)
                    && !self.failures.contains(&(waiting.node, p.node))
            });
            assert!(place.is_none(), "{waiting:?} waits beside {place:?}");
            let brings = waiting.edges_used < waiting.edges && !shy;
            let leaf = nodes.values().find(|l| {
                l.kind == NodeKind::Peer
                    && l.depth.is_some()
                    && l.edges_used == 0
                    && !self.peers[&l.node].relay_only
                    && l.parents[0].is_some_and(|p| {
                        !below_sponsor(p)
                            && !self.failures.contains(&(waiting.node, p))
                            && self.relays.get(&p) != Some(&l.node)
                    })
                    && !self.failures.contains(&(l.node, waiting.node))
            });
            assert!(
                !brings || leaf.is_none(),
                "{waiting:?} could displace {leaf:?}"
            );
        }
    }

    fn check_sponsors(&self, nodes: &BTreeMap<u32, NodeView<u32>>) {
        for (relay, sponsor) in &self.relays {
            let (Some(r), Some(s)) = (nodes.get(relay), nodes.get(sponsor)) else {
                continue;
            };
            let due =
                r.depth.is_some() && r.edges > 0 && !self.failures.contains(&(*sponsor, *relay));
            let under_own = s.parents[0].is_some_and(|p| self.relays.get(&p) == Some(sponsor));
            assert!(!due || under_own, "{s:?} is not under its relay {r:?}");
        }
    }

    fn check_edges(&self, nodes: &BTreeMap<u32, NodeView<u32>>) {
        let told: BTreeSet<(u32, u32)> = self
            .planner
            .edges()
            .iter()
            .map(|e| (e.parent, e.child))
            .collect();
        assert_eq!(told, self.edges, "the actions make exactly these edges");
        let mut carried: BTreeMap<u32, u32> = BTreeMap::new();
        for (parent, child) in &self.edges {
            assert!(nodes.contains_key(parent) && nodes.contains_key(child));
            *carried.entry(*parent).or_default() += 1;
        }
        for (parent, edges) in carried {
            let most = nodes[&parent].edges + self.config.handover_edges_max;
            assert!(edges <= most, "{parent} carries {edges}, may {most}");
        }
        for v in nodes.values().filter(|v| v.parents[0].is_some()) {
            assert!(self.edges.contains(&(v.parents[0].unwrap(), v.node)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_guarantees_hold_whatever_happens(
        slots in 0u32..5,
        overlap in 0u32..2,
        seed in any::<u64>(),
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut world = World::new(slots, overlap, seed);
        for event in events {
            world.play(event);
        }
    }

    #[test]
    fn equal_seed_and_events_give_equal_actions(
        slots in 0u32..5,
        seed in any::<u64>(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let run = |events: Vec<Event>| {
            let mut world = World::new(slots, 1, seed);
            for event in events {
                world.play(event);
            }
            world.log
        };
        prop_assert_eq!(run(events.clone()), run(events));
    }

    #[test]
    fn who_waits_is_answered_in_bounded_time(
        slots in 0u32..3,
        seed in any::<u64>(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut world = World::new(slots, 1, seed);
        for event in events {
            world.play(event);
        }
        // Nobody answers any more, and no relay comes.
        for _ in 0..200 {
            let Some(at_ms) = world.planner.next_deadline_ms() else { break };
            world.now_ms = world.now_ms.max(at_ms);
            world.planner.tick(world.now_ms);
            world.drain();
            world.check();
        }
        prop_assert_eq!(world.planner.next_deadline_ms(), None);
        let waiting: Vec<u32> = world
            .planner
            .view()
            .iter()
            .filter(|v| v.waiting && v.kind == NodeKind::Peer)
            .map(|v| v.node)
            .collect();
        prop_assert_eq!(waiting, Vec::<u32>::new());
    }
}

/// Found by the property above: two children in a row failed to reach a peer
/// whose last child had just been moved and still hung on the old edge.
#[test]
fn a_peer_that_feeds_over_an_old_edge_is_in_reach() {
    let peer = |edges| {
        Event::Join(Peer {
            edges,
            ..Peer::default()
        })
    };
    let mut world = World::new(1, 0, 0);
    for event in [
        peer(3),
        peer(1),
        peer(0),
        Event::EdgesUp(13),
        peer(0),
        Event::Bring(61, 3),
        Event::EdgeFailed(58, EdgeFault::Refused),
        peer(1),
        Event::EdgeFailed(17, EdgeFault::Refused),
    ] {
        world.play(event);
    }
}
