//! The edges of one node: what was ordered, what runs, what was spent.

use super::beacon::Beacons;
use crate::Error;
use crate::equivocation::Equivocations;
use crate::node::{Node, NodeEvent, lock};
use certs::Verified;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};
use wire::message::control::{EdgeOrder, NodeRef};
use wire::message::edge::Resume;
use wire::statement::{Permit, Priority, Signed};
use wire::{Epoch, Reason, SpkiHash, UnixMs};

/// An edge is known by its other end and by whether this node is the child:
/// while the tree is rebuilt, two nodes may be each other's old and new parent.
pub(super) type EdgeKey = (SpkiHash, bool);

/// The edges of one node.
#[derive(Default)]
pub(crate) struct Edges {
    pub(super) table: Mutex<Table>,
    pub(super) changed: Notify,
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
    /// A child of this node awaits what only the parent still has.
    pub(super) again: Arc<Notify>,
}

/// What a running edge holds of its slot.
pub(super) struct Handle {
    pub(super) other: NodeRef,
    pub(super) permit: Arc<Verified<Permit>>,
    pub(super) wake: Arc<Notify>,
    pub(super) again: Arc<Notify>,
    pub(super) ended: watch::Receiver<Option<Reason>>,
    pub(super) signed: Signed<Permit>,
}

impl Edges {
    pub(crate) fn end(&self, other: SpkiHash, child: bool, reason: Reason) {
        if let Some(slot) = lock(&self.table).edges.get(&(other, child)) {
            slot.end.send_replace(Some(reason));
        }
    }

    pub(crate) fn revoke(&self, member: SpkiHash, epoch: Epoch) {
        let mut table = lock(&self.table);
        table.revoked.insert(member);
        table.epoch_min = table.epoch_min.max(epoch);
        for ((other, _), slot) in &table.edges {
            if *other == member {
                slot.end.send_replace(Some(Reason::Revoked));
            }
        }
    }

    pub(crate) fn raise_epoch(&self, epoch: Epoch) {
        let mut table = lock(&self.table);
        table.epoch_min = table.epoch_min.max(epoch);
    }

    pub(crate) fn wake_children(&self) {
        for ((_, child), slot) in &lock(&self.table).edges {
            if !child {
                slot.wake.notify_one();
            }
        }
    }

    /// Asks the parents for more: a child awaits older chunks.
    pub(crate) fn start_again(&self) {
        for ((_, child), slot) in &lock(&self.table).edges {
            if *child {
                slot.again.notify_one();
            }
        }
    }

    pub(crate) fn load(&self) -> (u32, u64) {
        let table = lock(&self.table);
        let children = table
            .edges
            .iter()
            .filter(|((_, child), slot)| !child && slot.up.load(Ordering::Relaxed))
            .count();
        (
            u32::try_from(children).unwrap_or(u32::MAX),
            table.sent_bytes,
        )
    }

    pub(crate) fn has(&self, other: SpkiHash, child: bool) -> bool {
        lock(&self.table).edges.contains_key(&(other, child))
    }

    /// Takes `bytes` from the budget of the child's permit, and from what the
    /// node may send in all; returns the standing that the permit gives.
    pub(crate) fn spend(
        &self,
        child: SpkiHash,
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
            .get_mut(&(child, false))
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

    /// The first block from a parent: the edge is up.
    pub(crate) fn first_block(&self, node: &Node, parent: SpkiHash) {
        let table = lock(&self.table);
        if let Some(slot) = table.edges.get(&(parent, true))
            && !slot.up.swap(true, Ordering::Relaxed)
        {
            let _ = node.events.send(NodeEvent::EdgeUp {
                other: slot.order.other.clone(),
                child: true,
                resume: slot.resume.clone(),
            });
        }
    }

    pub(super) fn start(&self, key: EdgeKey) -> Option<Handle> {
        let mut table = lock(&self.table);
        let slot = table.edges.get_mut(&key)?;
        if std::mem::replace(&mut slot.running, true) {
            return None;
        }
        Some(Handle {
            other: slot.order.other.clone(),
            permit: slot.permit.clone(),
            wake: slot.wake.clone(),
            again: slot.again.clone(),
            ended: slot.end.subscribe(),
            signed: slot.order.permit.clone(),
        })
    }

    pub(super) fn remove(&self, key: EdgeKey) {
        lock(&self.table).edges.remove(&key);
    }
}
