//! The coordinator's side: recomputes what a receipt claims.

use super::{ReceiptKey, block_digest, mac};
use crate::hash::Hasher;
use crate::{Error, Verified, run};
use bytes::Bytes;
use subtle::ConstantTimeEq;
use wire::message::receipt::Receipt;
use wire::statement::{ChunkHeader, RunStatement};
use wire::{Digest, Rendition, Sequence, SpkiHash, Stripe};

/// The receipt digests of one published chunk, per stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripeDigests {
    stripes: Vec<Digest>,
    stripe_bytes: u64,
}

impl StripeDigests {
    /// Of a chunk and all of its blocks by index.
    ///
    /// # Errors
    /// `block_proof_mismatch` if the blocks are not as many or as long as the
    /// layout says.
    pub fn new(header: &Verified<ChunkHeader>, blocks: &[Bytes]) -> Result<Self, Error> {
        let layout = &header.layout;
        let lengths_ok = blocks
            .iter()
            .all(|block| block.len() as u64 == u64::from(layout.block_len));
        if blocks.len() as u64 != u64::from(layout.blocks()) || !lengths_ok {
            return Err(Error::BlockProofMismatch);
        }
        let width = usize::from(layout.k) + usize::from(layout.m);
        let mut hashers: Vec<Hasher> = (0..width).map(|_| Hasher::new()).collect();
        let mut numbered = blocks.iter().zip(0u16..);
        for _ in 0..layout.rows() {
            for (hasher, (block, index)) in hashers.iter_mut().zip(numbered.by_ref()) {
                hasher.update(block_digest(&header.digest(), index, block).as_bytes());
            }
        }
        Ok(Self {
            stripes: hashers.into_iter().map(Hasher::finish).collect(),
            stripe_bytes: u64::from(layout.rows()).saturating_mul(u64::from(layout.block_len)),
        })
    }
}

/// What a receipt proved. Only [`check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    member: SpkiHash,
    parent: SpkiHash,
    rendition: Rendition,
    stripe: Stripe,
    interval: u64,
    in_time: Vec<Sequence>,
    late: Vec<Sequence>,
    bytes: u64,
    cumulative_bytes: u64,
}

impl Counted {
    const fn empty(receipt: &Receipt) -> Self {
        Self {
            member: receipt.member,
            parent: receipt.parent,
            rendition: receipt.rendition,
            stripe: receipt.stripe,
            interval: receipt.interval,
            in_time: Vec::new(),
            late: Vec::new(),
            bytes: 0,
            cumulative_bytes: receipt.cumulative_bytes,
        }
    }

    fn mark(&mut self, sequence: Sequence, late: bool) {
        if late {
            self.late.push(sequence);
        } else {
            self.in_time.push(sequence);
        }
    }

    /// Whose word it is.
    #[must_use]
    pub const fn member(&self) -> SpkiHash {
        self.member
    }
    /// Who is judged.
    #[must_use]
    pub const fn parent(&self) -> SpkiHash {
        self.parent
    }
    /// The rendition.
    #[must_use]
    pub const fn rendition(&self) -> Rendition {
        self.rendition
    }
    /// The stripe.
    #[must_use]
    pub const fn stripe(&self) -> Stripe {
        self.stripe
    }
    /// The member's interval.
    #[must_use]
    pub const fn interval(&self) -> u64 {
        self.interval
    }
    /// Chunks that came in time.
    #[must_use]
    pub fn in_time(&self) -> &[Sequence] {
        &self.in_time
    }
    /// Chunks that came late.
    #[must_use]
    pub fn late(&self) -> &[Sequence] {
        &self.late
    }
    /// Block bytes of both.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
    /// Block bytes since the edge began, receipts that got lost included.
    #[must_use]
    pub const fn cumulative_bytes(&self) -> u64 {
        self.cumulative_bytes
    }
}

/// How receipts are checked: a value that the coordinator is made with, so
/// that a test can take it out (threat C2).
#[derive(Debug, Clone, Copy, Default)]
pub struct ReceiptCheck(Proof);

#[derive(Debug, Clone, Copy, Default)]
enum Proof {
    #[default]
    Mac,
    #[cfg(feature = "ablation")]
    Word,
}

impl ReceiptCheck {
    /// A receipt's bitmaps are believed without its MAC.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_believing() -> Self {
        let _ = crate::ablation::marker();
        Self(Proof::Word)
    }

    /// As [`check`].
    ///
    /// # Errors
    /// As [`check`].
    pub fn check<'a>(
        self,
        receipt: &Receipt,
        run: &Verified<RunStatement>,
        key: &ReceiptKey,
        lookup: impl Fn(Rendition, Sequence) -> Option<&'a StripeDigests>,
    ) -> Result<Counted, Error> {
        match self.0 {
            Proof::Mac => check(receipt, run, key, lookup),
            #[cfg(feature = "ablation")]
            Proof::Word => count(receipt, run, lookup).map(|(counted, _)| counted),
        }
    }
}

/// Checks a receipt under its member's key. `lookup` gives the digests of the
/// media chunks that the coordinator still keeps, by rendition and sequence.
///
/// # Errors
/// `receipt_wrong_run`, `receipt_malformed`, `receipt_unknown_chunk`,
/// `receipt_mac_invalid`.
pub fn check<'a>(
    receipt: &Receipt,
    run: &Verified<RunStatement>,
    key: &ReceiptKey,
    lookup: impl Fn(Rendition, Sequence) -> Option<&'a StripeDigests>,
) -> Result<Counted, Error> {
    let (counted, chunks) = count(receipt, run, lookup)?;
    let expected = mac(key, receipt, &chunks);
    if bool::from(expected.as_bytes().ct_eq(receipt.mac.as_bytes())) {
        Ok(counted)
    } else {
        Err(Error::ReceiptMacInvalid)
    }
}

/// What a receipt says, and the digest that its MAC has to be over.
fn count<'a>(
    receipt: &Receipt,
    run: &Verified<RunStatement>,
    lookup: impl Fn(Rendition, Sequence) -> Option<&'a StripeDigests>,
) -> Result<(Counted, Digest), Error> {
    run::same(&receipt.scope, run, Error::ReceiptWrongRun)?;
    let mut counted = Counted::empty(receipt);
    let mut chunks = Hasher::new();
    for (sequence, late) in marks(receipt)? {
        let digests = lookup(receipt.rendition, sequence).ok_or(Error::ReceiptUnknownChunk)?;
        let digest = digests
            .stripes
            .get(usize::from(receipt.stripe.0))
            .ok_or(Error::ReceiptMalformed)?;
        chunks.update(digest.as_bytes());
        counted.bytes = counted.bytes.saturating_add(digests.stripe_bytes);
        counted.mark(sequence, late);
    }
    Ok((counted, chunks.finish()))
}

/// The marked chunks by sequence, each with whether it was late.
fn marks(receipt: &Receipt) -> Result<Vec<(Sequence, bool)>, Error> {
    let len = receipt.in_time.len().max(receipt.late.len());
    let mut marks = Vec::new();
    for byte in 0..len {
        let in_time = receipt.in_time.get(byte).copied().unwrap_or(0);
        let late = receipt.late.get(byte).copied().unwrap_or(0);
        if in_time & late != 0 {
            return Err(Error::ReceiptMalformed);
        }
        for bit in (0..8u8).filter(|bit| (in_time | late) >> bit & 1 == 1) {
            let offset = (byte as u64)
                .saturating_mul(8)
                .saturating_add(u64::from(bit));
            let sequence = receipt.first.0.checked_add(offset);
            let sequence = sequence.ok_or(Error::ReceiptMalformed)?;
            marks.push((Sequence(sequence), late >> bit & 1 == 1));
        }
    }
    Ok(marks)
}
