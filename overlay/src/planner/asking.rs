//! Who is asked to sponsor, in the paper's order: the affected, the other
//! leaves, the inner peers; each step in growing waves.

use super::config::{SCAN_INTERVAL_MS, WAVE_FIRST, WAVE_GROWTH};
use super::forest::Ix;
use super::lot::mix;
use super::shortage::Shortage;
use super::{Action, Answered, Planner, Question};
use crate::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use wire::AskId;
use wire::message::control::Choice;
use wire::statement::{Cause, Step};

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
    announced_edges: u32,
    /// Asked, not answered.
    pending: BTreeMap<N, Pending>,
    /// Said no, were late, or failed: not asked again for this deficit.
    closed: BTreeSet<N>,
    /// Told "not needed" before they answered: may be asked again for this
    /// deficit, whatever the interval.
    withdrawn: BTreeSet<N>,
    /// Waves begun, by step.
    waves: BTreeMap<Step, u32>,
    /// Of the affected, only those who came since have not been looked at.
    drained: bool,
}

/// What a member was asked.
#[derive(Debug, Clone)]
struct Asked {
    /// When he last was asked, by cause.
    at_ms: BTreeMap<Cause, u64>,
    /// The question that he was asked last.
    question: Question,
}

/// Everybody was asked, and everybody who has the stream keeps it, if without
/// protection: nobody is asked again for a while unless more is missing.
#[derive(Debug, Clone, Copy)]
struct Rest {
    until_ms: u64,
    edges: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Asking<N> {
    open: Option<Deficit<N>>,
    /// Sponsors who may redeem; the deadline ends the reservation.
    grants: BTreeMap<N, Pending>,
    asked: BTreeMap<Ix, Asked>,
    rest: Option<Rest>,
    /// Not before this time the audience is looked through for protection.
    scan_after_ms: u64,
    last_ask: u64,
}

impl<N: NodeId> Asking<N> {
    pub(super) fn new() -> Self {
        Self {
            open: None,
            grants: BTreeMap::new(),
            asked: BTreeMap::new(),
            rest: None,
            scan_after_ms: 0,
            last_ask: 0,
        }
    }

    pub(super) fn number_from(&mut self, last: u64) {
        self.last_ask = self.last_ask.max(last);
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

    /// The question that the member was asked last.
    pub(super) fn question_of(&self, ix: Ix) -> Option<Question> {
        self.asked.get(&ix).map(|asked| asked.question)
    }

    pub(super) fn grants_len(&self) -> u32 {
        u32::try_from(self.grants.len()).unwrap_or(u32::MAX)
    }

    fn note_asked(&mut self, ix: Ix, question: Question, now_ms: u64) {
        let asked = self.asked.entry(ix).or_insert_with(|| Asked {
            at_ms: BTreeMap::new(),
            question,
        });
        asked.at_ms.insert(question.cause, now_ms);
        asked.question = question;
    }

    /// Whether asking again for this cause would be too soon.
    fn asked_within(&self, ix: Ix, cause: Cause, now_ms: u64, interval_ms: u64) -> bool {
        let at_ms = self.asked.get(&ix).and_then(|a| a.at_ms.get(&cause));
        at_ms.is_some_and(|at| now_ms.saturating_sub(*at) < interval_ms)
    }

    pub(super) fn forget(&mut self, ix: Ix, node: N) {
        self.asked.remove(&ix);
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
            self.asking.rest = None;
            self.waiting.forget_news();
            return false;
        };
        if self.rests(now_ms, &shortage) {
            return false;
        }
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
        if waits || !self.asking.grants.is_empty() {
            return false;
        }
        if self.forest.starved() > 0 {
            if self.suspects.pass(now_ms) {
                return false;
            }
            if self.refuse_waiting() {
                return true;
            }
        }
        self.asking.open = None;
        self.asking.rest = Some(Rest {
            until_ms: now_ms.saturating_add(self.config.ask_interval_ms),
            edges: shortage.edges,
        });
        false
    }

    fn rests(&self, now_ms: u64, shortage: &Shortage) -> bool {
        self.forest.starved() == 0
            && self
                .asking
                .rest
                .is_some_and(|rest| now_ms < rest.until_ms && shortage.edges <= rest.edges)
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
                announced_edges: 0,
                pending: BTreeMap::new(),
                closed: BTreeSet::new(),
                withdrawn: BTreeSet::new(),
                waves: BTreeMap::new(),
                drained: false,
            });
        }
        if let Some(open) = &mut self.asking.open
            && shortage.edges > open.announced_edges
        {
            open.announced_edges = shortage.edges;
            self.actions.push_back(Action::CapacityShort {
                cause: open.cause,
                deficit_edges: shortage.edges,
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
            if step == Step::Affected
                && wave.len() > size
                && let Some(open) = &mut self.asking.open
            {
                open.drained = false;
            }
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

    fn ask(&mut self, now_ms: u64, to: Ix, question: Question, shortage: &Shortage) {
        let Some(name) = self.name_of(to) else { return };
        let deadline_ms = now_ms.saturating_add(self.config.ask_deadline_ms);
        let pending = Pending {
            question,
            deadline_ms,
        };
        if let Some(open) = &mut self.asking.open {
            open.pending.insert(name, pending);
        }
        self.asking.note_asked(to, question, now_ms);
        self.actions.push_back(Action::Ask {
            to: name,
            question,
            deficit_edges: shortage.edges,
            viewers_short: shortage.viewers,
            rounds_wanted: shortage.rounds_wanted,
            deadline_ms: self.config.ask_deadline_ms,
        });
    }

    /// Who can be asked in this step: the affected in the order of their
    /// standing; of the others those who have not paid yet first, and among
    /// equals by lot.
    fn candidates(&mut self, now_ms: u64, step: Step, cause: Cause, ask: AskId) -> Vec<Ix> {
        if step == Step::Affected {
            let affected = self.new_affected();
            return affected
                .into_iter()
                .filter(|node| self.may_be_asked(now_ms, *node, cause))
                .collect();
        }
        let optional = self.forest.starved() == 0;
        if optional && now_ms < self.asking.scan_after_ms {
            return Vec::new();
        }
        let affected: BTreeSet<Ix> = self.affected(self.waiting.in_order()).into_iter().collect();
        let mut found: Vec<(bool, u64, N, Ix)> = self
            .index
            .all()
            .filter(|(_, node)| {
                let leaf = self.forest.feeds_nobody(*node);
                leaf == (step == Step::Leaves)
                    && !affected.contains(node)
                    && self.may_be_asked(now_ms, *node, cause)
            })
            .map(|(name, node)| {
                let lot = mix(self.seed ^ mix(ask.0 ^ mix(self.serial_of(node))));
                (self.sponsored.contains_key(&name), lot, name, node)
            })
            .collect();
        found.sort_unstable();
        if found.is_empty() && optional && step == Step::Inner {
            self.asking.scan_after_ms = now_ms.saturating_add(SCAN_INTERVAL_MS);
        }
        found.into_iter().map(|(_, _, _, node)| node).collect()
    }

    /// The affected, without those who were looked at before while questions
    /// are open: nobody comes into question again before these end.
    fn new_affected(&mut self) -> Vec<Ix> {
        let drained = self
            .asking
            .open
            .as_ref()
            .is_some_and(|open| open.drained && !open.pending.is_empty());
        let news = self.waiting.take_news();
        if let Some(open) = &mut self.asking.open {
            open.drained = true;
        }
        let tops = if drained {
            news
        } else {
            self.waiting.in_order()
        };
        self.affected(tops)
    }

    fn may_be_asked(&self, now_ms: u64, node: Ix, cause: Cause) -> bool {
        let (Some(member), Some(open)) = (self.member(node), &self.asking.open) else {
            return false;
        };
        let interval_ms = self.config.ask_interval_ms;
        member.may_be_asked()
            && !open.closed.contains(&member.name)
            && !self.asking.is_pending(member.name)
            && (open.withdrawn.contains(&member.name)
                || !self.asking.asked_within(node, cause, now_ms, interval_ms))
    }
}
