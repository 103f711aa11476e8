//! `TPMS_ATTEST` of a quote (TPM 2.0 Library, Part 2, section 10.12.12):
//! what a TPM signs. The structure is read strictly: one selection of one
//! bank, a nonce and a digest of 32 bytes, nothing after it.

use super::fields::Fields;
use super::pcr::PCRS;
use crate::error::Error;
use wire::{DecodeError, Digest};

/// `TPM_GENERATED_VALUE`: a restricted key signs nothing from outside that
/// begins with it.
const MAGIC: u32 = 0xff54_4347;
/// `TPM_ST_ATTEST_QUOTE`.
const TYPE_QUOTE: u16 = 0x8018;
/// `qualifiedSigner`: a name, which is a hash with its algorithm before it.
const NAME_BYTES_MAX: usize = 2 + 64;
/// `sizeofSelect`: the 24 registers of a PC.
const SELECT_BYTES: usize = 3;

/// `TPMS_CLOCK_INFO` (Part 2, section 10.11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockInfo {
    /// How long the TPM has had power, in milliseconds.
    pub clock_ms: u64,
    /// Counts resets: boots from nothing.
    pub reset_count: u32,
    /// Counts restarts and resumes since the last reset.
    pub restart_count: u32,
    /// No greater value of the clock was ever reported.
    pub safe: bool,
}

impl ClockInfo {
    fn read(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            clock_ms: fields.u64("clock")?,
            reset_count: fields.u32("reset count")?,
            restart_count: fields.u32("restart count")?,
            safe: match fields.u8("safe")? {
                0 => false,
                1 => true,
                _ => return Err(DecodeError::Invalid("safe")),
            },
        })
    }

    /// Whether `later` can be the same boot: no reset and no restart lies
    /// between, and the clock did not go back.
    #[must_use]
    pub const fn same_boot(&self, later: &Self) -> bool {
        self.reset_count == later.reset_count
            && self.restart_count == later.restart_count
            && self.clock_ms <= later.clock_ms
            && (later.safe || !self.safe)
    }
}

/// The fields of a quote that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// `extraData`: what the caller of `TPM2_Quote` handed in.
    pub nonce: [u8; 32],
    /// The TPM's counters at that moment.
    pub clock: ClockInfo,
    /// `TPM_ALG_ID` of the selected bank.
    pub bank: u16,
    /// Bit n of the first byte selects register n, of the second n + 8, ...
    pub selection: [u8; SELECT_BYTES],
    /// SHA-256 over the selected registers' values.
    pub pcr_digest: Digest,
}

impl Attested {
    /// Reads a quote's `TPMS_ATTEST`.
    ///
    /// # Errors
    /// [`Error::QuoteMagic`] if no TPM made it, [`Error::QuoteType`] if it
    /// attests something else, [`Error::QuoteMalformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(bytes);
        if fields.u32("magic").map_err(Error::QuoteMalformed)? != MAGIC {
            return Err(Error::QuoteMagic);
        }
        if fields.u16("type").map_err(Error::QuoteMalformed)? != TYPE_QUOTE {
            return Err(Error::QuoteType);
        }
        Self::read(fields).map_err(Error::QuoteMalformed)
    }

    fn read(mut fields: Fields<'_>) -> Result<Self, DecodeError> {
        // Whose name it is, the AK's signature says.
        fields.sized(NAME_BYTES_MAX, "qualified signer")?;
        let nonce = fields.sized_array("nonce")?;
        let clock = ClockInfo::read(&mut fields)?;
        // Whoever trusts the endorsement key trusts the TPM's program.
        fields.u64("firmware version")?;
        if fields.u32("selections")? != 1 {
            return Err(DecodeError::Invalid("selections"));
        }
        let bank = fields.u16("bank")?;
        if usize::from(fields.u8("selection")?) != SELECT_BYTES {
            return Err(DecodeError::Invalid("selection"));
        }
        let attested = Self {
            nonce,
            clock,
            bank,
            selection: fields.array("selection")?,
            pcr_digest: Digest(fields.sized_array("PCR digest")?),
        };
        fields.finish()?;
        Ok(attested)
    }

    /// Whether exactly [`PCRS`] are selected.
    #[must_use]
    pub fn selects_released(&self) -> bool {
        let [low, middle, high] = self.selection;
        let bits = u32::from_le_bytes([low, middle, high, 0]);
        bits == PCRS.into_iter().fold(0, |bits, pcr| bits | (1 << pcr))
    }
}
