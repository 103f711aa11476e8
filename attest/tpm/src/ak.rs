//! The attestation key of this boot.

use crate::device::Device;
use crate::error::Error;
use crate::frame::Authorization;
use crate::loaded::{Loaded, primary};
use crate::pcr::selection;
use crate::template;
use attest::tpm2::public::AkPublic;
use attest::{QuoteDigest, Quoter};
use tpm2_protocol::basic::TpmHandle;
use tpm2_protocol::data::{Tpm2bData, TpmAlgId, TpmCc, TpmtSigScheme, TpmuAttest, TpmuSignature};
use tpm2_protocol::frame::{TpmQuoteCommand, TpmQuoteResponse};

/// Bytes of each half of a P-256 signature.
const SCALAR_BYTES: usize = 32;

/// A restricted P-256 key that lives until it is dropped or the TPM is reset.
///
/// It may be shared between threads, which take turns at the TPM: a quote
/// blocks its thread for 3 to 15 ms, and for those before it.
pub struct Ak {
    loaded: Loaded,
    public: Vec<u8>,
}

impl std::fmt::Debug for Ak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ak")
    }
}

impl Ak {
    /// Makes a key that was never there before.
    ///
    /// # Errors
    /// `key_unsuitable`, and those of the device.
    pub fn create(device: &Device) -> Result<Self, Error> {
        let mut unique = [0; SCALAR_BYTES];
        device.random(&mut unique)?;
        let (loaded, public) = primary(device, &template::ak(&unique))?;
        AkPublic::parse(&public).map_err(Error::KeyUnsuitable)?;
        Ok(Self { loaded, public })
    }

    /// The `TPMT_PUBLIC`.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    pub(crate) const fn handle(&self) -> TpmHandle {
        self.loaded.handle
    }

    /// Quotes [`PCRS`](crate::PCRS) of the SHA-256 bank with `qualifying` as
    /// the quote's extra data: `TPM2B_ATTEST ‖ TPMT_SIGNATURE`, both halves of
    /// the signature with their leading zeros.
    ///
    /// # Errors
    /// Those of the device; `response_unrelated` for a statement of another
    /// kind or with other extra data.
    pub fn quote(&self, qualifying: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let invalid = |_| Error::CommandInvalid(TpmCc::Quote);
        let command = TpmQuoteCommand {
            handles: [self.loaded.handle],
            qualifying_data: Tpm2bData::try_from(qualifying.as_slice()).map_err(invalid)?,
            // The key's own scheme.
            in_scheme: TpmtSigScheme::default(),
            pcr_select: selection(TpmCc::Quote)?,
        };
        let answer = self
            .loaded
            .device
            .run::<_, TpmQuoteResponse>(&command, &[Authorization::Empty])?;
        let stated = &answer.body.quoted.inner;
        if !matches!(stated.attested, TpmuAttest::Quote(_))
            || stated.extra_data.as_ref() != qualifying
        {
            return Err(Error::ResponseUnrelated(TpmCc::Quote));
        }
        let malformed = Error::ResponseMalformed(TpmCc::Quote);
        let (statement, _) = crate::frame::sized(&answer.parameters).ok_or(malformed)?;
        let signature = signature(&answer.body.signature.signature)?;
        Ok([sized(statement), signature].concat())
    }
}

impl Quoter for Ak {
    fn quote(&self, digest: &QuoteDigest) -> Result<Vec<u8>, attest::Error> {
        Self::quote(self, digest.as_bytes()).map_err(|_| attest::Error::QuoteFailed)
    }
}

/// `TPMT_SIGNATURE` in the one spelling that verifiers take: TPMs may leave
/// out leading zeros, which the signature does not cover.
fn signature(signature: &TpmuSignature) -> Result<Vec<u8>, Error> {
    let malformed = Error::ResponseMalformed(TpmCc::Quote);
    let TpmuSignature::Ecdsa(signature) = signature else {
        return Err(malformed);
    };
    let half = |half: &[u8]| {
        let zeros = [0; SCALAR_BYTES];
        let zeros = zeros.get(..SCALAR_BYTES.checked_sub(half.len())?)?;
        Some(sized(&[zeros, half].concat()))
    };
    match (
        signature.hash,
        half(&signature.signature_r),
        half(&signature.signature_s),
    ) {
        (TpmAlgId::Sha256, Some(r), Some(s)) => {
            let algorithms = [TpmAlgId::Ecdsa as u16, TpmAlgId::Sha256 as u16];
            let algorithms: Vec<u8> = algorithms.iter().flat_map(|a| a.to_be_bytes()).collect();
            Ok([algorithms, r, s].concat())
        }
        _ => Err(malformed),
    }
}

/// A `TPM2B`; what it holds came out of one, or has 32 bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes(), bytes].concat()
}
