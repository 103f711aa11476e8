//! Chunk headers: who made a chunk. Every viewer knows the epoch's key, so
//! the seal cannot say it; the sender's signature does.

use crate::hash::sha256;
use crate::limits::{CLOCK_SKEW_MS_MAX, HEADER_WINDOW};
use crate::{Error, Verified, verified};
use std::collections::{BTreeMap, VecDeque};
use wire::limits::RENDITIONS_MAX;
use wire::message::edge::Equivocation;
use wire::statement::{ChunkHeader, RunStatement};
use wire::{Digest, Signed};

/// What headers of this run may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderLimits {
    /// Renditions are numbered from 0 to one below this.
    pub renditions: u8,
    /// Verified headers that are remembered.
    pub window: usize,
}

impl Default for HeaderLimits {
    fn default() -> Self {
        Self {
            renditions: RENDITIONS_MAX,
            window: HEADER_WINDOW,
        }
    }
}

/// Verifies headers of one run and remembers which it has verified, since the
/// same header comes once per parent.
#[derive(Debug)]
pub struct HeaderVerifier {
    run: Verified<RunStatement>,
    limits: HeaderLimits,
    known: BTreeMap<Digest, Verified<ChunkHeader>>,
    order: VecDeque<Digest>,
    signatures_checked: u64,
    #[cfg(feature = "ablation")]
    pub(crate) accept_any: bool,
    #[cfg(feature = "ablation")]
    pub(crate) any_scope: bool,
}

impl HeaderVerifier {
    /// A verifier for one run.
    #[must_use]
    pub fn new(run: &Verified<RunStatement>, limits: HeaderLimits) -> Self {
        Self {
            run: run.clone(),
            limits,
            known: BTreeMap::new(),
            order: VecDeque::new(),
            signatures_checked: 0,
            #[cfg(feature = "ablation")]
            accept_any: false,
            #[cfg(feature = "ablation")]
            any_scope: false,
        }
    }

    /// Signatures that were really checked: the others were looked up.
    #[must_use]
    pub const fn signatures_checked(&self) -> u64 {
        self.signatures_checked
    }

    /// Checks a header; one seen before costs a hash and a look-up.
    ///
    /// # Errors
    /// `header_signature_invalid`, `header_wrong_stream`, `header_wrong_run`,
    /// `header_rendition_unknown`,
    /// `header_stripes_unexpected`, `header_inconsistent`,
    /// `statement_malformed`.
    pub fn verify(&mut self, signed: &Signed<ChunkHeader>) -> Result<Verified<ChunkHeader>, Error> {
        #[cfg(feature = "ablation")]
        if self.accept_any {
            return Verified::dangerously_unsigned(signed);
        }
        // Over the signature too: a look-up must not let another one pass.
        let name = sha256(&[signed.body(), signed.signature()]);
        if let Some(header) = self.known.get(&name) {
            return Ok(header.clone());
        }
        self.signatures_checked = self.signatures_checked.saturating_add(1);
        let header = verified::open(signed, &self.run.chunk_key, Error::HeaderSignatureInvalid)?;
        self.check(&header)?;
        self.remember(name, header.clone());
        Ok(header)
    }

    fn check(&self, header: &ChunkHeader) -> Result<(), Error> {
        #[cfg(feature = "ablation")]
        if self.any_scope {
            return Ok(());
        }
        if header.scope.stream != self.run.scope.stream {
            return Err(Error::HeaderWrongStream);
        }
        if header.scope.run != self.run.scope.run {
            return Err(Error::HeaderWrongRun);
        }
        if header.rendition.0 >= self.limits.renditions {
            return Err(Error::HeaderRenditionUnknown);
        }
        let stripes = self.run.stripes;
        if (header.layout.k, header.layout.m) != (stripes.k(), stripes.m()) {
            return Err(Error::HeaderStripesUnexpected);
        }
        if !consistent(header, &self.run) {
            return Err(Error::HeaderInconsistent);
        }
        Ok(())
    }

    fn remember(&mut self, name: Digest, header: Verified<ChunkHeader>) {
        if self.limits.window == 0 {
            return;
        }
        while self.order.len() >= self.limits.window {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        self.order.push_back(name);
        self.known.insert(name, header);
    }
}

fn consistent(header: &ChunkHeader, run: &RunStatement) -> bool {
    let init_names_itself = !header.flags.init || header.init_sequence == header.sequence;
    let time_fits = header.time_us.checked_add(header.duration_us).is_some();
    let in_run = header.published.plus_ms(CLOCK_SKEW_MS_MAX) >= run.start
        && header.published <= run.end.plus_ms(CLOCK_SKEW_MS_MAX);
    init_names_itself && time_fits && in_run
}

/// Whether two headers prove that the sender told two stories: both are
/// signed by it, of the same run, and they differ about the same chunk, or the
/// one names another chunk than the other as the one before it.
#[must_use]
pub fn equivocation(a: &Verified<ChunkHeader>, b: &Verified<ChunkHeader>) -> bool {
    let one_chain = a.scope.stream == b.scope.stream
        && a.scope.run == b.scope.run
        && a.rendition == b.rendition
        && a.flags.init == b.flags.init;
    one_chain && (differ(a, b) || breaks(a, b) || breaks(b, a))
}

fn differ(a: &Verified<ChunkHeader>, b: &Verified<ChunkHeader>) -> bool {
    a.sequence == b.sequence && a.digest() != b.digest()
}

/// Whether `next` follows `header` by its number, and not by its chain.
fn breaks(header: &Verified<ChunkHeader>, next: &Verified<ChunkHeader>) -> bool {
    next.sequence == header.sequence.next() && next.previous != header.digest()
}

/// Checks a proof of equivocation, whoever brought it; returns its headers.
///
/// # Errors
/// `header_signature_invalid`, `header_wrong_stream`, `header_wrong_run`,
/// `statement_malformed`; `equivocation_unproven` if the two agree.
pub fn verify_equivocation(
    proof: &Equivocation,
    run: &Verified<RunStatement>,
) -> Result<[Verified<ChunkHeader>; 2], Error> {
    let open = |signed: &Signed<ChunkHeader>| {
        let header = verified::open(signed, &run.chunk_key, Error::HeaderSignatureInvalid)?;
        if header.scope.stream != run.scope.stream {
            return Err(Error::HeaderWrongStream);
        }
        if header.scope.run != run.scope.run {
            return Err(Error::HeaderWrongRun);
        }
        Ok(header)
    };
    let [a, b] = [open(&proof.a)?, open(&proof.b)?];
    if equivocation(&a, &b) {
        Ok([a, b])
    } else {
        Err(Error::EquivocationUnproven)
    }
}
