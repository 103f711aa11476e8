//! The coordinator's trees, one for each of the k+m stripes: who feeds whom,
//! and who is asked when capacity is short (paper, sections 2.2 and 2.3, as
//! the design completes them).
//!
//! Events go in as method calls with the time on any monotonic clock, actions
//! come out of [`Planner::poll_action`]. Equal seed and equal events give
//! equal actions.
//!
//! Capacity is counted in edges: one stripe to one child. Whoever has one free
//! can feed any stripe that it receives. A peer feeds one stripe, its primary
//! one, as long as every stripe finds parents in that way: then its end costs
//! nobody more than that stripe.

mod action;
mod adopting;
mod asking;
mod config;
mod doubt;
mod everybody;
mod flap;
mod forest;
mod index;
mod laddering;
mod lifting;
mod links;
mod lot;
mod matching;
mod member;
mod mending;
mod nearing;
mod neighbours;
mod placing;
mod publishing;
mod raising;
mod relays;
mod seating;
mod shifting;
mod shortage;
mod standing;
mod succession;
mod suspects;
mod view;
mod waiting;

pub use action::{Action, Question};
pub use adopting::{Adopted, Standing};
pub use config::{Config, HANDOVER_MS_MAX};
pub use everybody::Everybody;
pub(crate) use lot::mix as next_of_lot;
pub use member::{Peer, Relay};
pub use neighbours::{NeighbourChange, Neighbours};
pub use view::{EdgeView, NodeView, RoundView};

use crate::{Error, NodeId};
use asking::Asking;
use doubt::Doubt;
use flap::Flaps;
use forest::{Forest, Ix};
use index::Index;
use links::Links;
use member::{Failures, Member};
use mending::Mending;
use nearing::Nearing;
use standing::Paid;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use suspects::Suspects;
use waiting::Waiting;
use wire::message::control::{Choice, NodeKind};
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
    forest: Forest,
    links: Links,
    index: Index<N>,
    /// By number; those of nodes that are gone are not in `index`.
    members: Vec<Member<N>>,
    relays: BTreeMap<Ix, Relay<N>>,
    /// Relays by who pays for them.
    sponsored: BTreeMap<N, BTreeSet<Ix>>,
    paid: Paid<N>,
    /// Tops of the parts that wait for a place, by stripe, and members that
    /// have none at all.
    waiting: Waiting,
    /// Children that should leave their parent, as soon as there is a place.
    doubts: BTreeMap<(Ix, u8), Doubt>,
    failures: Failures<N>,
    flaps: Flaps<N>,
    suspects: Suspects,
    mending: Mending,
    nearing: Nearing,
    /// The stripe that is looked through first, and not before this time.
    lift_next: u8,
    lift_after_ms: u64,
    asking: Asking<N>,
    actions: VecDeque<Action<N>>,
    serial: u64,
}

impl<N: NodeId> Planner<N> {
    /// Trees of the station alone, which can feed `edges` in all stripes
    /// together. `seed` decides whom of equals is asked first.
    #[must_use]
    pub fn new(station: N, edges: u32, config: Config, seed: u64) -> Self {
        let stripes = config.stripes;
        let mut links = Links::new(stripes.count());
        links.grow(forest::ROOT);
        let mut index = Index::new();
        index.insert(station, forest::ROOT);
        Self {
            config,
            seed,
            forest: Forest::new(stripes, edges),
            links,
            index,
            members: vec![Member::new(station, NodeKind::Station, 0, edges)],
            relays: BTreeMap::new(),
            sponsored: BTreeMap::new(),
            paid: Paid::new(),
            waiting: Waiting::new(stripes.count()),
            doubts: BTreeMap::new(),
            failures: Failures::new(),
            flaps: Flaps::new(),
            suspects: Suspects::default(),
            mending: Mending::default(),
            nearing: Nearing::default(),
            lift_next: 0,
            lift_after_ms: 0,
            asking: Asking::new(),
            actions: VecDeque::new(),
            serial: 0,
        }
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action<N>> {
        self.actions.pop_front()
    }

    /// A viewer was let in. He gets all stripes, or as many as there are if
    /// they are enough to watch; with fewer he waits with none.
    ///
    /// # Errors
    /// [`Error::AlreadyMember`].
    pub fn join(&mut self, now_ms: u64, node: N, peer: Peer) -> Result<(), Error> {
        let ix = self.enroll(node, NodeKind::Peer, peer.edges)?;
        self.change_member(ix, |member| {
            member.never_ask = peer.never_ask;
            member.relay_only = peer.relay_only;
        });
        self.note_return(now_ms, ix);
        self.bring_in_line(ix);
        if self.sponsored.contains_key(&node) {
            self.forest.watch(ix);
        }
        self.wait(ix, self.nowhere(), Cause::Join);
        self.settle(now_ms);
        Ok(())
    }

    /// A relay was verified; it is placed near the root, and its sponsor
    /// under it. Ends the sponsor's grant, if he has one.
    ///
    /// # Errors
    /// [`Error::AlreadyMember`].
    pub fn relay_admitted(&mut self, now_ms: u64, node: N, relay: Relay<N>) -> Result<(), Error> {
        let ix = self.enroll(node, NodeKind::Relay, relay.edges)?;
        self.relays.insert(ix, relay);
        self.sponsored.entry(relay.sponsor).or_default().insert(ix);
        self.paid.extend(relay.sponsor, relay.lease_end_ms);
        self.asking.redeemed(relay.sponsor);
        self.bring_in_line(ix);
        self.choose_primary(ix);
        self.forest.watch(ix);
        if let Some(sponsor) = self.ix(relay.sponsor) {
            self.forest.watch(sponsor);
            self.requeue(sponsor);
        }
        self.want_stripes(ix);
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

    /// The node is gone without a word. If it is back soon, it has no standing
    /// for a while.
    ///
    /// # Errors
    /// [`Error::UnknownNode`], [`Error::Station`].
    pub fn lost(&mut self, now_ms: u64, node: N) -> Result<(), Error> {
        let peer = self.ix(node).and_then(|ix| self.member(ix));
        let peer = peer.is_some_and(Member::is_peer);
        self.depart(now_ms, node)?;
        if peer {
            self.flaps.note_lost(now_ms, node);
        }
        Ok(())
    }

    /// The node's edges, by claim and receipts, are now `edges`; the station
    /// may be named too. If they are fewer than it feeds, the least worthy
    /// children move elsewhere.
    ///
    /// # Errors
    /// [`Error::UnknownNode`].
    pub fn claim(&mut self, now_ms: u64, node: N, edges: u32) -> Result<(), Error> {
        let ix = self.ix(node).ok_or(Error::UnknownNode)?;
        self.change_member(ix, |member| member.edges = edges);
        self.apply_edges(ix);
        // A relay without edges could not take its sponsor.
        self.want_stripes(ix);
        self.reunite(ix);
        self.requeue(ix);
        self.settle(now_ms);
        self.end_surplus(&BTreeSet::from([ix]));
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
        let ix = self.ix(node).ok_or(Error::UnknownNode)?;
        if choice == Choice::Never {
            self.change_member(ix, |member| member.never_ask = true);
        }
        let question = self.asking.question_of(ix);
        let question = question.filter(|q| q.ask == ask).ok_or(Error::UnknownAsk)?;
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
    pub fn edge_up(&mut self, child: N, parent: N, stripe: Stripe) {
        let (Some(child), Some(parent)) = (self.ix(child), self.ix(parent)) else {
            return;
        };
        if self.links.up(child, stripe.0, parent) {
            self.change_member(parent, |member| member.unreached = 0);
            self.end_replaced(child, stripe.0);
        }
    }

    /// The link between the two does not work: the child moves elsewhere in
    /// all stripes that it got there, or tries again. Stale reports are
    /// ignored.
    pub fn edge_failed(&mut self, now_ms: u64, child: N, parent: N, fault: EdgeFault) {
        let stripes = 0..self.config.stripes.count();
        self.fail(now_ms, child, parent, fault, stripes);
    }

    /// The child reports that its parent leaves out what is published in this
    /// stripe, though the edge works. A parent that is fed has no excuse, and
    /// loses the edge; one that has nothing itself keeps it, for its own edge
    /// is what has to be mended. Stale reports are ignored.
    pub fn withheld(&mut self, now_ms: u64, child: N, parent: N, stripe: Stripe) {
        let fed = self.ix(parent).is_some_and(|p| self.is_fed(p, stripe.0));
        if fed && stripe.0 < self.config.stripes.count() {
            let fault = EdgeFault::Unreachable;
            self.fail(now_ms, child, parent, fault, stripe.0..stripe.0 + 1);
        }
    }

    /// Whether a child has said a moment ago that it does not reach this node:
    /// if its own line is silent, too, it is gone.
    #[must_use]
    pub fn is_suspected(&self, node: N) -> bool {
        self.ix(node).is_some_and(|ix| self.suspects.has(ix))
    }

    /// Time has passed: deadlines and grants that are over end.
    pub fn tick(&mut self, now_ms: u64) {
        self.expire(now_ms);
        self.suspects.pass(now_ms);
        self.settle(now_ms);
        self.mend(now_ms);
        self.lift(now_ms);
        self.draw_near(now_ms);
    }

    /// When [`Planner::tick`] has something to do, if nothing happens before.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let waits = self.forest.starved() > 0;
        let suspects = self.suspects.next_deadline_ms().filter(|_| waits);
        let deadlines = self.asking.next_deadline_ms().into_iter().chain(suspects);
        deadlines.min()
    }

    fn ix(&self, node: N) -> Option<Ix> {
        self.index.get(node)
    }

    fn member(&self, ix: Ix) -> Option<&Member<N>> {
        self.members.get(ix as usize)
    }

    fn name_of(&self, ix: Ix) -> Option<N> {
        self.member(ix).map(|member| member.name)
    }

    fn change_member(&mut self, ix: Ix, change: impl FnOnce(&mut Member<N>)) {
        if let Some(member) = self.members.get_mut(ix as usize) {
            change(member);
        }
    }

    /// The queue of those who have no stripe at all.
    fn nowhere(&self) -> u8 {
        self.config.stripes.count()
    }

    fn enroll(&mut self, node: N, kind: NodeKind, edges: u32) -> Result<Ix, Error> {
        if self.index.get(node).is_some() {
            return Err(Error::AlreadyMember);
        }
        self.serial = self.serial.saturating_add(1);
        let member = Member::new(node, kind, self.serial, edges);
        let ix = self.forest.insert(member.is_hub());
        self.links.grow(ix);
        match self.members.get_mut(ix as usize) {
            Some(slot) => *slot = member,
            None => self.members.push(member),
        }
        self.index.insert(node, ix);
        Ok(ix)
    }

    fn depart(&mut self, now_ms: u64, node: N) -> Result<(), Error> {
        let ix = self.ix(node).ok_or(Error::UnknownNode)?;
        if ix == forest::ROOT {
            return Err(Error::Station);
        }
        let heirs = self.heirs(now_ms, ix);
        self.end_all_edges(ix);
        self.inherit(ix, &heirs);
        self.shift_children(ix);
        let orphans = self.forget(ix);
        self.succeed(now_ms, &heirs, &orphans);
        self.settle(now_ms);
        Ok(())
    }

    /// Removes all traces of a node whose edges have ended; returns its children
    /// by stripe, which now wait.
    fn forget(&mut self, ix: Ix) -> Vec<(Ix, u8)> {
        let Some(name) = self.name_of(ix) else {
            return Vec::new();
        };
        if let Some(relay) = self.relays.remove(&ix)
            && let Some(relays) = self.sponsored.get_mut(&relay.sponsor)
        {
            relays.remove(&ix);
            if relays.is_empty() {
                self.sponsored.remove(&relay.sponsor);
                self.paid.relays_gone(relay.sponsor);
            }
        }
        for (lane, _) in self.waiting.lanes_of(ix) {
            self.waiting.remove(ix, lane);
        }
        for s in self.config.stripes.all() {
            self.doubts.remove(&(ix, s.0));
        }
        self.failures.forget(ix);
        self.flaps.forget(ix);
        self.suspects.forget(ix);
        self.asking.forget(ix, name);
        self.index.remove(name);
        let orphans = self.forest.remove(ix);
        for (orphan, s) in &orphans {
            self.wait(*orphan, *s, Cause::Leave);
        }
        orphans
    }

    fn fail(
        &mut self,
        now_ms: u64,
        child: N,
        parent: N,
        fault: EdgeFault,
        stripes: std::ops::Range<u8>,
    ) {
        let (Some(child), Some(parent)) = (self.ix(child), self.ix(parent)) else {
            return;
        };
        let failed = self.end_pair(child, parent, stripes);
        if failed.is_empty() {
            return;
        }
        let tries = match fault {
            EdgeFault::Refused => config::TRIES_MAX,
            EdgeFault::Unreachable => 1,
        };
        self.note_failure(child, parent, tries);
        let reached = self.feeds_somebody(parent);
        let peer = self.member(parent).is_some_and(Member::is_peer);
        if peer && fault == EdgeFault::Unreachable {
            self.suspects.note(now_ms, parent);
        }
        if peer && !reached {
            self.change_member(parent, |m| m.unreached = m.unreached.saturating_add(1));
            self.apply_edges(parent);
        }
        for s in failed {
            // It may have been moved by the lines above.
            if self.forest.parent(child, s) == Some(parent) {
                self.forest.detach(child, s);
                self.wait(child, s, Cause::Leave);
            }
        }
        self.settle(now_ms);
    }

    fn note_failure(&mut self, child: Ix, parent: Ix, tries: u8) {
        if let Some(parent) = self.name_of(parent) {
            self.failures.note(child, parent, tries);
            self.change_member(child, |member| member.has_failures = true);
            self.requeue(child);
        }
    }

    /// Brings the forest's picture of a node in line with what it claims.
    fn bring_in_line(&mut self, ix: Ix) {
        let Some(member) = self.member(ix) else {
            return;
        };
        let (edges, unsteady) = (member.edges_usable(), member.unsteady);
        let begins = self.forest.edges(ix) == 0 && edges > 0 && member.is_peer();
        if begins && self.forest.feeds_nobody(ix) {
            let scarcest = self.forest.scarcest();
            self.forest.set_primary(ix, scarcest);
        }
        self.forest.set_edges(ix, edges);
        self.forest.set_unsteady(ix, unsteady);
    }

    /// As [`Planner::bring_in_line`], dropping children that do not fit.
    fn apply_edges(&mut self, ix: Ix) {
        self.bring_in_line(ix);
        while self.forest.used(ix) > self.forest.edges(ix) {
            let worst = self.worst_child(ix, |_, _| true);
            if !self.evict(worst) {
                break;
            }
        }
    }

    /// Places who can be placed, publishes the edges, asks for the rest; once
    /// more if somebody had to be refused, since that may orphan others.
    fn settle(&mut self, now_ms: u64) {
        while let Some(sponsor) = self.paid.expire(now_ms) {
            if let Some(ix) = self.ix(sponsor) {
                self.requeue(ix);
            }
        }
        self.end_flaps(now_ms);
        loop {
            self.place_waiting(now_ms);
            self.publish();
            if !self.pursue(now_ms) {
                break;
            }
        }
    }
}
