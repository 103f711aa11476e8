//! A quote as it travels: `TPM2B_ATTEST ‖ TPMT_SIGNATURE`, what `TPM2_Quote`
//! answers (TPM 2.0 Library, Part 3, section 18.4), for boot and live quotes
//! alike.

use super::attested::Attested;
use super::fields::Fields;
use super::public::Point;
use crate::error::Error;
use crate::signature::p256_holds;
use wire::DecodeError;

/// `r ‖ s` of ECDSA P-256, each with its leading zeros.
pub const P256_SIGNATURE_BYTES: usize = 64;
/// `TPMS_ATTEST` of a quote, in bytes: its parts are all bounded.
pub(super) const ATTEST_BYTES_MAX: usize = 256;
/// `TPM_ALG_ECDSA`.
const ALG_ECDSA: u16 = 0x0018;
/// `TPM_ALG_SHA256`.
pub(super) const ALG_SHA256: u16 = 0x000b;
/// A coordinate's or scalar's length on P-256, in bytes.
const SCALAR_BYTES: usize = 32;

/// A quote that was taken apart; nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote<'a> {
    /// The signed bytes: a `TPMS_ATTEST`.
    attest: &'a [u8],
    signature: [u8; P256_SIGNATURE_BYTES],
    attested: Attested,
}

impl<'a> Quote<'a> {
    /// Takes a quote apart.
    ///
    /// # Errors
    /// [`Error::QuoteMalformed`], also for another scheme than ECDSA with
    /// SHA-256 and for bytes that follow; see [`Attested::parse`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (attest, signature) = Self::parts(bytes).map_err(Error::QuoteMalformed)?;
        Ok(Self {
            attest,
            signature,
            attested: Attested::parse(attest)?,
        })
    }

    fn parts(bytes: &'a [u8]) -> Result<(&'a [u8], [u8; P256_SIGNATURE_BYTES]), DecodeError> {
        let mut fields = Fields::new(bytes);
        let attest = fields.sized(ATTEST_BYTES_MAX, "attested structure")?;
        fields.exactly(ALG_ECDSA, "signature scheme")?;
        fields.exactly(ALG_SHA256, "signature hash")?;
        let mut signature = [0; P256_SIGNATURE_BYTES];
        for half in signature.chunks_exact_mut(SCALAR_BYTES) {
            let scalar = fields.sized(SCALAR_BYTES, "signature")?;
            // Some TPMs leave leading zeros out, others do not.
            let zeros = SCALAR_BYTES.saturating_sub(scalar.len());
            if zeros > 0 && scalar.first().is_none_or(|first| *first == 0) {
                return Err(DecodeError::Invalid("signature"));
            }
            half.iter_mut()
                .skip(zeros)
                .zip(scalar)
                .for_each(|(to, from)| *to = *from);
        }
        fields.finish()?;
        Ok((attest, signature))
    }

    /// What the TPM says; it is worth nothing before [`Self::signed_by`].
    #[must_use]
    pub const fn attested(&self) -> &Attested {
        &self.attested
    }

    /// Whether the AK of this point signed it.
    ///
    /// # Errors
    /// [`Error::QuoteSignatureInvalid`].
    pub fn signed_by(&self, ak: &Point) -> Result<(), Error> {
        if p256_holds(&ak.to_uncompressed(), self.attest, &self.signature) {
            Ok(())
        } else {
            Err(Error::QuoteSignatureInvalid)
        }
    }
}
