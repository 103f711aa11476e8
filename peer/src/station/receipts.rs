//! Receipts: a member's word about a parent, held against what this
//! coordinator permitted and published, and turned into edges (design,
//! "Cheating").

use super::controls::Judging;
use super::coordinator::Coordinator;
use super::lateness::Lateness;
use bytes::Bytes;
use certs::Error;
use certs::receipt::{Counted, ReceiptKey, Samplings, StripeDigests};
use overlay::slots::{Ledger, Summary};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use wire::limits::{RECEIPT_CHUNKS_MAX, STRIPES_MAX};
use wire::message::receipt::Receipt;
use wire::statement::ChunkKey;
use wire::{Digest, Rendition, Sequence, SpkiHash, Stripe};

/// Chunks whose receipt digests are kept: several times what one receipt can
/// speak of, since who catches up from a parent's kept window receipts old
/// chunks.
const DIGESTS_MAX: usize = 4 * RECEIPT_CHUNKS_MAX;
/// Open accounts per member: it has one for each stripe, and for a moment two.
const ACCOUNTS_MAX: usize = 4 * STRIPES_MAX as usize;

/// What a chunk is taken to play before the first one has come.
const CHUNK_MS: u64 = 200;

/// What receipts are checked against, and what they have proven.
#[derive(Debug)]
pub(super) struct Proven {
    digests: BTreeMap<Rendition, BTreeMap<Sequence, StripeDigests>>,
    /// The newest chunk of each rendition, and its header's digest.
    pub(super) heads: BTreeMap<Rendition, (Sequence, Digest)>,
    /// How long the newest chunk plays.
    chunk_ms: u64,
    pub(super) samplings: BTreeMap<Rendition, Samplings>,
    pub(super) capacity: Ledger<SpkiHash>,
    lateness: Lateness,
}

impl Proven {
    pub(super) fn new(judging: Judging) -> Self {
        Self {
            digests: BTreeMap::new(),
            heads: BTreeMap::new(),
            chunk_ms: CHUNK_MS,
            samplings: BTreeMap::new(),
            capacity: Ledger::checking(judging.claims),
            lateness: Lateness::new(judging.lateness.receipts_max()),
        }
    }

    /// A node's claim, bounded by its class if it is a relay.
    pub(super) fn claim(&mut self, node: SpkiHash, claim_bps: u64, ceiling_bps: Option<u64>) {
        self.capacity.claim(node, claim_bps, ceiling_bps);
    }

    /// What the node claims, in edges.
    pub(super) fn claimed_edges(&self, node: SpkiHash, edge_bps: u64) -> u32 {
        self.capacity.claimed_edges(node, edge_bps)
    }

    pub(super) fn forget(&mut self, node: SpkiHash) {
        self.capacity.forget(node);
        self.lateness.forget(node);
    }

    pub(super) fn proven_bps(&self, node: SpkiHash, now_ms: u64) -> u64 {
        self.capacity.proven_bps(now_ms, node)
    }

    pub(super) fn in_time_permille(&self, node: SpkiHash, now_ms: u64) -> u64 {
        self.capacity.in_time_permille(now_ms, node)
    }

    /// The newest chunk of this rendition that was published.
    pub(super) fn head(&self, rendition: Rendition) -> Option<Sequence> {
        let (sequence, _) = self.digests.get(&rendition)?.last_key_value()?;
        Some(*sequence)
    }

    pub(super) const fn chunk_ms(&self) -> u64 {
        self.chunk_ms
    }

    /// Chunks that were published after what was receipted before (or from the
    /// receipt's first one on) and up to the receipt's last, of those that the
    /// member was to receipt: what never came was due, too. What the child
    /// catches up with was not.
    fn due(&self, counted: &Counted, key: &ReceiptKey, before: Before) -> u64 {
        let since = || chunks(counted).filter(|s| Some(*s) > before.begun_at);
        let (Some(first), Some(last)) = (since().min(), since().max()) else {
            return 0;
        };
        let newest = before.newest.filter(|s| Some(*s) > before.begun_at);
        let from = newest.map_or(first, Sequence::next);
        if from > last {
            return 0;
        }
        let digests = self.digests.get(&counted.rendition()).into_iter();
        let published = digests.flat_map(|of| of.range(from..=last).map(|(chunk, _)| *chunk));
        let of = (counted.rendition(), counted.stripe());
        let due = published.filter(|chunk| self.asked(key, of, *chunk));
        due.count() as u64
    }
}

/// The chunks that a receipt speaks of.
fn chunks(counted: &Counted) -> impl Iterator<Item = Sequence> {
    counted.in_time().iter().chain(counted.late()).copied()
}

/// A parent, and what comes from it.
pub(super) type Flow = (SpkiHash, Rendition, Stripe);

/// What one member has receipted.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    by_edge: BTreeMap<Flow, Account>,
    /// Every stripe of a chunk, of whichever parent: one delivery proves one.
    seen: BTreeSet<(Sequence, Stripe, Rendition)>,
}

/// What it has receipted of one edge.
#[derive(Debug, Default)]
struct Account {
    receipts: certs::receipt::Ledger,
    /// The newest chunk when the edge was permitted: what the child catches up
    /// with was due neither in time nor from this parent.
    begun_at: Option<Sequence>,
    newest: Option<Sequence>,
}

/// What an account said before one more receipt.
#[derive(Debug, Clone, Copy)]
struct Before {
    begun_at: Option<Sequence>,
    newest: Option<Sequence>,
}

impl Before {
    /// Of these chunks, how many were published since the edge was permitted.
    fn count(&self, sequences: &[Sequence]) -> usize {
        let since = sequences.iter().filter(|s| Some(**s) > self.begun_at);
        since.count()
    }
}

impl Accounts {
    /// Adds a receipt, and returns what was known of this edge before. A
    /// refused receipt changes nothing.
    fn accept(&mut self, counted: &Counted) -> Result<Before, Error> {
        let (rendition, stripe) = (counted.rendition(), counted.stripe());
        let parts = || chunks(counted).map(|sequence| (sequence, stripe, rendition));
        if parts().any(|part| self.seen.contains(&part)) {
            return Err(Error::ReceiptRepeatsChunk);
        }
        let edge = (counted.parent(), rendition, stripe);
        let account = self.account(edge);
        account.receipts.accept(counted)?;
        let before = Before {
            begun_at: account.begun_at,
            newest: account.newest,
        };
        account.newest = before.newest.max(chunks(counted).max());
        self.seen.extend(parts());
        // Older chunks have no digests any more, and cannot be receipted.
        while self.seen.len() > DIGESTS_MAX * usize::from(STRIPES_MAX) {
            self.seen.pop_first();
        }
        Ok(before)
    }

    fn account(&mut self, edge: Flow) -> &mut Account {
        while self.by_edge.len() >= ACCOUNTS_MAX && !self.by_edge.contains_key(&edge) {
            self.by_edge.pop_first();
        }
        self.by_edge.entry(edge).or_default()
    }

    /// A new edge begins when `head` is the newest chunk: both ends count from
    /// zero.
    fn open(&mut self, edge: Flow, head: Option<Sequence>) {
        self.by_edge.remove(&edge);
        self.account(edge).begun_at = head;
    }

    /// The edge is over.
    fn close(&mut self, edge: Flow) {
        self.by_edge.remove(&edge);
    }
}

impl Coordinator {
    /// What the child receipts of this edge is counted from zero, and from
    /// here on.
    pub(super) fn open_account(&mut self, child: SpkiHash, flow: Flow) {
        let head = self.proven.head(flow.1);
        if let Some(member) = self.members.get_mut(&child) {
            member.receipts.open(flow, head);
        }
    }

    pub(super) fn close_account(&mut self, child: SpkiHash, flow: Flow) {
        if let Some(member) = self.members.get_mut(&child) {
            member.receipts.close(flow);
        }
    }

    /// Keeps the receipt digests of a chunk that the station published.
    pub(super) fn note_chunk(&mut self, key: ChunkKey) {
        if key.init {
            return;
        }
        let Some((header, pieces)) = self.node.chunk(key) else {
            return;
        };
        // The station has every block of its own chunks.
        let blocks: Vec<Bytes> = pieces.into_iter().map(|piece| piece.data).collect();
        let chunk_ms = header.duration_us / 1_000;
        if chunk_ms > 0 && key.rendition == Rendition(0) {
            self.proven.chunk_ms = chunk_ms;
        }
        if let Ok(digests) = StripeDigests::new(&header, &blocks) {
            let head = (key.sequence, header.digest());
            self.proven.heads.insert(key.rendition, head);
            let kept = self.proven.digests.entry(key.rendition).or_default();
            kept.insert(key.sequence, digests);
            while kept.len() > DIGESTS_MAX {
                kept.pop_first();
            }
        }
    }

    /// A receipt can be here before the word of the chunk that it is for.
    fn note_newer_chunks(&mut self, rendition: Rendition) {
        while let Some(head) = self.proven.head(rendition) {
            let sequence = head.next();
            self.note_chunk(ChunkKey {
                rendition,
                init: false,
                sequence,
            });
            if self.proven.head(rendition) != Some(sequence) {
                break;
            }
        }
    }

    /// Tells when a node claims more than anybody has proven of it.
    pub(super) fn tell_unproven(&self, node: SpkiHash, edges: u32) {
        let edge_bps = self.settings.edge_bps;
        let claimed = self.proven.capacity.claimed_edges(node, edge_bps);
        if claimed > edges {
            let fields = json!({
                "node": node.to_hex(), "claimed_edges": claimed, "edges": edges,
                "reason": "claim_unproven",
            });
            self.emit.tell("edges_limited", fields);
        }
    }

    /// Edges by claim and receipts.
    pub(super) fn edges_of(&self, node: SpkiHash) -> u32 {
        let now_ms = self.clock.mono_ms();
        let settings = &self.settings;
        let (edge_bps, stripes) = (settings.edge_bps, settings.stripes);
        let edges = self.proven.capacity.edges(now_ms, node, edge_bps, stripes);
        // What a relay gives to smaller renditions the trees do not have.
        let taken = self.ladder.as_ref().map_or(0, |l| l.edges_taken(node));
        edges.saturating_sub(taken)
    }

    /// A member's word about its parent: checked, counted once, and turned
    /// into edges.
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
            let edges = self.edges_of(parent);
            let planned = self.planner.node(parent).map(|n| n.edges);
            if planned.is_some_and(|planned| edges > planned) {
                let _ = self.planner.claim(now_ms, parent, edges);
            }
            let in_time = usize::try_from(summary.in_time).unwrap_or(usize::MAX);
            let of = (from, receipt.stripe);
            if self.proven.lateness.note(of, parent, in_time, late) {
                self.parent_late(of, parent, receipt.rendition);
            }
        }
    }

    /// The child's receipts say that what this parent sends comes too late. A
    /// parent that is fed has no excuse, and loses the child.
    fn parent_late(
        &mut self,
        (child, stripe): (SpkiHash, Stripe),
        parent: SpkiHash,
        rendition: Rendition,
    ) {
        let fields = json!({
            "child": child.to_hex(), "parent": parent.to_hex(), "stripe": stripe.0,
            "rendition": rendition.0, "reason": "chunks_late",
        });
        self.emit.tell("parent_late", fields);
        let text = format!("{} passes the stream on late", self.name_of(parent));
        self.notice(page::Level::Warning, text);
        if rendition != Rendition(0) {
            self.passes_nothing(child, parent);
            return;
        }
        let now_ms = self.clock.mono_ms();
        self.planner.withheld(now_ms, child, parent, stripe);
    }

    /// What a receipt proves, and how many of its chunks came late.
    fn count(&mut self, from: SpkiHash, receipt: &Receipt) -> Result<(Summary, usize), Error> {
        let now_ms = self.clock.mono_ms();
        self.note_newer_chunks(receipt.rendition);
        let member = self.members.get_mut(&from);
        let member = member.ok_or(Error::ReceiptMacInvalid)?;
        // A relay has no key for receipts.
        let key = member.receipt_key.as_ref();
        let key = key.ok_or(Error::ReceiptMacInvalid)?;
        let lookup = |rendition, sequence| {
            let kept = self.proven.digests.get(&rendition);
            kept.and_then(|kept| kept.get(&sequence))
        };
        let receipts = self.settings.receipts;
        let counted = receipts.check(receipt, &self.keys.run, key, lookup)?;
        if counted.member() != from {
            return Err(Error::ReceiptMacInvalid);
        }
        let pair = (from, counted.parent());
        let of = (counted.rendition(), counted.stripe());
        let permitted = self.permits.fed(pair, of, now_ms);
        self.settings.controls.receipts.of(permitted)?;
        let asked = |chunk| self.proven.asked(key, of, chunk);
        self.settings
            .controls
            .sampling
            .of(chunks(&counted).all(asked))?;
        let before = member.receipts.accept(&counted)?;
        let summary = Summary {
            bytes: counted.bytes(),
            due: self.proven.due(&counted, key, before),
            in_time: before.count(counted.in_time()) as u64,
        };
        let one_in = self.proven.stand_for(counted.rendition(), chunks(&counted));
        let late = before.count(counted.late());
        Ok((summary.scaled(one_in), late))
    }

    /// Takes edges back that nothing proves any more, but never one that feeds
    /// a child.
    pub(super) fn lower_edges(&mut self) {
        let lower = |node: &SpkiHash| {
            let planned = self.planner.node(*node)?;
            let edges = self.edges_of(*node).max(planned.edges_used);
            (edges < planned.edges).then_some((*node, edges))
        };
        let lower: Vec<(SpkiHash, u32)> = self.members.keys().filter_map(lower).collect();
        let now_ms = self.clock.mono_ms();
        for (node, edges) in lower {
            let _ = self.planner.claim(now_ms, node, edges);
        }
    }
}

#[cfg(test)]
mod tests;
