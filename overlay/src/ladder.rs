//! The bitrate ladder: who gets a smaller rendition when the trees are full,
//! and who moves up again (paper, sections 2.2 and 2.3; the broadcaster's
//! choice `degrade`).
//!
//! It stands beside the [`Planner`], whose trees carry the best rendition
//! alone. The smaller ones are fed by the station itself, to each viewer
//! directly, and the smallest one by relays, too, which get it once from the
//! station: what station and relays upload is shared between their edges in the
//! trees and these places by their bits per second. Events go in as method calls,
//! [`Step`]s come out; who moves has the old rendition until it says that it
//! plays the new one ([`Ladder::playing`]).
//!
//! The smallest rendition comes first: nobody is refused while there is a
//! place for it, or while a free rider whom the station feeds can make several
//! of his own. Better ones go to sponsors, then to contributors, then to free
//! riders by lot.

mod budget;
mod climbing;
mod config;
mod passing;

pub use config::Config;

use crate::planner::{Peer, Planner};
use crate::{Error, NodeId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::Rendition;
use wire::message::control::MoveCause;
use wire::statement::Priority;

/// Who moves and does not say that it plays the new rendition has lost the old
/// one after this: several groups and a connection take less.
const MOVE_MS_MAX: u64 = 15_000;

/// One thing to do, before what the planner wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<N> {
    /// This viewer gets all stripes of this rendition, in the place of whatever
    /// it got from there before.
    Place {
        /// The viewer.
        node: N,
        /// Who feeds it: the station, or a relay.
        parent: N,
        /// Who fed it a smaller rendition until now, if that ends.
        from: Option<N>,
        /// The rendition; never the best one.
        rendition: Rendition,
        /// The viewer's standing.
        priority: Priority,
        /// Why.
        cause: MoveCause,
    },
    /// The viewer gets no smaller rendition from there any more.
    Release {
        /// The viewer.
        node: N,
        /// Who fed it.
        parent: N,
    },
    /// The trees have a place for this viewer: the best rendition comes. What
    /// it is fed of a smaller one ends here only if that parent is one of its
    /// parents there, and with [`Step::Release`] in any case.
    Rise {
        /// The viewer.
        node: N,
        /// Who feeds it the smaller one.
        parent: N,
    },
    /// This relay gets all stripes of a smaller rendition from the station,
    /// beside what the trees give it.
    Feed {
        /// The relay.
        relay: N,
        /// The rendition.
        rendition: Rendition,
    },
    /// The relay gets no smaller rendition any more.
    Unfeed {
        /// The relay.
        relay: N,
    },
}

/// How a viewer with a smaller rendition stands to the trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It waits there for a place.
    Waits,
    /// It is not in them.
    Stays,
    /// It has a place there since then, and is to play the best rendition.
    Rises(u64),
    /// It still has its place there, since then only until it plays the
    /// smaller one.
    Falls(u64),
}

/// A viewer's place at a smaller rendition.
#[derive(Debug, Clone, Copy)]
struct Place<N> {
    rendition: u8,
    phase: Phase,
    /// The station, or a relay that passes it on.
    parent: N,
}

/// Better first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Sponsor,
    Contributor,
    FreeRider,
}

impl Worth {
    const fn priority(self) -> Priority {
        match self {
            Self::Sponsor => Priority::Sponsor,
            Self::Contributor => Priority::Contributor,
            Self::FreeRider => Priority::FreeRider,
        }
    }
}

/// Who is at which rendition.
#[derive(Debug, Clone)]
pub struct Ladder<N> {
    config: Config,
    station: N,
    /// State of the lot.
    lot: u64,
    peers: BTreeMap<N, Peer>,
    below: BTreeMap<N, Place<N>>,
    /// Relays that get the smallest rendition, and the edges that each has
    /// given up for it.
    fed: BTreeMap<N, u32>,
    /// Relays that go, or failed: they are given nothing to pass on any more.
    shunned: BTreeSet<N>,
    /// Who could not have it from which relay.
    apart: BTreeSet<(N, N)>,
    steps: VecDeque<Step<N>>,
    /// Since when there was room at the top without a break.
    room_since_ms: Option<u64>,
    looked_ms: u64,
}

impl<N: NodeId> Ladder<N> {
    /// A ladder with nobody on it. `seed` decides which free riders come first.
    /// Give the planner [`Ladder::edges_at_first`] for its station.
    ///
    /// # Errors
    /// [`Error::NoLadder`] for fewer than two renditions, or if they do not get
    /// smaller.
    pub fn new(station: N, config: Config, seed: u64) -> Result<Self, Error> {
        if !config.descends() {
            return Err(Error::NoLadder);
        }
        Ok(Self {
            config,
            station,
            lot: seed,
            peers: BTreeMap::new(),
            below: BTreeMap::new(),
            fed: BTreeMap::new(),
            shunned: BTreeSet::new(),
            apart: BTreeSet::new(),
            steps: VecDeque::new(),
            room_since_ms: None,
            looked_ms: 0,
        })
    }

    /// The next thing to do.
    pub fn poll_step(&mut self) -> Option<Step<N>> {
        self.steps.pop_front()
    }

    /// The rendition that the viewer is to play; the best one, unless it has a
    /// smaller one and no place in the trees.
    #[must_use]
    pub fn rendition(&self, node: N) -> Rendition {
        match self.below.get(&node) {
            Some(place) if !matches!(place.phase, Phase::Rises(_)) => Rendition(place.rendition),
            _ => Rendition(0),
        }
    }

    /// Viewers who are fed a smaller rendition, and which.
    pub fn below(&self) -> impl Iterator<Item = (N, Rendition)> + '_ {
        let places = self.below.iter();
        places.map(|(node, place)| (*node, Rendition(place.rendition)))
    }

    /// A viewer has joined the trees, or claims something else than before.
    /// While it has no place there, it gets a smaller rendition, if that has
    /// one free.
    pub fn joined(&mut self, now_ms: u64, planner: &mut Planner<N>, node: N, peer: Peer) {
        self.peers.insert(node, peer);
        self.starves(now_ms, planner, node);
    }

    /// A viewer in the trees has lost so much that it cannot watch.
    pub fn starves(&mut self, now_ms: u64, planner: &mut Planner<N>, node: N) {
        let known = self.peers.contains_key(&node) && !self.below.contains_key(&node);
        if known && planner.has(node) && !planner.is_seated(node) {
            self.place(now_ms, planner, node, (MoveCause::Full, Phase::Waits));
        }
    }

    /// The planner has refused this viewer, and forgotten him; true if he has a
    /// smaller rendition, or gets one now.
    pub fn refused(&mut self, now_ms: u64, planner: &mut Planner<N>, node: N) -> bool {
        if !self.peers.contains_key(&node) {
            return false;
        }
        if let Some(place) = self.below.get_mut(&node) {
            place.phase = Phase::Stays;
            return true;
        }
        let to = (MoveCause::Full, Phase::Stays);
        let placed = self.place(now_ms, planner, node, to)
            || self.make_room(now_ms, planner) && self.place(now_ms, planner, node, to);
        if !placed {
            self.peers.remove(&node);
        }
        placed
    }

    /// The viewer says that it plays this rendition: what it had before ends.
    pub fn playing(
        &mut self,
        now_ms: u64,
        planner: &mut Planner<N>,
        node: N,
        rendition: Rendition,
    ) {
        let Some(place) = self.below.get(&node).copied() else {
            return;
        };
        match place.phase {
            Phase::Falls(_) if rendition.0 == place.rendition => self.fall(now_ms, planner, node),
            Phase::Rises(_) if rendition.0 == 0 => self.release(now_ms, planner, node),
            _ => {}
        }
    }

    /// The viewer, or relay, is gone.
    pub fn left(&mut self, now_ms: u64, planner: &mut Planner<N>, node: N) {
        self.relay_gone(now_ms, planner, node);
        self.shunned.remove(&node);
        self.apart.retain(|(a, b)| *a != node && *b != node);
        self.peers.remove(&node);
        self.release(now_ms, planner, node);
    }

    /// Time has passed, or something has happened.
    pub fn tick(&mut self, now_ms: u64, planner: &mut Planner<N>) {
        self.look(now_ms, planner);
        self.climb(now_ms, planner);
    }

    fn worth(&self, planner: &Planner<N>, node: N) -> Worth {
        let gives = |peer: &Peer| peer.edges > 0 && !peer.relay_only;
        if planner.has_paid(node) {
            Worth::Sponsor
        } else if self.peers.get(&node).is_some_and(gives) {
            Worth::Contributor
        } else {
            Worth::FreeRider
        }
    }

    /// Who waited in the trees and has a place there rises; who has lost it
    /// waits again; who does not say what it plays is waited for no longer.
    fn look(&mut self, now_ms: u64, planner: &mut Planner<N>) {
        let (mut late, mut again) = (Vec::new(), Vec::new());
        for (node, place) in &mut self.below {
            let seated = planner.is_seated(*node);
            let is_late = |since: u64| now_ms.saturating_sub(since) >= MOVE_MS_MAX;
            match place.phase {
                Phase::Waits if seated => {
                    place.phase = Phase::Rises(now_ms);
                    self.steps.push_back(Step::Rise {
                        node: *node,
                        parent: place.parent,
                    });
                }
                Phase::Rises(_) if !seated => {
                    let waits = planner.has(*node);
                    place.phase = if waits { Phase::Waits } else { Phase::Stays };
                    again.push((*node, *place));
                }
                Phase::Rises(since) | Phase::Falls(since) if is_late(since) => {
                    late.push((*node, place.phase));
                }
                _ => {}
            }
        }
        for (node, place) in again {
            self.put(planner, node, place, MoveCause::Full);
        }
        for (node, phase) in late {
            match phase {
                Phase::Falls(_) => self.fall(now_ms, planner, node),
                _ => self.release(now_ms, planner, node),
            }
        }
    }

    /// The viewer has the smaller rendition alone: others get its place.
    fn fall(&mut self, now_ms: u64, planner: &mut Planner<N>, node: N) {
        if let Some(place) = self.below.get_mut(&node) {
            place.phase = Phase::Stays;
            let _ = planner.leave(now_ms, node);
        }
    }

    fn release(&mut self, now_ms: u64, planner: &mut Planner<N>, node: N) {
        if let Some(Place { parent, .. }) = self.below.remove(&node) {
            self.steps.push_back(Step::Release { node, parent });
            self.share_relay(now_ms, planner, parent);
            self.share(now_ms, planner);
        }
    }
}
