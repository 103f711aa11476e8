//! The neighbours of one node: what was ordered, what runs, what was spent.

use super::held_back::HeldBack;
use super::{MAP_MS, Repairs, config_of};
use crate::Error;
use crate::node::lock;
use certs::Verified;
use overlay::mesh::{OncePerBlock, Puller, Served};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use wire::message::control::{EdgeOrder, NodeKind, NodeRef};
use wire::message::mesh::Pull;
use wire::statement::{BatchedPermit, ChunkKey, Permit, Priority};
use wire::{Reason, Rendition, SpkiHash, Stripe, UnixMs};

/// The other end, and whether this node is the one that pulls: two neighbours
/// have a link each way.
pub(super) type Key = (SpkiHash, bool);

/// The neighbours of one node.
pub(crate) struct Mesh {
    table: Mutex<BTreeMap<Key, Slot>>,
    changed: Notify,
    pub(super) puller: Mutex<Puller<SpkiHash>>,
    pub(super) held_back: Mutex<HeldBack>,
    generations: AtomicU64,
    map_ms: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
}

pub(super) struct Slot {
    /// Of two links of the same ends, one after the other, which one it is.
    generation: u64,
    order: EdgeOrder,
    permit: Arc<Verified<Permit>>,
    budget_left: u64,
    end: watch::Sender<Option<Reason>>,
    running: bool,
    /// To the child's end of a link that runs.
    pulls: Option<mpsc::UnboundedSender<Pull>>,
    served: Served,
}

impl Slot {
    pub(super) fn new(permit: Verified<Permit>, order: EdgeOrder) -> Self {
        Self {
            generation: 0,
            order,
            budget_left: permit.byte_budget,
            permit: Arc::new(permit),
            end: watch::Sender::new(None),
            running: false,
            pulls: None,
            served: Served::default(),
        }
    }
}

/// What a running link holds of its slot.
pub(super) struct Handle {
    pub(super) generation: u64,
    pub(super) other: NodeRef,
    pub(super) permit: Arc<Verified<Permit>>,
    pub(super) ended: watch::Receiver<Option<Reason>>,
    pub(super) signed: BatchedPermit,
}

impl Mesh {
    pub(crate) fn new(me: SpkiHash) -> Self {
        Self {
            table: Mutex::default(),
            changed: Notify::new(),
            puller: Mutex::new(Puller::new(me, Rendition(0), config_of(me))),
            held_back: Mutex::default(),
            generations: AtomicU64::new(0),
            map_ms: AtomicU64::new(MAP_MS),
            answered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// A permit was given; true if the link is new. One that is older than the
    /// present one changes nothing.
    pub(super) fn put(&self, key: Key, mut slot: Slot) -> bool {
        let mut table = lock(&self.table);
        match table.get_mut(&key) {
            Some(known) if known.end.borrow().is_none() => {
                if slot.permit.serial >= known.permit.serial {
                    known.budget_left = slot.budget_left;
                    known.permit = slot.permit;
                    known.order = slot.order;
                }
                false
            }
            // One that has been told to end is as good as gone.
            _ => {
                slot.generation = self.generations.fetch_add(1, Ordering::Relaxed);
                table.insert(key, slot);
                drop(table);
                self.changed.notify_waiters();
                true
            }
        }
    }

    pub(super) fn start(&self, key: Key) -> Option<Handle> {
        let mut table = lock(&self.table);
        let slot = table.get_mut(&key)?;
        if std::mem::replace(&mut slot.running, true) {
            return None;
        }
        Some(Handle {
            generation: slot.generation,
            other: slot.order.other.clone(),
            permit: slot.permit.clone(),
            ended: slot.end.subscribe(),
            signed: slot.order.permit.clone(),
        })
    }

    /// Waits until the coordinator has ordered this link here, too.
    pub(super) async fn expected(&self, key: Key) -> Option<Handle> {
        loop {
            let changed = self.changed.notified();
            if lock(&self.table).contains_key(&key) {
                return self.start(key);
            }
            changed.await;
        }
    }

    pub(super) fn end(&self, key: Key, reason: Reason) {
        if let Some(slot) = lock(&self.table).get(&key) {
            slot.end.send_replace(Some(reason));
        }
    }

    /// The member is out.
    pub(crate) fn revoke(&self, member: SpkiHash) {
        for child in [true, false] {
            self.end((member, child), Reason::Revoked);
        }
    }

    /// This link has ended; another one may have taken its place.
    pub(super) fn remove(&self, key: Key, generation: u64) {
        let mut table = lock(&self.table);
        if table.get(&key).map(|slot| slot.generation) == Some(generation) {
            table.remove(&key);
            drop(table);
            if key.1 {
                lock(&self.puller).remove(key.0);
            }
        }
    }

    /// The child's end of a link runs: what it is to ask for.
    pub(super) fn pulling(&self, key: Key) -> mpsc::UnboundedReceiver<Pull> {
        // As many as the puller lets one neighbour have in hand.
        let (sender, pulls) = mpsc::unbounded_channel();
        let mut station = false;
        if let Some(slot) = lock(&self.table).get_mut(&key) {
            slot.pulls = Some(sender);
            station = slot.order.other.kind == NodeKind::Station;
        }
        // The station is everybody's: asked last, so that it gives most blocks
        // once.
        lock(&self.puller).add(key.0, station);
        pulls
    }

    pub(super) fn ask(&self, of: SpkiHash, pull: Pull) {
        if let Some(slot) = lock(&self.table).get(&(of, true))
            && let Some(pulls) = &slot.pulls
        {
            let _ = pulls.send(pull);
        }
    }

    /// Whether this node has somebody to pull from.
    pub(super) fn is_pulling(&self) -> bool {
        lock(&self.puller).neighbours().next().is_some()
    }

    /// Whether the permit of this link names the stripe.
    pub(super) fn allows(&self, key: Key, stripe: Stripe) -> bool {
        let table = lock(&self.table);
        let slot = table.get(&key);
        slot.is_some_and(|slot| slot.permit.stripes.has(stripe))
    }

    /// Whether the link's permit is for this rendition.
    pub(super) fn is_of(&self, key: Key, rendition: Rendition) -> bool {
        let table = lock(&self.table);
        let slot = table.get(&key);
        slot.is_some_and(|slot| slot.permit.rendition == rendition)
    }

    /// The child pulls a block that is here; its standing.
    ///
    /// # Errors
    /// It has had it, or has no permit any more.
    pub(super) fn admit(
        &self,
        child: SpkiHash,
        check: OncePerBlock,
        (key, index): (ChunkKey, u16),
        is_past: impl Fn(ChunkKey) -> bool,
    ) -> Result<Priority, Reason> {
        let mut table = lock(&self.table);
        let slot = table.get_mut(&(child, false));
        let slot = slot.ok_or(Reason::PermitMissing)?;
        slot.served.forget(is_past);
        slot.served.admit(check, key, index)?;
        Ok(slot.permit.priority)
    }

    /// It did not get the block after all.
    pub(super) fn take_back(&self, child: SpkiHash, key: ChunkKey, index: u16) {
        if let Some(slot) = lock(&self.table).get_mut(&(child, false)) {
            slot.served.take_back(key, index);
        }
    }

    /// Takes `bytes` from the budget of the child's permit.
    ///
    /// # Errors
    /// It has expired, or its bytes are spent.
    pub(super) fn spend(&self, child: SpkiHash, bytes: u64, now: UnixMs) -> Result<(), Error> {
        let mut table = lock(&self.table);
        let slot = table.get_mut(&(child, false));
        let slot = slot.ok_or(Error::Remote(Reason::PermitMissing))?;
        if now >= slot.permit.expiry {
            return Err(Error::Remote(Reason::PermitInvalid));
        }
        let left = slot.budget_left.checked_sub(bytes);
        slot.budget_left = left.ok_or(Error::Remote(Reason::BudgetSpent))?;
        Ok(())
    }

    pub(super) fn map_every(&self, ms: u64) {
        self.map_ms.store(ms, Ordering::Relaxed);
    }

    pub(super) fn map_interval(&self) -> Duration {
        Duration::from_millis(self.map_ms.load(Ordering::Relaxed))
    }

    pub(super) fn note_answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn repairs(&self) -> Repairs {
        let puller = lock(&self.puller);
        Repairs {
            pulled: puller.pulled(),
            answered: self.answered.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            neighbours: u32::try_from(puller.neighbours().count()).unwrap_or(u32::MAX),
        }
    }
}
