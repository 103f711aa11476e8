//! An audience in the station's plan: who hangs under whom in each stripe, and
//! who loses the picture when one node is gone. Nothing is sent.

use crate::Failure;
use overlay::planner::{Action, Config, NodeView, Peer, Planner, Relay};
use std::collections::{BTreeMap, BTreeSet};
use wire::message::control::NodeKind;
use wire::{OrderId, Stripes};

const STATION: u32 = 0;
/// The station's whole slots, those of a relay, and the viewers.
const STATION_SLOTS: u32 = 4;
const RELAY_SLOTS: u32 = 8;
const VIEWERS: u32 = 120;
/// Every so many-th viewer brings a relay.
const RELAY_EVERY: u32 = 40;
/// Names of relays begin here.
const RELAYS: u32 = 1_000;
/// A round is an hour, in milliseconds.
const LEASE_MS: u64 = 3_600_000;
/// How long the coordinator's clock goes on after the last has come, and from
/// tick to tick, in milliseconds.
const SETTLE_MS: u64 = 20_000;
const TICK_MS: u64 = 50;

/// The planner and its view of everybody.
pub struct Audience {
    planner: Planner<u32>,
    stripes: Stripes,
    now_ms: u64,
}

impl Audience {
    /// Viewers with none to three slots of upload each, and a few relays, all
    /// of whose edges work.
    ///
    /// # Errors
    /// [`Failure::Overlay`].
    pub fn gather(stripes: Stripes) -> Result<Self, Failure> {
        Self::with_slots(stripes, |name| name % 4)
    }

    /// The same, half of them free riders and the others with three slots.
    ///
    /// # Errors
    /// [`Failure::Overlay`].
    pub fn half_riding_free(stripes: Stripes) -> Result<Self, Failure> {
        Self::with_slots(stripes, |name| name % 2 * 3)
    }

    fn with_slots(stripes: Stripes, slots: fn(u32) -> u32) -> Result<Self, Failure> {
        let config = Config {
            stripes,
            ..Config::default()
        };
        let count = u32::from(stripes.count());
        let edges = STATION_SLOTS.saturating_mul(count);
        let mut audience = Self {
            planner: Planner::new(STATION, edges, config, 1),
            stripes,
            now_ms: 0,
        };
        for name in 1..=VIEWERS {
            let peer = Peer {
                edges: slots(name).saturating_mul(count),
                ..Peer::default()
            };
            audience.planner.join(audience.now_ms, name, peer)?;
            if name.is_multiple_of(RELAY_EVERY) {
                let relay = Relay {
                    sponsor: name,
                    order: OrderId([1; 32]),
                    edges: RELAY_SLOTS.saturating_mul(count),
                    lease_end_ms: LEASE_MS,
                };
                let relay_name = RELAYS.saturating_add(name);
                audience
                    .planner
                    .relay_admitted(audience.now_ms, relay_name, relay)?;
            }
            audience.pass(TICK_MS);
        }
        audience.pass(SETTLE_MS);
        Ok(audience)
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / TICK_MS {
            self.now_ms = self.now_ms.saturating_add(TICK_MS);
            self.planner.tick(self.now_ms);
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
            }
        }
    }

    /// The node of this kind on which most edges hang, directly or not.
    #[must_use]
    pub fn busiest(&self, kind: NodeKind) -> Option<u32> {
        let view = self.planner.view();
        let of_kind = view.iter().filter(|v| v.kind == kind);
        of_kind
            .max_by_key(|v| (self.below(&view, v.node).values().sum::<u32>(), v.node))
            .map(|v| v.node)
    }

    /// Viewers who have too few stripes to watch when this node is gone; but
    /// for the sponsor of a relay, who hangs under it in all.
    #[must_use]
    pub fn without(&self, victim: u32) -> usize {
        let view = self.planner.view();
        let below = self.below(&view, victim);
        let viewers = view
            .iter()
            .filter(|v| v.kind == NodeKind::Peer && v.node != victim)
            .filter(|v| v.node.saturating_add(RELAYS) != victim);
        let spare = u32::from(self.stripes.m());
        viewers
            .filter(|v| below.get(&v.node).is_some_and(|lost| *lost > spare))
            .count()
    }

    /// In how many stripes each node hangs below the victim.
    fn below(&self, view: &[NodeView<u32>], victim: u32) -> BTreeMap<u32, u32> {
        let parents: BTreeMap<u32, &Vec<Option<u32>>> =
            view.iter().map(|v| (v.node, &v.parents)).collect();
        let mut below = BTreeMap::new();
        for node in view {
            for s in 0..usize::from(self.stripes.count()) {
                let up = |at: &u32| parents.get(at)?.get(s).copied().flatten();
                let mut above = std::iter::successors(up(&node.node), up);
                if above.any(|at| at == victim) {
                    let lost: &mut u32 = below.entry(node.node).or_default();
                    *lost = lost.saturating_add(1);
                }
            }
        }
        below
    }

    /// The node is gone without a word; viewers who still wait for a place
    /// when the coordinator has heard of it.
    ///
    /// # Errors
    /// [`Failure::Overlay`].
    pub fn lose(&mut self, victim: u32) -> Result<usize, Failure> {
        self.planner.lost(self.now_ms, victim)?;
        let view = self.planner.view();
        Ok(view.iter().filter(|v| v.waiting).count())
    }

    /// Every fourth node, relays included.
    #[must_use]
    pub fn a_quarter(&self) -> BTreeSet<u32> {
        let view = self.planner.view();
        let others = view.iter().map(|v| v.node).filter(|node| *node != STATION);
        others.step_by(4).collect()
    }

    /// These nodes are gone without a word. Of the viewers that are left,
    /// those who have too few stripes to watch: when the coordinator has heard
    /// of it, or if it never does.
    ///
    /// # Errors
    /// [`Failure::Overlay`].
    pub fn lose_all(&mut self, gone: &BTreeSet<u32>, heard: bool) -> Result<usize, Failure> {
        if heard {
            for node in gone {
                self.planner.lost(self.now_ms, *node)?;
            }
            self.pass(TICK_MS);
        }
        let view = self.planner.view();
        let parents: BTreeMap<u32, &Vec<Option<u32>>> =
            view.iter().map(|v| (v.node, &v.parents)).collect();
        let fed = |node: u32, s: usize| {
            let up = |at: &u32| parents.get(at)?.get(s).copied().flatten();
            let path: Vec<u32> = std::iter::successors(Some(node), up).collect();
            path.last() == Some(&STATION) && path.iter().all(|at| !gone.contains(at))
        };
        let stripes = usize::from(self.stripes.count());
        let needed = usize::from(self.stripes.k());
        let viewers = view.iter().filter(|v| v.kind == NodeKind::Peer);
        let left = viewers.filter(|v| !gone.contains(&v.node));
        Ok(left
            .filter(|v| (0..stripes).filter(|s| fed(v.node, *s)).count() < needed)
            .count())
    }
}
