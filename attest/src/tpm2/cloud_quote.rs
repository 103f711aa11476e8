//! A quote by a key that a cloud certified: as our own machines' ones, by
//! ECDSA P-256, or by RSASSA-PKCS1-v1_5 (TPM 2.0 Library, Part 2, section
//! 11.2.4), which no relay's live quote may be.

use super::attested::Attested;
use super::fields::Fields;
use super::public::Point;
use super::quote::{ALG_SHA256, ATTEST_BYTES_MAX, Quote};
use crate::chain;
use crate::error::Error;
use crate::signature::rsa_holds;
use wire::DecodeError;

/// `TPM_ALG_RSASSA`.
const ALG_RSASSA: u16 = 0x0014;
/// Modulus and signature of RSA 2048, in bytes.
const RSA_BYTES: usize = 256;

/// The key that a cloud's certificate names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CloudKey {
    P256(Point),
    Rsa2048(Box<[u8; RSA_BYTES]>),
}

impl CloudKey {
    /// The key of a certificate (DER); nobody's word before its path is
    /// verified.
    pub(crate) fn of(certificate: &[u8]) -> Result<Self, Error> {
        chain::p256_coordinates(certificate)
            .map(|coordinates| Self::P256(Point::from_coordinates(&coordinates)))
            .or_else(|_| {
                chain::rsa_2048_modulus(certificate).map(|modulus| Self::Rsa2048(Box::new(modulus)))
            })
    }

    /// The key's scheme, for people.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::P256(_) => "ECDSA P-256",
            Self::Rsa2048(_) => "RSA 2048",
        }
    }
}

/// A quote that was taken apart; nothing of it is verified.
pub(crate) enum CloudQuote<'a> {
    P256(Quote<'a>),
    Rsa2048(RsaQuote<'a>),
}

pub(crate) struct RsaQuote<'a> {
    /// The signed bytes: a `TPMS_ATTEST`.
    attest: &'a [u8],
    signature: &'a [u8],
    attested: Attested,
}

impl<'a> CloudQuote<'a> {
    /// `TPM2B_ATTEST ‖ TPMT_SIGNATURE` in the scheme of this key.
    pub(crate) fn parse(bytes: &'a [u8], key: &CloudKey) -> Result<Self, Error> {
        match key {
            CloudKey::P256(_) => Quote::parse(bytes).map(Self::P256),
            CloudKey::Rsa2048(_) => RsaQuote::parse(bytes).map(Self::Rsa2048),
        }
    }

    /// What the TPM says; it is worth nothing before [`Self::signed_by`].
    pub(crate) const fn attested(&self) -> &Attested {
        match self {
            Self::P256(quote) => quote.attested(),
            Self::Rsa2048(quote) => &quote.attested,
        }
    }

    pub(crate) fn signed_by(&self, key: &CloudKey) -> Result<(), Error> {
        let holds = match (self, key) {
            (Self::P256(quote), CloudKey::P256(point)) => return quote.signed_by(point),
            (Self::Rsa2048(quote), CloudKey::Rsa2048(modulus)) => {
                rsa_holds(modulus, quote.attest, quote.signature)
            }
            _ => false,
        };
        if holds {
            Ok(())
        } else {
            Err(Error::QuoteSignatureInvalid)
        }
    }
}

impl<'a> RsaQuote<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (attest, signature) = Self::parts(bytes).map_err(Error::QuoteMalformed)?;
        Ok(Self {
            attest,
            signature,
            attested: Attested::parse(attest)?,
        })
    }

    fn parts(bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
        let mut fields = Fields::new(bytes);
        let attest = fields.sized(ATTEST_BYTES_MAX, "attested structure")?;
        fields.exactly(ALG_RSASSA, "signature scheme")?;
        fields.exactly(ALG_SHA256, "signature hash")?;
        let signature = fields.sized(RSA_BYTES, "signature")?;
        fields.finish()?;
        Ok((attest, signature))
    }
}
