//! Receipts: a member's word about a parent, held against what this
//! coordinator permitted and published, and turned into slots (design,
//! "Cheating").

use super::controls::Judging;
use super::coordinator::Coordinator;
use super::lateness::Lateness;
use certs::Error;
use certs::receipt::{Counted, StripeDigests};
use overlay::slots::{Ledger, Summary};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use wire::limits::RECEIPT_CHUNKS_MAX;
use wire::message::receipt::Receipt;
use wire::statement::ChunkKey;
use wire::{Sequence, SpkiHash};

/// Chunks whose receipt digests are kept: several times what one receipt can
/// speak of, since who catches up from a parent's kept window receipts old
/// chunks.
const DIGESTS_MAX: usize = 4 * RECEIPT_CHUNKS_MAX;
/// Parents with an open account per member: it has one, and for a moment two.
const PARENTS_MAX: usize = 16;

/// What receipts are checked against, and what they have proven.
#[derive(Debug)]
pub(super) struct Proven {
    digests: BTreeMap<Sequence, StripeDigests>,
    capacity: Ledger<SpkiHash>,
    lateness: Lateness,
}

impl Proven {
    pub(super) fn new(judging: Judging) -> Self {
        Self {
            digests: BTreeMap::new(),
            capacity: Ledger::checking(judging.claims),
            lateness: Lateness::new(judging.lateness.receipts_max()),
        }
    }

    /// A node's claim, bounded by its class if it is a relay.
    pub(super) fn claim(&mut self, node: SpkiHash, claim_bps: u64, ceiling_bps: Option<u64>) {
        self.capacity.claim(node, claim_bps, ceiling_bps);
    }

    pub(super) fn forget(&mut self, node: SpkiHash) {
        self.capacity.forget(node);
        self.lateness.forget(node);
    }

    pub(super) fn proven_bps(&self, node: SpkiHash, now_ms: u64) -> u64 {
        self.capacity.proven_bps(now_ms, node)
    }

    /// Chunks that were published after `since` (or from the receipt's first
    /// one on) and up to the receipt's last: what never came was due, too.
    fn due(&self, counted: &Counted, since: Option<Sequence>) -> u64 {
        let (Some(first), Some(last)) = (chunks(counted).min(), chunks(counted).max()) else {
            return 0;
        };
        let from = since.map_or(first, Sequence::next);
        if from > last {
            return 0;
        }
        self.digests.range(from..=last).count() as u64
    }
}

/// The chunks that a receipt speaks of.
fn chunks(counted: &Counted) -> impl Iterator<Item = Sequence> {
    counted.in_time().iter().chain(counted.late()).copied()
}

/// What one member has receipted.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    by_parent: BTreeMap<SpkiHash, Account>,
    /// Every chunk, of whichever parent: one delivery proves one parent.
    seen: BTreeSet<Sequence>,
}

/// What it has receipted of one edge.
#[derive(Debug, Default)]
struct Account {
    receipts: certs::receipt::Ledger,
    newest: Option<Sequence>,
}

impl Accounts {
    /// Adds a receipt, and returns the newest chunk that was receipted of
    /// this edge before. A refused receipt changes nothing.
    fn accept(&mut self, counted: &Counted) -> Result<Option<Sequence>, Error> {
        if chunks(counted).any(|sequence| self.seen.contains(&sequence)) {
            return Err(Error::ReceiptRepeatsChunk);
        }
        let parent = counted.parent();
        while self.by_parent.len() >= PARENTS_MAX && !self.by_parent.contains_key(&parent) {
            self.by_parent.pop_first();
        }
        let account = self.by_parent.entry(parent).or_default();
        account.receipts.accept(counted)?;
        let before = account.newest;
        account.newest = before.max(chunks(counted).max());
        self.seen.extend(chunks(counted));
        // Older chunks have no digests any more, and cannot be receipted.
        while self.seen.len() > DIGESTS_MAX {
            self.seen.pop_first();
        }
        Ok(before)
    }

    /// The edge is over, or a new one begins: both ends count from zero.
    pub(super) fn close(&mut self, parent: SpkiHash) {
        self.by_parent.remove(&parent);
    }
}

impl Coordinator {
    /// Keeps the receipt digests of a chunk that the station published.
    pub(super) fn note_chunk(&mut self, key: ChunkKey) {
        if key.init {
            return;
        }
        let Some((header, blocks)) = self.node.chunk(key) else {
            return;
        };
        if let Ok(digests) = StripeDigests::new(&header, &blocks) {
            self.proven.digests.insert(key.sequence, digests);
            while self.proven.digests.len() > DIGESTS_MAX {
                self.proven.digests.pop_first();
            }
        }
    }

    /// Tells when a node claims more than anybody has proven of it.
    pub(super) fn tell_unproven(&self, node: SpkiHash, slots: u32) {
        let claimed = self
            .proven
            .capacity
            .claimed_slots(node, self.settings.slot_bps);
        if claimed > slots {
            let fields = json!({
                "node": node.to_hex(), "claimed_slots": claimed, "slots": slots,
                "reason": "claim_unproven",
            });
            self.emit.tell("slots_limited", fields);
        }
    }

    /// Slots by claim and receipts.
    pub(super) fn slots_of(&self, node: SpkiHash) -> u32 {
        let now_ms = self.clock.mono_ms();
        self.proven
            .capacity
            .slots(now_ms, node, self.settings.slot_bps)
    }

    /// A member's word about its parent: checked, counted once, and turned
    /// into slots.
    pub(super) fn receipt(&mut self, from: SpkiHash, receipt: &Receipt) {
        let (summary, late) = match self.count(from, receipt) {
            Ok(counted) => counted,
            Err(e) => {
                let fields = json!({
                    "reason": e.reason(), "other": from.to_hex(),
                    "parent": receipt.parent.to_hex(),
                });
                self.emit.tell("receipt_refused", fields);
                return;
            }
        };
        let (parent, now_ms) = (receipt.parent, self.clock.mono_ms());
        self.proven.capacity.receipt(now_ms, parent, summary);
        if parent != self.me {
            let slots = self.slots_of(parent);
            let planned = self.planner.node(parent).map(|n| n.slots);
            if planned.is_some_and(|planned| slots > planned) {
                let _ = self.planner.claim(now_ms, parent, slots);
            }
            let in_time = usize::try_from(summary.in_time).unwrap_or(usize::MAX);
            if self.proven.lateness.note(from, parent, in_time, late) {
                self.parent_late(from, parent);
            }
        }
    }

    /// The child's receipts say that what this parent sends comes too late. A
    /// parent that is fed has no excuse, and loses the child.
    fn parent_late(&mut self, child: SpkiHash, parent: SpkiHash) {
        let fields = json!({
            "child": child.to_hex(), "parent": parent.to_hex(), "reason": "chunks_late",
        });
        self.emit.tell("parent_late", fields);
        let text = format!("{} passes the stream on late", self.name_of(parent));
        self.notice(page::Level::Warning, text);
        let now_ms = self.clock.mono_ms();
        self.planner.withheld(now_ms, child, parent);
    }

    /// What a receipt proves, and how many of its chunks came late.
    fn count(&mut self, from: SpkiHash, receipt: &Receipt) -> Result<(Summary, usize), Error> {
        let now_ms = self.clock.mono_ms();
        let member = self.members.get_mut(&from);
        let member = member.ok_or(Error::ReceiptMacInvalid)?;
        // A relay has no key for receipts.
        let key = member.receipt_key.as_ref();
        let key = key.ok_or(Error::ReceiptMacInvalid)?;
        let lookup = |sequence: Sequence| self.proven.digests.get(&sequence);
        let receipts = self.settings.receipts;
        let counted = receipts.check(receipt, &self.keys.run, key, lookup)?;
        if counted.member() != from {
            return Err(Error::ReceiptMacInvalid);
        }
        let permitted = self.permits.fed(from, counted.parent(), now_ms);
        self.settings.controls.receipts.of(permitted)?;
        let before = member.receipts.accept(&counted)?;
        let summary = Summary {
            bytes: counted.bytes(),
            due: self.proven.due(&counted, before),
            in_time: counted.in_time().len() as u64,
        };
        Ok((summary, counted.late().len()))
    }

    /// Takes slots back that nothing proves any more, but never one that a
    /// child hangs on.
    pub(super) fn lower_slots(&mut self) {
        let lower = |node: &SpkiHash| {
            let planned = self.planner.node(*node)?;
            let slots = self.slots_of(*node).max(planned.children);
            (slots < planned.slots).then_some((*node, slots))
        };
        let lower: Vec<(SpkiHash, u32)> = self.members.keys().filter_map(lower).collect();
        let now_ms = self.clock.mono_ms();
        for (node, slots) in lower {
            let _ = self.planner.claim(now_ms, node, slots);
        }
    }
}

#[cfg(test)]
mod tests;
