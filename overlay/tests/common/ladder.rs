//! A driver of planner and ladder that sees what the real one sees, and checks
//! at every step that the upload is enough and that nobody who moves is without
//! the stream.
#![allow(dead_code, unreachable_pub)]

use overlay::ladder::{Config, Ladder, Step};
use overlay::planner::{self, Action, Peer, Planner, Question, Relay};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use wire::message::control::{Choice, MoveCause};
use wire::{OrderId, Rendition, Stripes};

const STATION: u32 = 0;
/// Bit/s of one place in the trees.
const SLOT_BPS: u64 = 1_000;
/// Places of the smallest rendition in one of the best.
pub const RATIO: u32 = 4;

pub struct World {
    pub planner: Planner<u32>,
    pub ladder: Ladder<u32>,
    /// Nobody says what it plays.
    pub silent: bool,
    config: Config,
    now_ms: u64,
    next: u32,
    peers: BTreeMap<u32, Peer>,
    /// What each says that it plays.
    plays: BTreeMap<u32, u8>,
    moves: BTreeMap<u32, Vec<(u8, MoveCause)>>,
    refused: Vec<u32>,
    asked: Vec<(u32, Question)>,
    /// Edges of each relay in all, and which get the smallest rendition.
    relays: BTreeMap<u32, u32>,
    fed: BTreeSet<u32>,
}

#[derive(Debug, Clone)]
pub enum Event {
    Join(Peer),
    Leave(usize),
    Lost(usize),
    Claim(usize, u32),
    Decline,
    Relay(u32),
    RelayLost,
    EdgeFailed(usize),
    Wait(u64),
}

pub fn event() -> impl Strategy<Value = Event> {
    let peer = prop_oneof![
        3 => Just(rider()),
        1 => (1u32..8).prop_map(|edges| Peer { edges, ..rider() }),
        1 => Just(Peer { relay_only: true, ..rider() }),
    ];
    let at = 0usize..64;
    prop_oneof![
        8 => peer.prop_map(Event::Join),
        2 => at.clone().prop_map(Event::Leave),
        1 => at.clone().prop_map(Event::Lost),
        1 => (at.clone(), 0u32..8).prop_map(|(n, e)| Event::Claim(n, e)),
        4 => Just(Event::Decline),
        1 => (0u32..30).prop_map(Event::Relay),
        1 => Just(Event::RelayLost),
        1 => at.prop_map(Event::EdgeFailed),
        4 => (0u64..10_000).prop_map(Event::Wait),
    ]
}

pub fn rider() -> Peer {
    Peer::default()
}

pub fn contributor() -> Peer {
    Peer {
        edges: 1,
        ..Peer::default()
    }
}

/// A ladder of two, with so many places of the best one.
pub fn config(stripes: u8, slots: u64) -> Config {
    Config {
        slots_bps: vec![SLOT_BPS, SLOT_BPS / u64::from(RATIO)],
        edges_per_slot: stripes.into(),
        upload_bps: slots * SLOT_BPS,
        room_ms_min: 3_000,
    }
}

impl World {
    pub fn new(slots: u64, stripes: u8) -> Self {
        Self::with(config(stripes, slots))
    }

    pub fn with(config: Config) -> Self {
        let ladder = Ladder::new(STATION, config.clone(), 7).unwrap();
        let stripes = match config.edges_per_slot {
            1 => Stripes::SINGLE,
            all => Stripes::new(u8::try_from(all).unwrap() - 1, 1).unwrap(),
        };
        let trees = planner::Config {
            stripes,
            ..planner::Config::default()
        };
        Self {
            planner: Planner::new(STATION, ladder.edges_at_first(), trees, 7),
            ladder,
            silent: false,
            config,
            now_ms: 1,
            next: 1,
            peers: BTreeMap::new(),
            plays: BTreeMap::new(),
            moves: BTreeMap::new(),
            refused: Vec::new(),
            asked: Vec::new(),
            relays: BTreeMap::new(),
            fed: BTreeSet::new(),
        }
    }

    pub fn join(&mut self, peer: Peer) -> u32 {
        let node = self.next;
        self.next += 1;
        self.peers.insert(node, peer);
        self.planner.join(self.now_ms, node, peer).unwrap();
        self.ladder
            .joined(self.now_ms, &mut self.planner, node, peer);
        self.act();
        node
    }

    /// Who plays this rendition, or has it while it moves.
    pub fn at(&self, rendition: u8) -> Vec<u32> {
        let here = |node: &&u32| match self.ladder.rendition(**node) {
            Rendition(0) => rendition == 0 && self.planner.is_seated(**node),
            Rendition(other) => rendition == other,
        };
        self.peers.keys().filter(here).copied().collect()
    }

    pub fn moves(&self, node: u32) -> Vec<(u8, MoveCause)> {
        self.moves.get(&node).cloned().unwrap_or_default()
    }

    pub fn refused(&self) -> Vec<u32> {
        self.refused.clone()
    }

    /// Everybody who is asked declines, until nobody is asked any more.
    pub fn nobody_sponsors(&mut self) {
        while let Some((node, question)) = self.asked.pop() {
            let never = Choice::Decline;
            let _ = self.planner.answer(self.now_ms, question.ask, node, never);
            self.act();
        }
    }

    /// The viewer gets nothing of a smaller rendition from this relay.
    pub fn fails(&mut self, node: u32, relay: u32) -> bool {
        let failed = self
            .ladder
            .failed(self.now_ms, &mut self.planner, node, relay);
        self.act();
        failed
    }

    /// The relay wants to go, or is doubted, and serves its last.
    pub fn goes(&mut self, relay: u32) {
        self.ladder
            .relay_gone(self.now_ms, &mut self.planner, relay);
        self.act();
    }

    /// More of a relay is proven.
    pub fn grow(&mut self, relay: u32, slots: u32) {
        let edges = slots * self.config.edges_per_slot;
        self.relays.insert(relay, edges);
        let edges = edges - self.ladder.edges_taken(relay);
        let _ = self.planner.claim(self.now_ms, relay, edges);
        self.act();
    }

    pub fn lose_relay(&mut self, relay: u32) {
        let _ = self.planner.lost(self.now_ms, relay);
        self.ladder.left(self.now_ms, &mut self.planner, relay);
        self.relays.remove(&relay);
        self.act();
    }

    pub fn bring_relay(&mut self, slots: u32) -> u32 {
        let node = self.next;
        self.next += 1;
        let relay = Relay {
            sponsor: 9_999,
            order: OrderId([0; 32]),
            edges: slots * self.config.edges_per_slot,
            lease_end_ms: u64::MAX,
        };
        self.planner
            .relay_admitted(self.now_ms, node, relay)
            .unwrap();
        self.relays.insert(node, relay.edges);
        self.act();
        node
    }

    pub fn wait(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        while self.now_ms < end_ms {
            self.now_ms = (self.now_ms + 500).min(end_ms);
            self.planner.tick(self.now_ms);
            self.act();
        }
    }

    pub fn take(&mut self, event: Event) {
        let nth = |at: usize| {
            let count = self.peers.len().max(1);
            self.peers.keys().nth(at % count).copied()
        };
        match event {
            Event::Join(peer) => {
                self.join(peer);
            }
            Event::Leave(at) | Event::Lost(at) => {
                let Some(node) = nth(at) else { return };
                self.peers.remove(&node);
                let _ = match event {
                    Event::Lost(_) => self.planner.lost(self.now_ms, node),
                    _ => self.planner.leave(self.now_ms, node),
                };
                self.ladder.left(self.now_ms, &mut self.planner, node);
                self.plays.remove(&node);
            }
            Event::Claim(at, edges) => {
                let Some(node) = nth(at) else { return };
                let peer = self.peers.get_mut(&node).unwrap();
                peer.edges = edges;
                let peer = *peer;
                let _ = self.planner.claim(self.now_ms, node, edges);
                self.ladder
                    .joined(self.now_ms, &mut self.planner, node, peer);
            }
            Event::Decline => self.nobody_sponsors(),
            Event::Relay(slots) => {
                self.bring_relay(slots);
            }
            Event::RelayLost => {
                let relay = self.planner.rounds().first().map(|r| r.relay);
                if let Some(relay) = relay {
                    self.lose_relay(relay);
                }
            }
            Event::EdgeFailed(at) => {
                let Some(node) = nth(at) else { return };
                let parents = self.planner.node(node).map(|n| n.parents);
                let parent = parents.into_iter().flatten().flatten().next();
                if let Some(parent) = parent {
                    let fault = planner::EdgeFault::Unreachable;
                    self.planner.edge_failed(self.now_ms, node, parent, fault);
                }
            }
            Event::Wait(ms) => self.wait(ms),
        }
        self.act();
    }

    /// Nothing happens for a while.
    pub fn rest(&mut self) {
        for _ in 0..3 {
            self.wait(20_000);
            self.nobody_sponsors();
        }
    }

    /// What the driver does, until there is nothing to do.
    fn act(&mut self) {
        for _ in 0..100 {
            self.ladder.tick(self.now_ms, &mut self.planner);
            let (steps, actions) = (self.steps(), self.actions());
            let steps = steps + self.steps();
            self.check_upload();
            if !self.silent {
                self.say_what_plays();
            }
            if steps + actions == 0 {
                return;
            }
        }
    }

    fn steps(&mut self) -> usize {
        let mut count = 0;
        while let Some(step) = self.ladder.poll_step() {
            count += 1;
            match step {
                Step::Place {
                    node,
                    rendition,
                    cause,
                    ..
                } => self
                    .moves
                    .entry(node)
                    .or_default()
                    .push((rendition.0, cause)),
                Step::Rise { node, .. } => {
                    let moved = (0, MoveCause::Room);
                    self.moves.entry(node).or_default().push(moved);
                }
                Step::Feed { relay, .. } => assert!(self.fed.insert(relay)),
                Step::Unfeed { relay } => assert!(self.fed.remove(&relay)),
                Step::Release { node, .. } => {
                    let stays = self.peers.contains_key(&node);
                    assert!(
                        !stays
                            || self.planner.is_seated(node)
                            || self.ladder.source(node).is_some(),
                        "{node} loses the smaller rendition and has no other"
                    );
                }
            }
        }
        count
    }

    fn actions(&mut self) -> usize {
        let mut count = 0;
        while let Some(action) = self.planner.poll_action() {
            count += 1;
            match action {
                Action::Attach {
                    child,
                    parent,
                    stripe,
                    ..
                } => self.planner.edge_up(child, parent, stripe),
                Action::Ask { to, question, .. } => self.asked.push((to, question)),
                Action::Orphaned { node } => {
                    self.ladder.starves(self.now_ms, &mut self.planner, node);
                }
                Action::Refuse { node, .. } => self.refuse(node),
                _ => {}
            }
        }
        count
    }

    fn refuse(&mut self, node: u32) {
        if self.ladder.refused(self.now_ms, &mut self.planner, node) {
            return;
        }
        self.peers.remove(&node);
        self.refused.push(node);
        assert!(
            !self.ladder.has_place(&self.planner, node),
            "{node} was refused beside a place"
        );
        let below: BTreeSet<u32> = self.ladder.below().map(|(n, _)| n).collect();
        let riders = self.planner.free_riders();
        let could = riders.iter().filter(|n| !below.contains(n));
        let could: Vec<_> = could
            .filter(|n| self.planner.is_under_station(**n))
            .collect();
        assert!(
            could.is_empty(),
            "{could:?} could have made room for {node}"
        );
    }

    fn say_what_plays(&mut self) {
        let nodes: Vec<u32> = self.peers.keys().copied().collect();
        for node in nodes {
            let rendition = self.ladder.rendition(node);
            self.ladder
                .playing(self.now_ms, &mut self.planner, node, rendition);
        }
        // Who falls plays what it is given.
        let below: Vec<_> = self.ladder.below().collect();
        for (node, rendition) in below {
            if self.ladder.rendition(node) == rendition {
                self.ladder
                    .playing(self.now_ms, &mut self.planner, node, rendition);
            }
        }
    }

    fn check_upload(&self) {
        let (used, edges) = self.planner.station_edges();
        assert!(used <= edges, "{used} of {edges} edges");
        let edge_bps = SLOT_BPS.div_ceil(self.config.edges_per_slot.into());
        let all_bps = u64::from(edges) * edge_bps + self.ladder.used_bps();
        let most_bps = self.config.upload_bps;
        assert!(all_bps <= most_bps, "{all_bps} of {most_bps} bit/s");
        for (relay, edges) in &self.relays {
            let used = self.planner.node(*relay).map_or(0, |node| node.edges_used);
            let trees_bps = u64::from(used) * edge_bps;
            let all_bps = trees_bps + self.ladder.passed_bps(*relay);
            let most_bps = u64::from(*edges) * edge_bps;
            assert!(
                all_bps <= most_bps,
                "{all_bps} of {most_bps} bit/s at {relay}"
            );
        }
        let fed: BTreeSet<u32> = self.ladder.fed().collect();
        assert_eq!(fed, self.fed);
        for (node, _) in self.ladder.below() {
            let (parent, _) = self.ladder.source(node).unwrap();
            assert!(parent == STATION || self.fed.contains(&parent), "{node}");
        }
    }

    /// Nobody who contributes has a smaller rendition while a free rider has
    /// the best one and could make room for him.
    pub fn check_order(&self) {
        let gives = |node: &u32| {
            let peer = self.peers.get(node);
            peer.is_some_and(|p| p.edges > 0 && !p.relay_only)
        };
        let low: BTreeSet<u32> = self.ladder.below().map(|(n, _)| n).collect();
        let waits = low
            .iter()
            .any(|node| gives(node) && !self.planner.has(*node));
        let riders = self.planner.free_riders();
        let riders: Vec<_> = riders.iter().filter(|n| !low.contains(n)).collect();
        let movable = low.iter().any(|n| self.ladder.has_place(&self.planner, *n))
            || riders.iter().any(|n| self.planner.is_under_station(**n));
        assert!(
            !waits || riders.is_empty() || !movable,
            "{riders:?} before who gives, of {low:?}"
        );
    }
}
