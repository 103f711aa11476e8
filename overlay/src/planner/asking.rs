//! Who is asked to sponsor, in the paper's order: the affected, the other
//! leaves, the inner peers; each step in growing waves.

use super::config::{WAVE_FIRST, WAVE_GROWTH};
use super::{Action, Answered, Planner, Question};
use crate::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use wire::message::control::Choice;
use wire::statement::{Cause, Step};
use wire::{AskId, Reason};

#[derive(Debug, Clone, Copy)]
struct Pending {
    question: Question,
    deadline_ms: u64,
}

/// One deficit that the audience is being asked about.
#[derive(Debug, Clone)]
struct Deficit<N> {
    ask: AskId,
    cause: Cause,
    /// The greatest deficit announced.
    announced_slots: u32,
    /// Asked, not answered.
    pending: BTreeMap<N, Pending>,
    /// Said no, were late, or failed: not asked again for this deficit.
    closed: BTreeSet<N>,
    /// Told "not needed" before they answered: may be asked again for this
    /// deficit, whatever the interval.
    withdrawn: BTreeSet<N>,
    /// Waves begun, by step.
    waves: BTreeMap<Step, u32>,
}

#[derive(Debug, Clone)]
pub(super) struct Asking<N> {
    open: Option<Deficit<N>>,
    /// Sponsors who may redeem; the deadline ends the reservation.
    grants: BTreeMap<N, Pending>,
    last_ask: u64,
}

/// What is missing.
#[derive(Debug, Clone, Copy)]
struct Shortage {
    cause: Cause,
    slots: u32,
    viewers: u32,
    /// Rounds that are still to be granted.
    rounds_wanted: u32,
}

impl<N: NodeId> Asking<N> {
    pub(super) fn new() -> Self {
        Self {
            open: None,
            grants: BTreeMap::new(),
            last_ask: 0,
        }
    }

    fn next_ask(&mut self) -> AskId {
        self.last_ask = self.last_ask.saturating_add(1);
        AskId(self.last_ask)
    }

    /// The sponsor's relay is here.
    pub(super) fn redeemed(&mut self, sponsor: N) {
        self.grants.remove(&sponsor);
    }

    /// Ends a grant without a relay; false if there is none.
    pub(super) fn grant_failed(&mut self, ask: AskId, sponsor: N) -> bool {
        let granted = self
            .grants
            .get(&sponsor)
            .is_some_and(|g| g.question.ask == ask);
        if granted {
            self.grants.remove(&sponsor);
            if let Some(open) = &mut self.open {
                open.closed.insert(sponsor);
            }
        }
        granted
    }

    pub(super) fn forget(&mut self, node: N) {
        self.grants.remove(&node);
        if let Some(open) = &mut self.open {
            open.pending.remove(&node);
            open.closed.remove(&node);
            open.withdrawn.remove(&node);
        }
    }

    pub(super) fn next_deadline_ms(&self) -> Option<u64> {
        let pending = self.open.iter().flat_map(|open| open.pending.values());
        pending
            .chain(self.grants.values())
            .map(|p| p.deadline_ms)
            .min()
    }

    pub(super) fn is_pending(&self, node: N) -> bool {
        let asked = self
            .open
            .as_ref()
            .is_some_and(|o| o.pending.contains_key(&node));
        asked || self.grants.contains_key(&node)
    }
}

impl<N: NodeId> Planner<N> {
    /// Follows up a shortage: asks, waits, or refuses. True if somebody was
    /// refused or lost his place by that.
    pub(super) fn pursue(&mut self, now_ms: u64) -> bool {
        let Some(shortage) = self.shortage() else {
            self.withdraw();
            self.asking.open = None;
            return false;
        };
        self.open_deficit(&shortage);
        if shortage.rounds_wanted == 0 {
            self.withdraw();
            return false;
        }
        self.ask_next(now_ms, &shortage);
        let waits = self
            .asking
            .open
            .as_ref()
            .is_some_and(|open| !open.pending.is_empty());
        !waits && self.asking.grants.is_empty() && self.refuse_waiting()
    }

    pub(super) fn take_answer(
        &mut self,
        now_ms: u64,
        node: N,
        question: Question,
        choice: Choice,
    ) -> Answered {
        let pending = self.asking.open.as_mut().and_then(|open| {
            let found = open.pending.get(&node).map(|p| p.question) == Some(question);
            found.then(|| open.pending.remove(&node)).flatten()
        });
        if choice != Choice::Accept {
            // Also who was granted may still change his mind.
            let granted = self.asking.grant_failed(question.ask, node);
            if pending.is_none() && !granted {
                // It crossed the end of the question: nothing is declined.
                return Answered::Late(question);
            }
            if let Some(open) = &mut self.asking.open
                && open.ask == question.ask
            {
                open.closed.insert(node);
            }
            return Answered::Declined(question);
        }
        let again = self.asking.grants.get(&node).map(|g| g.question) == Some(question);
        if again {
            return Answered::Granted(question);
        }
        // A deadline that no tick has noticed yet is over all the same.
        if pending.is_none_or(|p| p.deadline_ms <= now_ms) {
            if pending.is_some() {
                self.close(node, question);
            } else {
                self.push_not_needed(node, question);
            }
            return Answered::Late(question);
        }
        let deadline_ms = now_ms.saturating_add(self.config.grant_expiry_ms);
        let grant = Pending {
            question,
            deadline_ms,
        };
        self.asking.grants.insert(node, grant);
        self.actions.push_back(Action::Grant {
            to: node,
            question,
            expiry_ms: self.config.grant_expiry_ms,
        });
        Answered::Granted(question)
    }

    /// Ends questions and grants whose time is over.
    pub(super) fn expire(&mut self, now_ms: u64) {
        let late: Vec<(N, Question)> = self
            .asking
            .open
            .iter()
            .flat_map(|open| &open.pending)
            .filter(|(_, p)| p.deadline_ms <= now_ms)
            .map(|(node, p)| (*node, p.question))
            .collect();
        for (node, question) in late {
            self.close(node, question);
        }
        let over: Vec<(N, Question)> = self
            .asking
            .grants
            .iter()
            .filter(|(_, g)| g.deadline_ms <= now_ms)
            .map(|(node, g)| (*node, g.question))
            .collect();
        for (to, question) in over {
            self.asking.grant_failed(question.ask, to);
            self.actions
                .push_back(Action::GrantExpired { to, question });
        }
    }

    fn close(&mut self, to: N, question: Question) {
        if let Some(open) = &mut self.asking.open {
            open.pending.remove(&to);
            open.closed.insert(to);
        }
        self.actions.push_back(Action::TimedOut { to, question });
    }

    fn push_not_needed(&mut self, to: N, question: Question) {
        self.actions.push_back(Action::NotNeeded { to, question });
    }

    /// Withdraws unanswered questions. What follows gets a new id, so that
    /// nobody takes it for the withdrawn one.
    fn withdraw(&mut self) {
        let Some(open) = &mut self.asking.open else {
            return;
        };
        let pending = std::mem::take(&mut open.pending);
        if pending.is_empty() {
            return;
        }
        open.withdrawn.extend(pending.keys().copied());
        for (to, p) in pending {
            self.push_not_needed(to, p.question);
        }
        let ask = self.asking.next_ask();
        if let Some(open) = &mut self.asking.open {
            open.ask = ask;
        }
    }

    /// Parts without a place that carry viewers; none if there are none.
    fn shortage(&self) -> Option<Shortage> {
        let mut shortage = Shortage {
            cause: Cause::Join,
            slots: 0,
            viewers: 0,
            rounds_wanted: 0,
        };
        for (top, cause) in &self.waiting {
            let viewers = self.viewers_within(*top);
            if viewers > 0 {
                shortage.slots = shortage.slots.saturating_add(1);
                shortage.viewers = shortage.viewers.saturating_add(viewers);
                if *cause == Cause::Leave {
                    shortage.cause = Cause::Leave;
                }
            }
        }
        let granted = u32::try_from(self.asking.grants.len()).unwrap_or(u32::MAX);
        let needed = rounds(shortage.slots, self.config.round_slots);
        shortage.rounds_wanted = needed.saturating_sub(granted);
        (shortage.slots > 0).then_some(shortage)
    }

    pub(super) fn viewers_within(&self, top: N) -> u32 {
        let peers = self
            .tree
            .subtree(top)
            .into_iter()
            .filter(|n| self.is_peer(*n))
            .count();
        u32::try_from(peers).unwrap_or(u32::MAX)
    }

    fn is_peer(&self, node: N) -> bool {
        self.members.get(&node).is_some_and(super::Member::is_peer)
    }

    /// Opens a deficit if none is open. A leave is a new deficit even while
    /// one of a join is open: more people have lost more.
    fn open_deficit(&mut self, shortage: &Shortage) {
        let outdone = self
            .asking
            .open
            .as_ref()
            .is_some_and(|open| open.cause == Cause::Join && shortage.cause == Cause::Leave);
        if outdone {
            self.withdraw();
            self.asking.open = None;
        }
        if self.asking.open.is_none() {
            let ask = self.asking.next_ask();
            self.asking.open = Some(Deficit {
                ask,
                cause: shortage.cause,
                announced_slots: 0,
                pending: BTreeMap::new(),
                closed: BTreeSet::new(),
                withdrawn: BTreeSet::new(),
                waves: BTreeMap::new(),
            });
        }
        if let Some(open) = &mut self.asking.open
            && shortage.slots > open.announced_slots
        {
            open.announced_slots = shortage.slots;
            self.actions.push_back(Action::CapacityShort {
                cause: open.cause,
                deficit_slots: shortage.slots,
                viewers_short: shortage.viewers,
            });
        }
    }

    /// Begins the next wave, if one is due. The affected are asked as soon
    /// as none of them is pending; a later step begins only when nobody is
    /// pending and nobody of the earlier steps is left.
    fn ask_next(&mut self, now_ms: u64, shortage: &Shortage) {
        let Some(open) = &self.asking.open else {
            return;
        };
        let (ask, cause) = (open.ask, open.cause);
        let idle = open.pending.is_empty();
        let affected_idle = open
            .pending
            .values()
            .all(|p| p.question.step != Step::Affected);
        for step in [Step::Affected, Step::Leaves, Step::Inner] {
            let due = if step == Step::Affected {
                affected_idle
            } else {
                idle
            };
            if !due {
                return;
            }
            let wave = self.candidates(now_ms, step, cause, ask);
            if wave.is_empty() {
                continue;
            }
            let size = self.begin_wave(step);
            let question = Question { ask, cause, step };
            for to in wave.into_iter().take(size) {
                self.ask(now_ms, to, question, shortage);
            }
            return;
        }
    }

    fn begin_wave(&mut self, step: Step) -> usize {
        let Some(open) = &mut self.asking.open else {
            return 0;
        };
        let begun = open.waves.entry(step).or_insert(0);
        let size = WAVE_FIRST.saturating_mul(WAVE_GROWTH.saturating_pow(*begun));
        *begun = begun.saturating_add(1);
        size
    }

    fn ask(&mut self, now_ms: u64, to: N, question: Question, shortage: &Shortage) {
        let deadline_ms = now_ms.saturating_add(self.config.ask_deadline_ms);
        let pending = Pending {
            question,
            deadline_ms,
        };
        if let Some(open) = &mut self.asking.open {
            open.pending.insert(to, pending);
        }
        if let Some(member) = self.members.get_mut(&to) {
            member.note_asked(question, now_ms);
        }
        self.actions.push_back(Action::Ask {
            to,
            question,
            deficit_slots: shortage.slots,
            viewers_short: shortage.viewers,
            rounds_wanted: shortage.rounds_wanted,
            deadline_ms: self.config.ask_deadline_ms,
        });
    }

    /// Who can be asked in this step: the affected in the order of their
    /// standing; of the others those who have not paid yet first, and among
    /// equals by lot.
    fn candidates(&self, now_ms: u64, step: Step, cause: Cause, ask: AskId) -> Vec<N> {
        let affected = self.affected();
        if step == Step::Affected {
            return affected
                .into_iter()
                .filter(|node| self.may_be_asked(now_ms, *node, cause))
                .collect();
        }
        let affected: BTreeSet<N> = affected.into_iter().collect();
        let mut found: Vec<(bool, u64, N)> = self
            .members
            .keys()
            .filter(|node| {
                let leaf = self.tree.children_len(**node) == 0;
                leaf == (step == Step::Leaves)
                    && !affected.contains(node)
                    && self.may_be_asked(now_ms, **node, cause)
            })
            .map(|node| {
                let lot = mix(self.seed ^ mix(ask.0 ^ mix(self.serial_of(*node))));
                (self.sponsored.contains_key(node), lot, *node)
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, _, node)| node).collect()
    }

    /// The peers without a parent, and the nearest peers below a relay
    /// without one.
    fn affected(&self) -> Vec<N> {
        let mut found = Vec::new();
        for top in self.waiting_in_order() {
            let mut todo = vec![top];
            while let Some(node) = todo.pop() {
                if self.is_peer(node) {
                    found.push(node);
                } else {
                    todo.extend(self.tree.children(node).into_iter().rev());
                }
            }
        }
        found
    }

    fn may_be_asked(&self, now_ms: u64, node: N, cause: Cause) -> bool {
        let (Some(member), Some(open)) = (self.members.get(&node), &self.asking.open) else {
            return false;
        };
        let interval_ms = self.config.ask_interval_ms;
        member.may_be_asked()
            && !open.closed.contains(&node)
            && !self.asking.is_pending(node)
            && (open.withdrawn.contains(&node) || !member.asked_within(cause, now_ms, interval_ms))
    }

    /// Nobody is willing: who waits goes without. A relay is kept; what hangs
    /// below it waits on its own from now on.
    fn refuse_waiting(&mut self) -> bool {
        let mut changed = false;
        for node in self.waiting_in_order() {
            if self.is_peer(node) {
                self.forget(node);
                self.actions.push_back(Action::Refuse {
                    node,
                    reason: Reason::NoCapacity,
                });
                changed = true;
            } else {
                for child in self.tree.children(node) {
                    self.tree.detach(child);
                    self.waiting.insert(child, Cause::Leave);
                    changed = true;
                }
            }
        }
        changed
    }
}

/// Rounds that bring so many slots; a relay takes a place itself, whose
/// holder moves under it.
fn rounds(deficit_slots: u32, round_slots: u32) -> u32 {
    let gain = round_slots.saturating_sub(1).max(1);
    deficit_slots.div_ceil(gain)
}

/// SplitMix64's finalizer (Steele et al., 2014): spreads a seed over the
/// order of the audience.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
