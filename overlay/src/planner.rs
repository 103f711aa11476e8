//! The coordinator's tree: who feeds whom, and who is asked when capacity is
//! short (paper, section 2.2, as the design completes it).
//!
//! Events go in as method calls with the time on any monotonic clock, actions
//! come out of [`Planner::poll_action`]. Equal seed and equal events give
//! equal actions. The tree is the single tree of k = 1, m = 0; edges name
//! their stripe.

mod action;
mod asking;
mod config;
mod doubt;
mod links;
mod member;
mod placing;
mod standing;
mod tree;
mod view;

pub use action::{Action, Question};
pub use config::{Config, HANDOVER_MS_MAX};
pub use member::{Peer, Relay};
pub use view::{EdgeView, NodeView, RoundView};

use crate::{Error, NodeId};
use asking::Asking;
use doubt::Doubt;
use links::Links;
use member::{Kind, Member};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tree::Tree;
use wire::message::control::Choice;
use wire::statement::Cause;
use wire::{AskId, Stripe};

/// Why an edge does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeFault {
    /// An end refuses the other for good (evidence, policy): never again.
    Refused,
    /// No connection, or it broke: a second try may do.
    Unreachable,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// Accepted and granted.
    Granted(Question),
    /// Declined.
    Declined(Question),
    /// The question was closed before the answer came.
    Late(Question),
}

/// The coordinator's planner.
#[derive(Debug, Clone)]
pub struct Planner<N> {
    config: Config,
    seed: u64,
    station: N,
    tree: Tree<N>,
    links: Links<N>,
    members: BTreeMap<N, Member<N>>,
    /// Relays by who pays for them.
    sponsored: BTreeMap<N, BTreeSet<N>>,
    /// Until when a sponsor's money runs, even if his relay was lost.
    paid: BTreeMap<N, u64>,
    /// Tops of the parts that wait for a place, and what made them wait.
    waiting: BTreeMap<N, Cause>,
    /// Children that should leave their parent, as soon as there is a place.
    doubts: BTreeMap<N, Doubt<N>>,
    asking: Asking<N>,
    actions: VecDeque<Action<N>>,
    serial: u64,
}

impl<N: NodeId> Planner<N> {
    /// The one stripe of the single tree.
    pub const STRIPE: Stripe = Stripe(0);

    /// A tree of the station alone, which can feed `slots` children. `seed`
    /// decides whom of equals is asked first.
    #[must_use]
    pub fn new(station: N, slots: u32, config: Config, seed: u64) -> Self {
        let root = Member::new(Kind::Station, 0, slots);
        Self {
            config,
            seed,
            station,
            tree: Tree::new(station, slots),
            links: Links::new(),
            members: BTreeMap::from([(station, root)]),
            sponsored: BTreeMap::new(),
            paid: BTreeMap::new(),
            waiting: BTreeMap::new(),
            doubts: BTreeMap::new(),
            asking: Asking::new(),
            actions: VecDeque::new(),
            serial: 0,
        }
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action<N>> {
        self.actions.pop_front()
    }

    /// A viewer was let in.
    ///
    /// # Errors
    /// [`Error::AlreadyMember`].
    pub fn join(&mut self, now_ms: u64, node: N, peer: Peer) -> Result<(), Error> {
        self.enroll(node, Kind::Peer(peer), peer.slots)?;
        self.waiting.insert(node, Cause::Join);
        self.settle(now_ms);
        Ok(())
    }

    /// A relay was verified; it is placed near the root, and its sponsor
    /// under it. Ends the sponsor's grant, if he has one.
    ///
    /// # Errors
    /// [`Error::AlreadyMember`].
    pub fn relay_admitted(&mut self, now_ms: u64, node: N, relay: Relay<N>) -> Result<(), Error> {
        self.enroll(node, Kind::Relay(relay), relay.slots)?;
        self.sponsored
            .entry(relay.sponsor)
            .or_default()
            .insert(node);
        let paid_until_ms = self.paid.entry(relay.sponsor).or_insert(0);
        *paid_until_ms = relay.lease_end_ms.max(*paid_until_ms);
        self.asking.redeemed(relay.sponsor);
        self.waiting.insert(node, Cause::Leave);
        self.settle(now_ms);
        Ok(())
    }

    /// The node said that it leaves.
    ///
    /// # Errors
    /// [`Error::UnknownNode`], [`Error::Station`].
    pub fn leave(&mut self, now_ms: u64, node: N) -> Result<(), Error> {
        self.depart(now_ms, node)
    }

    /// The node is gone without a word.
    ///
    /// # Errors
    /// [`Error::UnknownNode`], [`Error::Station`].
    pub fn lost(&mut self, now_ms: u64, node: N) -> Result<(), Error> {
        self.depart(now_ms, node)
    }

    /// The node's slots, by claim and receipts, are now `slots`; the station
    /// may be named too. If they are fewer than its children, the least
    /// worthy move elsewhere.
    ///
    /// # Errors
    /// [`Error::UnknownNode`].
    pub fn claim(&mut self, now_ms: u64, node: N, slots: u32) -> Result<(), Error> {
        let member = self.members.get_mut(&node).ok_or(Error::UnknownNode)?;
        member.slots = slots;
        self.apply_slots(node);
        // A relay without slots could not take its sponsor.
        self.reunite(node);
        self.settle(now_ms);
        Ok(())
    }

    /// A member answered.
    ///
    /// # Errors
    /// [`Error::UnknownNode`], [`Error::UnknownAsk`].
    pub fn answer(
        &mut self,
        now_ms: u64,
        ask: AskId,
        node: N,
        choice: Choice,
    ) -> Result<Answered, Error> {
        let member = self.members.get_mut(&node).ok_or(Error::UnknownNode)?;
        if choice == Choice::Never {
            member.never_ask();
        }
        let question = member
            .question
            .filter(|q| q.ask == ask)
            .ok_or(Error::UnknownAsk)?;
        let answered = self.take_answer(now_ms, node, question, choice);
        self.settle(now_ms);
        Ok(answered)
    }

    /// The granted sponsor could not redeem, or his relay was refused: the
    /// asking goes on without him.
    ///
    /// # Errors
    /// [`Error::UnknownAsk`] if he has no such grant.
    pub fn redeem_failed(&mut self, now_ms: u64, ask: AskId, node: N) -> Result<(), Error> {
        if !self.asking.grant_failed(ask, node) {
            return Err(Error::UnknownAsk);
        }
        self.settle(now_ms);
        Ok(())
    }

    /// The child reports that the edge works, i.e. that it is verified and
    /// the parent has welcomed it. Stale reports are ignored.
    pub fn edge_up(&mut self, child: N, parent: N) {
        if !self.links.up(child, parent) {
            return;
        }
        if let Some(member) = self.members.get_mut(&parent) {
            member.unreached = 0;
        }
        for (parent, child) in self.links.old_edges() {
            if self.is_fed(child) {
                self.links.end_old(parent, child);
                self.push_detach(parent, child);
            }
        }
    }

    /// The edge does not work: the child moves elsewhere, or tries again.
    /// Stale reports are ignored.
    pub fn edge_failed(&mut self, now_ms: u64, child: N, parent: N, fault: EdgeFault) {
        if !self.links.failed(child, parent) {
            return;
        }
        self.push_detach(parent, child);
        let tries = match fault {
            EdgeFault::Refused => config::TRIES_MAX,
            EdgeFault::Unreachable => 1,
        };
        if let Some(member) = self.members.get_mut(&child) {
            member.note_failure(parent, tries);
        }
        let reached = self.links.feeds_somebody(parent);
        if let Some(member) = self.members.get_mut(&parent)
            && !reached
            && member.is_peer()
        {
            member.unreached = member.unreached.saturating_add(1);
            self.apply_slots(parent);
        }
        // It may have been moved by the lines above.
        if self.tree.parent(child) == Some(parent) {
            self.tree.detach(child);
            self.waiting.insert(child, Cause::Leave);
        }
        self.settle(now_ms);
    }

    /// The child reports that its parent leaves out what is published, though
    /// the edge works. A parent that is fed has no excuse, and loses the
    /// child; one that has nothing itself keeps it, for its own edge is what
    /// has to be mended. Stale reports are ignored.
    pub fn withheld(&mut self, now_ms: u64, child: N, parent: N) {
        if self.is_fed(parent) {
            self.edge_failed(now_ms, child, parent, EdgeFault::Unreachable);
        }
    }

    /// Time has passed: deadlines and grants that are over end.
    pub fn tick(&mut self, now_ms: u64) {
        self.expire(now_ms);
        self.settle(now_ms);
    }

    /// When [`Planner::tick`] has something to do, if nothing happens before.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.asking.next_deadline_ms()
    }

    fn enroll(&mut self, node: N, kind: Kind<N>, slots: u32) -> Result<(), Error> {
        if self.members.contains_key(&node) {
            return Err(Error::AlreadyMember);
        }
        self.serial = self.serial.saturating_add(1);
        let member = Member::new(kind, self.serial, slots);
        self.tree
            .insert(node, member.slots_usable(), member.is_hub(), self.serial);
        self.members.insert(node, member);
        Ok(())
    }

    fn depart(&mut self, now_ms: u64, node: N) -> Result<(), Error> {
        if node == self.station {
            return Err(Error::Station);
        }
        if !self.members.contains_key(&node) {
            return Err(Error::UnknownNode);
        }
        let successor = self.successor(now_ms, node);
        let parent = self.tree.parent(node);
        let orphans = self.forget(node);
        if let (Some(successor), Some(parent)) = (successor, parent) {
            self.succeed(now_ms, successor, parent, orphans);
        }
        self.settle(now_ms);
        Ok(())
    }

    /// Removes all traces of a node; returns its children, which now wait.
    fn forget(&mut self, node: N) -> Vec<N> {
        if let Some(relay) = self.members.get(&node).and_then(Member::relay)
            && let Some(relays) = self.sponsored.get_mut(&relay.sponsor)
        {
            relays.remove(&node);
            if relays.is_empty() {
                let sponsor = relay.sponsor;
                self.sponsored.remove(&sponsor);
            }
        }
        for (parent, child) in self.links.remove(node) {
            self.push_detach(parent, child);
        }
        self.waiting.remove(&node);
        self.doubts.remove(&node);
        self.asking.forget(node);
        self.members.remove(&node);
        let orphans = self.tree.remove(node);
        for orphan in &orphans {
            self.waiting.insert(*orphan, Cause::Leave);
        }
        orphans
    }

    /// Brings the tree's slots in line with the member's, dropping children
    /// that do not fit.
    fn apply_slots(&mut self, node: N) {
        let slots = self.members.get(&node).map_or(0, Member::slots_usable);
        self.tree.set_slots(node, slots);
        while self.tree.over(node) {
            if !self.evict(node, |_| true) {
                break;
            }
        }
    }

    /// Places who can be placed, publishes the edges, asks for the rest; once
    /// more if somebody had to be refused, since that may orphan others.
    fn settle(&mut self, now_ms: u64) {
        let sponsored = &self.sponsored;
        self.paid
            .retain(|node, until_ms| *until_ms > now_ms || sponsored.contains_key(node));
        loop {
            self.place_waiting(now_ms);
            self.publish();
            if !self.pursue(now_ms) {
                break;
            }
        }
    }

    /// Turns changes of the plan into edges to make and to end. Ends come
    /// first, so that no parent is over its slots in between.
    fn publish(&mut self) {
        let mut attached = Vec::new();
        for child in self.tree.take_moved() {
            let change = self.links.retarget(child, self.tree.parent(child));
            for parent in change.detach {
                self.push_detach(parent, child);
            }
            if let Some(parent) = change.attach {
                attached.push((parent, child, change.replaces));
            } else if self.waiting.get(&child) == Some(&Cause::Leave) {
                self.actions.push_back(Action::Orphaned { node: child });
            }
        }
        for (parent, child) in self.links.old_edges() {
            let carried_max = self
                .tree
                .slots(parent)
                .saturating_add(self.config.handover_edges_max);
            if self.links.carried(parent) > carried_max {
                self.links.end_old(parent, child);
                self.push_detach(parent, child);
                attached
                    .iter_mut()
                    .filter(|(_, c, _)| *c == child)
                    .for_each(|(_, _, replaces)| *replaces = None);
            }
        }
        for (parent, child, replaces) in attached {
            self.actions.push_back(Action::Attach {
                stripe: Self::STRIPE,
                child,
                parent,
                priority: self.priority(child, parent),
                replaces,
            });
        }
    }

    /// Whether every edge from the station to the node works.
    fn is_fed(&self, node: N) -> bool {
        let mut at = node;
        while at != self.station {
            match self.tree.parent(at) {
                Some(parent) if self.links.is_up(at) => at = parent,
                _ => return false,
            }
        }
        true
    }

    fn push_detach(&mut self, parent: N, child: N) {
        self.actions.push_back(Action::Detach {
            stripe: Self::STRIPE,
            child,
            parent,
        });
    }
}
