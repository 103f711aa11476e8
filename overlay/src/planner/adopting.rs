//! A coordinator that was away: members and edges are taken on as they are,
//! and each member says, as it comes back, what still works. Nothing that
//! works is cut for it.

use super::forest::{Ix, ROOT};
use super::{Member, Peer, Planner, Relay};
use crate::NodeId;
use std::collections::BTreeMap;
use wire::Stripe;
use wire::statement::Cause;

/// What a member is that is taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<N> {
    /// A viewer.
    Peer(Peer),
    /// A relay.
    Relay(Relay<N>),
}

/// A member of before, and whom it hangs under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted<N> {
    /// The member.
    pub node: N,
    /// What it is.
    pub standing: Standing<N>,
    /// Its parents, one for each stripe that it has.
    pub parents: Vec<(Stripe, N)>,
}

impl<N: NodeId> Planner<N> {
    /// Takes on members with their edges, in the order in which they first
    /// came. Until [`Planner::returned`] each counts as away: it keeps its
    /// place and its children, and gets no new ones. Edges to the station have
    /// ended with it and are made again ([`super::Action::Attach`]); all others
    /// are held to work. Who has no place waits for one.
    ///
    /// An edge is not taken on if a member of it is unknown, if it would make
    /// a loop, or if the station has no room for it. Others feed what they
    /// feed, even if they claim less. Members that are known stay as they are.
    pub fn adopt(&mut self, now_ms: u64, members: &[Adopted<N>]) {
        let mut fed: BTreeMap<N, u32> = BTreeMap::new();
        for (_, parent) in members.iter().flat_map(|m| &m.parents) {
            let count = fed.entry(*parent).or_default();
            *count = count.saturating_add(1);
        }
        let taken: Vec<(Ix, &Adopted<N>)> = members
            .iter()
            .filter_map(|m| Some((self.take_on(m, fed.get(&m.node).copied())?, m)))
            .collect();
        for (ix, member) in &taken {
            for (stripe, parent) in &member.parents {
                self.keep_edge(*ix, *parent, stripe.0);
            }
        }
        for (ix, _) in &taken {
            self.change_member(*ix, |member| member.away = true);
            self.keep_primary(*ix);
            self.wait_for_rest(*ix);
        }
        self.settle(now_ms);
    }

    /// Questions are numbered from the one after this on: those of an earlier
    /// coordinator of the same run are others.
    pub fn number_asks_from(&mut self, last: u64) {
        self.asking.number_from(last);
    }

    /// The line to the member is gone, and what it feeds may still flow: it
    /// keeps its place, and gets no new children.
    pub fn away(&mut self, node: N) {
        if let Some(ix) = self.ix(node) {
            self.change_member(ix, |member| member.away = true);
        }
    }

    /// The member is back, and says which parent brings it which stripe.
    /// Planned edges that it does not have are made again. The result is what
    /// it has and is not planned: to be ended.
    pub fn returned(&mut self, now_ms: u64, node: N, held: &[(Stripe, N)]) -> Vec<(Stripe, N)> {
        let Some(ix) = self.ix(node) else {
            return held.to_vec();
        };
        self.change_member(ix, |member| member.away = false);
        let mut foreign = Vec::new();
        for stripe in self.config.stripes.all() {
            let parent = held.iter().find(|(s, _)| *s == stripe).map(|(_, p)| *p);
            if let Some(parent) = parent
                && !self.keeps(ix, parent, stripe.0)
            {
                foreign.push((stripe, parent));
            }
            let planned = self.forest.parent(ix, stripe.0);
            if planned.is_some() && planned != parent.and_then(|p| self.ix(p)) {
                self.make_again(ix, stripe.0);
            }
        }
        self.settle(now_ms);
        foreign
    }

    /// Whether this edge, which works, is one that is planned or planned to
    /// end when the next one works; or can be from now on.
    fn keeps(&mut self, child: Ix, parent: N, s: u8) -> bool {
        let Some(ix) = self.ix(parent) else {
            return false;
        };
        match self.forest.parent(child, s) {
            Some(planned) if planned == ix => {
                self.links.adopt(child, s, ix);
                true
            }
            Some(_) => self.links.old_of(child, s) == Some(ix),
            None => {
                let kept = self.keep_edge(child, parent, s);
                if kept {
                    self.links.adopt(child, s, ix);
                    self.note_seated(child, s);
                }
                kept
            }
        }
    }

    /// The planned edge does not work, and is permitted once more.
    fn make_again(&mut self, child: Ix, s: u8) {
        let target = self.links.target(child, s);
        if target.is_some() && target == self.forest.parent(child, s) {
            self.links.drop_target(child, s);
            self.forest.tell_moved(child, s);
        }
    }

    fn take_on(&mut self, adopted: &Adopted<N>, fed: Option<u32>) -> Option<Ix> {
        let (kind, edges) = match &adopted.standing {
            Standing::Peer(peer) => (wire::message::control::NodeKind::Peer, peer.edges),
            Standing::Relay(relay) => (wire::message::control::NodeKind::Relay, relay.edges),
        };
        let edges = edges.max(fed.unwrap_or(0));
        let ix = self.enroll(adopted.node, kind, edges).ok()?;
        match &adopted.standing {
            Standing::Peer(peer) => {
                self.change_member(ix, |member| {
                    member.never_ask = peer.never_ask;
                    member.relay_only = peer.relay_only;
                });
            }
            Standing::Relay(relay) => {
                self.relays.insert(ix, *relay);
                self.sponsored.entry(relay.sponsor).or_default().insert(ix);
                self.paid.extend(relay.sponsor, relay.lease_end_ms);
            }
        }
        self.bring_in_line(ix);
        self.forest.watch(ix);
        Some(ix)
    }

    fn keep_edge(&mut self, child: Ix, parent: N, s: u8) -> bool {
        let Some(parent) = self.ix(parent) else {
            return false;
        };
        if s >= self.nowhere() || !self.may_link(child, parent) {
            return false;
        }
        self.prefer(parent, s);
        let kept = self.forest.graft(child, parent, s);
        if kept && parent != ROOT {
            self.links.adopt(child, s, parent);
        }
        kept
    }

    /// A relay goes on to feed by preference what it feeds most.
    fn keep_primary(&mut self, relay: Ix) {
        if !self.member(relay).is_some_and(Member::is_relay) {
            return;
        }
        self.choose_primary(relay);
        let fed = |s: &u8| self.forest.children(relay, *s).len();
        let most = self.forest.inner_stripes(relay).max_by_key(fed);
        if let Some(s) = most.filter(|_| self.config.stripes.m() > 0) {
            self.forest.set_primary(relay, s);
        }
    }

    /// Waits for what it lacks: with all that hangs below it, stripe by stripe.
    /// A relay that has some stripes had as many as it wanted.
    fn wait_for_rest(&mut self, ix: Ix) {
        let relay = self.member(ix).is_some_and(Member::is_relay);
        let stripes = 0..self.nowhere();
        let lacking: Vec<u8> = stripes
            .filter(|s| self.forest.parent(ix, *s).is_none())
            .collect();
        let bare = lacking.len() == usize::from(self.nowhere()) && self.forest.feeds_nobody(ix);
        if !relay && bare {
            return self.wait(ix, self.nowhere(), Cause::Leave);
        }
        for s in lacking {
            if !relay || self.forest.is_inner(ix, s) {
                self.wait(ix, s, Cause::Leave);
            }
        }
        if relay && self.forest.rooted(ix) == 0 {
            self.want_stripes(ix);
        }
    }
}
