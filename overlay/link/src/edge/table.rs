//! The edges of one node: what was ordered, what runs, what was spent.

use super::beacon::Beacons;
use super::lane::{ChildId, all_of};
use super::stripes::Flow;
use crate::Error;
use crate::controls::RenditionCheck;
use crate::equivocation::Equivocations;
use crate::node::{Node, NodeEvent, lock};
use certs::Verified;
use certs::permit::Batches;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};
use wire::message::control::{EdgeOrder, NodeRef};
use wire::message::edge::{Resume, Start};
use wire::statement::{BatchedPermit, Permit, Priority};
use wire::{Epoch, Reason, Rendition, Sequence, SpkiHash, Stripe, StripeSet, UnixMs};

/// An edge is known by its other end, by whether this node is the child (while
/// the tree is rebuilt, two nodes may be each other's old and new parent), and
/// into a relay by its rendition.
pub(super) type EdgeKey = (SpkiHash, bool, Rendition);

/// The edges of one node.
#[derive(Default)]
pub(crate) struct Edges {
    pub(super) table: Mutex<Table>,
    pub(super) changed: Notify,
    pub(crate) batches: Mutex<Batches>,
    pub(crate) beacons: Beacons,
    pub(crate) equivocations: Equivocations,
}

#[derive(Default)]
pub(super) struct Table {
    pub(super) edges: BTreeMap<EdgeKey, Slot>,
    pub(super) revoked: BTreeSet<SpkiHash>,
    pub(super) epoch_min: Epoch,
    pub(super) sent_bytes: u64,
}

pub(super) struct Slot {
    pub(super) order: EdgeOrder,
    pub(super) permit: Arc<Verified<Permit>>,
    pub(super) budget_left: u64,
    pub(super) wake: Arc<Notify>,
    pub(super) end: watch::Sender<Option<Reason>>,
    pub(super) running: bool,
    pub(super) up: Arc<AtomicBool>,
    pub(super) resume: Option<Resume>,
    /// The permit names other stripes; or, at the child, somebody below awaits
    /// what only the parent still has.
    pub(super) again: Arc<Notify>,
    pub(super) flow: Flow,
}

impl Slot {
    /// A permit follows; one that is older than the present one changes
    /// nothing. True if it is for other stripes, or another rendition.
    pub(super) fn renew(&mut self, permit: Verified<Permit>, order: EdgeOrder) -> bool {
        if permit.serial < self.permit.serial {
            return false;
        }
        let other_stripes =
            permit.stripes != self.permit.stripes || permit.rendition != self.permit.rendition;
        self.flow.allow(&permit);
        self.budget_left = permit.byte_budget;
        self.permit = Arc::new(permit);
        self.order = order;
        if other_stripes {
            self.again.notify_one();
        }
        other_stripes
    }
}

/// What a running edge holds of its slot.
pub(super) struct Handle {
    pub(super) other: NodeRef,
    pub(super) permit: Arc<Verified<Permit>>,
    pub(super) wake: Arc<Notify>,
    pub(super) again: Arc<Notify>,
    pub(super) ended: watch::Receiver<Option<Reason>>,
    pub(super) signed: BatchedPermit,
}

impl Edges {
    pub(crate) fn end(&self, other: SpkiHash, child: bool, reason: Reason) {
        for (_, slot) in lock(&self.table).edges.range(all_of(other, child)) {
            slot.end.send_replace(Some(reason));
        }
    }

    /// Ends the edge that carries this rendition, where there are several.
    pub(crate) fn end_one(&self, other: SpkiHash, child: bool, which: Rendition, reason: Reason) {
        let table = lock(&self.table);
        let edges = table.edges.range(all_of(other, child));
        for (_, slot) in edges.filter(|(_, slot)| slot.carries(which)) {
            slot.end.send_replace(Some(reason));
        }
    }

    pub(crate) fn revoke(&self, member: SpkiHash, epoch: Epoch) {
        let mut table = lock(&self.table);
        table.revoked.insert(member);
        table.epoch_min = table.epoch_min.max(epoch);
        for ((other, ..), slot) in &table.edges {
            if *other == member {
                slot.end.send_replace(Some(Reason::Revoked));
            }
        }
    }

    /// What a permit for this member has to come up to; none if it is out.
    pub(crate) fn epoch_for(&self, member: SpkiHash) -> Option<Epoch> {
        let table = lock(&self.table);
        (!table.revoked.contains(&member)).then_some(table.epoch_min)
    }

    /// Counts what was sent beside the edges against what may be sent in all.
    ///
    /// # Errors
    /// The cap is reached.
    pub(crate) fn count(&self, bytes: u64, cap: Option<u64>) -> Result<(), Error> {
        let mut table = lock(&self.table);
        let sent_bytes = table.sent_bytes.saturating_add(bytes);
        if cap.is_some_and(|cap| sent_bytes > cap) {
            return Err(Error::Remote(Reason::ByteCapReached));
        }
        table.sent_bytes = sent_bytes;
        Ok(())
    }

    pub(crate) fn raise_epoch(&self, epoch: Epoch) {
        let mut table = lock(&self.table);
        table.epoch_min = table.epoch_min.max(epoch);
    }

    /// Something of these stripes has come: their children may have to be sent
    /// something.
    pub(crate) fn wake_children(&self, stripes: StripeSet) {
        for ((_, child, _), slot) in &lock(&self.table).edges {
            if !child && slot.permit.stripes.intersects(stripes) {
                slot.wake.notify_one();
            }
        }
    }

    /// Asks the parents for more: a child awaits older chunks.
    pub(crate) fn start_again(&self) {
        for ((_, child, _), slot) in &mut lock(&self.table).edges {
            if *child {
                slot.flow.ask_all = true;
                slot.again.notify_one();
            }
        }
    }

    pub(crate) fn load(&self) -> (u32, u64) {
        let table = lock(&self.table);
        let children = table
            .edges
            .iter()
            .filter(|((_, child, _), slot)| !child && slot.up.load(Ordering::Relaxed))
            .count();
        (
            u32::try_from(children).unwrap_or(u32::MAX),
            table.sent_bytes,
        )
    }

    pub(crate) fn has(&self, other: SpkiHash, child: bool) -> bool {
        let table = lock(&self.table);
        table.edges.range(all_of(other, child)).next().is_some()
    }

    pub(super) fn knows(&self, key: EdgeKey) -> bool {
        lock(&self.table).edges.contains_key(&key)
    }

    /// Takes `bytes` from the budget of the child's permit, and from what the
    /// node may send in all; returns the standing that the permit gives.
    pub(crate) fn spend(
        &self,
        (child, which): ChildId,
        bytes: u64,
        cap: Option<u64>,
        now: UnixMs,
    ) -> Result<Priority, Error> {
        let mut table = lock(&self.table);
        let sent_bytes = table.sent_bytes.saturating_add(bytes);
        if cap.is_some_and(|cap| sent_bytes > cap) {
            return Err(Error::Remote(Reason::ByteCapReached));
        }
        let slot = table
            .edges
            .get_mut(&(child, false, which))
            .ok_or(Error::Remote(Reason::PermitMissing))?;
        if now >= slot.permit.expiry {
            return Err(Error::Remote(Reason::PermitInvalid));
        }
        slot.budget_left = slot
            .budget_left
            .checked_sub(bytes)
            .ok_or(Error::Remote(Reason::BudgetSpent))?;
        let priority = slot.permit.priority;
        table.sent_bytes = sent_bytes;
        Ok(priority)
    }

    /// A verified block from a parent: its first of a stripe tells that this
    /// works.
    ///
    /// # Errors
    /// The parent has no permit for the stripe.
    pub(crate) fn note_block(
        &self,
        node: &Node,
        parent: SpkiHash,
        (rendition, stripe): (Rendition, Stripe),
        now_ms: u64,
    ) -> Result<(), Error> {
        let mut table = lock(&self.table);
        let key = table.parent_of(parent, rendition).map(|(key, _)| key);
        let Some(slot) = key.and_then(|key| table.edges.get_mut(&key)) else {
            // The edge has just ended.
            return Ok(());
        };
        let allowed = slot.flow.allows(stripe, &slot.permit, node.clock.unix());
        let allowed = allowed && slot.carries(rendition);
        node.controls.stripes.of(allowed)?;
        slot.up.store(true, Ordering::Relaxed);
        if slot.flow.note_block(stripe, now_ms) {
            let _ = node.events.send(NodeEvent::EdgeUp {
                other: slot.order.other.clone(),
                child: true,
                rendition: slot.permit.rendition,
                stripes: stripe.into(),
                resume: slot.resume.clone(),
            });
        }
        Ok(())
    }

    /// The stripes that a parent sends by its newest permit; none without one.
    pub(crate) fn stripes_of(&self, parent: SpkiHash) -> StripeSet {
        self.stripes_in(parent, Rendition(0))
    }

    /// The same where a parent sends several renditions.
    pub(crate) fn stripes_in(&self, parent: SpkiHash, rendition: Rendition) -> StripeSet {
        let table = lock(&self.table);
        let slot = table.parent_of(parent, rendition);
        slot.map_or(StripeSet::EMPTY, |(_, slot)| slot.permit.stripes)
    }

    /// The rendition of a parent's newest permit.
    pub(crate) fn rendition_of(&self, parent: SpkiHash) -> Option<Rendition> {
        let table = lock(&self.table);
        let (_, slot) = table.edges.range(all_of(parent, true)).next()?;
        Some(slot.permit.rendition)
    }

    /// What the child of this edge gets by its newest permit.
    pub(super) fn flow_of(&self, key: EdgeKey) -> Option<(Rendition, StripeSet)> {
        let table = lock(&self.table);
        let permit = &table.edges.get(&key)?.permit;
        Some((permit.rendition, permit.stripes))
    }

    /// What the child of this edge says next to its parent.
    pub(super) fn next_start(&self, node: &Node, key: EdgeKey) -> Option<Start> {
        let (rendition, stripes, ask, before) = {
            let mut table = lock(&self.table);
            let Slot { permit, flow, .. } = table.edges.get_mut(&key)?;
            let before = flow.said.replace(permit.rendition);
            let ask = flow.wanted(permit);
            (permit.rendition, permit.stripes, ask, before)
        };
        if before.is_some_and(|before| before != rendition) {
            // It begins anew; the driver may not have heard of it yet.
            node.forget_rendition(rendition);
        }
        // Not under the table's lock: the forwarder has its own.
        let resume = node.resume_live(rendition, ask);
        if let Some(resume) = &resume {
            lock(&node.forwarder).forgive(rendition, resume.next);
        }
        let mut table = lock(&self.table);
        let slot = table.edges.get_mut(&key)?;
        let from = resume.as_ref().map(|resume| resume.next);
        slot.flow.note_asked(ask, from, node.clock.mono_ms());
        slot.resume.clone_from(&resume);
        Some(Start {
            rendition,
            stripes,
            resume,
        })
    }

    /// The child of this edge has said where to start.
    ///
    /// # Errors
    /// That is not what its permit is for, or the edge has ended.
    pub(super) fn note_start(
        &self,
        key: EdgeKey,
        start: Start,
        check: RenditionCheck,
    ) -> Result<(), Error> {
        let mut table = lock(&self.table);
        let slot = table.edges.get_mut(&key);
        let slot = slot.ok_or(Error::Remote(Reason::PermitInvalid))?;
        check.of(start.rendition == slot.permit.rendition)?;
        slot.flow.start = Some(start);
        Ok(())
    }

    /// What the child of this edge has asked for, and what it may have of it:
    /// nothing of a rendition that its newest permit names no more.
    pub(super) fn granted(
        &self,
        key: EdgeKey,
        check: RenditionCheck,
    ) -> Option<(Start, StripeSet)> {
        let table = lock(&self.table);
        let slot = table.edges.get(&key)?;
        let start = slot.flow.start.clone()?;
        let stripes = match check.of(start.rendition == slot.permit.rendition) {
            Ok(()) => start.stripes.both(slot.permit.stripes),
            Err(_) => StripeSet::EMPTY,
        };
        Some((start, stripes))
    }

    /// Whether the child of this edge has asked for another rendition than its
    /// newest permit names: it did so before it heard of that one.
    pub(super) fn is_moved(&self, key: EdgeKey, check: RenditionCheck) -> bool {
        let table = lock(&self.table);
        let slot = table.edges.get(&key);
        slot.is_some_and(|slot| {
            let asked = slot.flow.start.as_ref();
            asked.is_some_and(|s| check.of(s.rendition == slot.permit.rendition).is_err())
        })
    }

    /// The newest permit, if the other end may not know of it yet.
    pub(super) fn untold(&self, key: EdgeKey) -> Option<BatchedPermit> {
        let mut table = lock(&self.table);
        let slot = table.edges.get_mut(&key)?;
        std::mem::take(&mut slot.flow.untold).then(|| slot.order.permit.clone())
    }

    /// Stripes of this parent of which nothing has come for so long, and from
    /// where each was asked for.
    pub(super) fn silent(
        &self,
        key: EdgeKey,
        now_ms: u64,
        silent_ms: u64,
    ) -> Vec<(Stripe, Sequence)> {
        let table = lock(&self.table);
        let slot = table.edges.get(&key);
        slot.map_or_else(Vec::new, |slot| {
            slot.flow.silent(now_ms, silent_ms).collect()
        })
    }

    pub(super) fn start(&self, key: EdgeKey) -> Option<Box<Handle>> {
        let mut table = lock(&self.table);
        let slot = table.edges.get_mut(&key)?;
        if std::mem::replace(&mut slot.running, true) {
            return None;
        }
        // Boxed: whoever runs the edge hands it on several times.
        Some(Box::new(Handle {
            other: slot.order.other.clone(),
            permit: slot.permit.clone(),
            wake: slot.wake.clone(),
            again: slot.again.clone(),
            ended: slot.end.subscribe(),
            signed: slot.order.permit.clone(),
        }))
    }

    /// The rendition of its newest permit.
    pub(super) fn remove(&self, key: EdgeKey) -> Rendition {
        let slot = lock(&self.table).edges.remove(&key);
        slot.map_or(Rendition(0), |slot| slot.permit.rendition)
    }
}
