//! What live quotes of one boot have in common with its boot quote.

use super::attested::{Attested, ClockInfo};
use super::public::Point;
use super::quote::Quote;
use crate::error::Error;
use crate::quote::QuoteDigest;
use wire::Digest;

/// The AK, the registers and the counters at the boot. Whoever holds this has
/// appraised the boot quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootState {
    ak: Point,
    bank: u16,
    selection: [u8; 3],
    pcr_digest: Digest,
    clock: ClockInfo,
}

impl BootState {
    /// After `attested` was verified with `ak` and found to be the release's.
    pub(crate) const fn new(ak: Point, attested: &Attested) -> Self {
        Self {
            ak,
            bank: attested.bank,
            selection: attested.selection,
            pcr_digest: attested.pcr_digest,
            clock: attested.clock,
        }
    }

    /// Whether the quote is over `digest`.
    pub(crate) fn signed(&self, digest: &QuoteDigest, quote: &[u8]) -> Result<bool, Error> {
        let quote = Quote::parse(quote)?;
        quote.signed_by(&self.ak)?;
        Ok(quote.attested().nonce == *digest.as_bytes())
    }

    /// The same registers hold the same values as at the boot.
    pub(crate) fn unchanged(&self, quote: &[u8]) -> Result<String, Error> {
        let quote = Quote::parse(quote)?;
        let now = quote.attested();
        if now.bank != self.bank || now.selection != self.selection {
            return Err(Error::LivePcrSelectionMismatch);
        }
        if now.pcr_digest != self.pcr_digest {
            return Err(Error::LivePcrMismatch);
        }
        Ok("the registers are those of the boot".into())
    }

    /// No reset or restart lies between boot and quote.
    pub(crate) fn running(&self, quote: &[u8]) -> Result<String, Error> {
        let quote = Quote::parse(quote)?;
        let now = &quote.attested().clock;
        if !self.clock.same_boot(now) {
            return Err(Error::LiveReset);
        }
        let up_ms = now.clock_ms.saturating_sub(self.clock.clock_ms);
        Ok(format!("the same boot, {up_ms} ms after its evidence"))
    }
}
