//! The bitrate ladder's driver: who gets a smaller rendition, by permit and
//! with a word why.

use super::coordinator::{Coordinator, Settings};
use super::permits::Pair;
use super::stream_rate;
use super::tree::parents_of;
use crate::Error;
use overlay::ladder::{Config, Ladder, Step};
use overlay::planner::{Action, NodeView, Peer};
use serde_json::json;
use std::collections::BTreeMap;
use wire::codec::List;
use wire::limits::{RENDITIONS_MAX, STRIPES_MAX};
use wire::message::control::{Down, Move, MoveCause, NodeKind, TreeParent};
use wire::{Rendition, SpkiHash, StripeSet};

/// How long there must be room before a free rider moves up, in milliseconds:
/// longer than a viewer takes who restarts his client.
const ROOM_MS_MIN: u64 = 5_000;

/// What becomes of those for whom the trees have no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// They are refused.
    #[default]
    Refuse,
    /// They get a smaller rendition, as long as there is a place for it.
    Degrade,
}

impl Settings {
    /// The ladder, if the broadcaster wants one.
    pub(super) fn ladder(&self, station: SpkiHash, seed: u64) -> Option<Ladder<SpkiHash>> {
        if self.when_full == WhenFull::Refuse {
            return None;
        }
        let count = u64::from(self.stripes.count());
        let slot_bps = |bps: &u64| stream_rate::edge_bps(*bps, self.stripes).saturating_mul(count);
        let smaller = self.smaller_bps.iter().map(slot_bps);
        let config = Config {
            slots_bps: std::iter::once(self.slot_bps()).chain(smaller).collect(),
            edges_per_slot: self.stripes.count().into(),
            upload_bps: self.upload_bps,
            room_ms_min: ROOM_MS_MIN,
        };
        // What does not descend was refused when the broadcast was started.
        Ladder::new(station, config, seed).ok()
    }

    /// All renditions, the best first, in bit/s.
    pub(super) fn renditions_bps(&self) -> Result<List<u64, { RENDITIONS_MAX as usize }>, Error> {
        let smaller = self.smaller_bps.iter().copied();
        let all = std::iter::once(self.stream_bps).chain(smaller);
        Ok(List::new(all.collect())?)
    }
}

impl Coordinator {
    /// What the planner wants next; what the ladder wants is done before it.
    pub(super) fn next_action(&mut self) -> Option<Action<SpkiHash>> {
        self.take_steps();
        let action = self.planner.poll_action();
        if action.is_some() {
            return action;
        }
        let now_ms = self.clock.mono_ms();
        self.ladder.as_mut()?.tick(now_ms, &mut self.planner);
        self.take_steps();
        self.planner.poll_action()
    }

    /// A viewer is in the trees, or waits there.
    pub(super) fn ladder_joined(&mut self, now_ms: u64, node: SpkiHash, peer: Peer) {
        if let Some(ladder) = &mut self.ladder {
            ladder.joined(now_ms, &mut self.planner, node, peer);
        }
    }

    pub(super) fn ladder_left(&mut self, now_ms: u64, node: SpkiHash) {
        if let Some(ladder) = &mut self.ladder {
            ladder.left(now_ms, &mut self.planner, node);
        }
    }

    /// A viewer has lost its place in the trees.
    pub(super) fn starves(&mut self, node: SpkiHash) {
        let now_ms = self.clock.mono_ms();
        if let Some(ladder) = &mut self.ladder {
            ladder.starves(now_ms, &mut self.planner, node);
        }
    }

    /// Whether a viewer whom the trees have no place for gets a smaller
    /// rendition.
    pub(super) fn degrades(&mut self, node: SpkiHash) -> bool {
        let now_ms = self.clock.mono_ms();
        let planner = &mut self.planner;
        let ladder = self.ladder.as_mut();
        ladder.is_some_and(|ladder| ladder.refused(now_ms, planner, node))
    }

    /// A viewer says what it plays.
    pub(super) fn playing(&mut self, from: SpkiHash, rendition: Rendition) {
        let now_ms = self.clock.mono_ms();
        let Some(ladder) = &mut self.ladder else {
            return;
        };
        if rendition == Rendition(0) && ladder.rendition(from) == rendition {
            // The link has been there all along, so that no edge is new.
            let parent = ladder.source(from).map_or(self.me, |(parent, _)| parent);
            let permitted = self.permits.get((from, parent));
            for stripe in permitted.map_or(StripeSet::EMPTY, |p| p.stripes).iter() {
                self.planner.edge_up(from, parent, stripe);
            }
        }
        ladder.playing(now_ms, &mut self.planner, from, rendition);
    }

    /// Whether a viewer gets a smaller rendition.
    pub(super) fn is_below(&self, node: SpkiHash) -> bool {
        let mut below = self.ladder.iter().flat_map(Ladder::below);
        below.any(|(other, _)| other == node)
    }

    pub(super) fn any_below(&self) -> bool {
        let below = self.ladder.as_ref().map(Ladder::below);
        below.is_some_and(|mut below| below.next().is_some())
    }

    fn take_steps(&mut self) {
        while let Some(step) = self.ladder.as_mut().and_then(Ladder::poll_step) {
            match step {
                Step::Place {
                    node,
                    parent,
                    from,
                    rendition,
                    priority,
                    cause,
                } => {
                    let all = StripeSet::from(self.settings.stripes);
                    if let Some(from) = from {
                        self.give_no_more((node, from));
                    }
                    let pair = (node, parent);
                    self.open_below(pair, rendition);
                    self.permits.put_below(pair, (rendition, all), priority);
                    // Neighbours have the best rendition alone.
                    self.mesh.leave(node);
                    if parent != self.me {
                        self.tell_passed((node, parent), rendition);
                    }
                    if from.is_none() {
                        self.move_to(node, rendition, cause);
                    }
                }
                Step::Rise { node, parent } => {
                    self.permits.end_below((node, parent));
                    self.mesh.join_again(node);
                    self.move_to(node, Rendition(0), MoveCause::Room);
                }
                Step::Release { node, parent } => self.give_no_more((node, parent)),
                Step::Feed { relay, rendition } => self.feed(relay, rendition),
                Step::Unfeed { relay } => self.unfeed(relay),
            }
        }
    }

    /// What this viewer gets there of a smaller rendition is receipted, and
    /// counted from zero, unless it had it there before.
    fn open_below(&mut self, pair: Pair, rendition: Rendition) {
        let known = self.permits.get(pair).map(|p| p.flow().0);
        if known == Some(rendition) {
            return;
        }
        let (child, parent) = pair;
        self.permits.note_below_over(pair, self.clock.mono_ms());
        for stripe in StripeSet::from(self.settings.stripes).iter() {
            self.open_account(child, (parent, rendition, stripe));
        }
    }

    fn give_no_more(&mut self, pair: Pair) {
        self.permits.note_below_over(pair, self.clock.mono_ms());
        self.permits.no_below(pair);
    }

    fn tell_passed(&self, (node, relay): (SpkiHash, SpkiHash), rendition: Rendition) {
        let fields = json!({"relay": relay.to_hex(), "rendition": rendition.0});
        self.emit.tell_of(&self.name_of(node), "passed_on", fields);
    }

    fn move_to(&mut self, node: SpkiHash, rendition: Rendition, cause: MoveCause) {
        let fields = json!({"rendition": rendition.0, "cause": cause.name()});
        self.emit.tell_of(&self.name_of(node), "moved", fields);
        self.say(node, Down::Move(Move { rendition, cause }));
    }

    /// Viewers who are in no tree, for the picture.
    pub(super) fn views_below(&self) -> Vec<NodeView<SpkiHash>> {
        let below = self.ladder.iter().flat_map(Ladder::below);
        let beside = below.filter(|(node, _)| !self.planner.has(*node));
        beside
            .map(|(node, _)| NodeView {
                node,
                kind: NodeKind::Peer,
                parents: Vec::new(),
                edges: 0,
                edges_used: 0,
                depth: Some(if self.source_of(node) == self.me {
                    1
                } else {
                    2
                }),
                waiting: false,
                fed: self.settings.stripes.count(),
                guaranteed: false,
            })
            .collect()
    }

    /// Who gives a viewer a smaller rendition.
    fn source_of(&self, node: SpkiHash) -> SpkiHash {
        let source = self.ladder.as_ref().and_then(|l| l.source(node));
        source.map_or(self.me, |(parent, _)| parent)
    }

    /// Who gives a node of the picture what: the station or a relay, to those
    /// below.
    pub(super) fn shown_parents(
        &self,
        node: &NodeView<SpkiHash>,
        places: &BTreeMap<SpkiHash, u16>,
    ) -> List<TreeParent, { STRIPES_MAX as usize }> {
        let seated = node.parents.iter().any(Option::is_some);
        let parents = if !seated && self.is_below(node.node) {
            let rendition = self.ladder.as_ref().map(|l| l.rendition(node.node));
            vec![TreeParent {
                rendition: rendition.unwrap_or(Rendition(0)),
                node: places.get(&self.source_of(node.node)).copied().unwrap_or(0),
                stripes: StripeSet::from(self.settings.stripes),
            }]
        } else {
            parents_of(node, places)
        };
        List::new(parents).unwrap_or_default()
    }
}
