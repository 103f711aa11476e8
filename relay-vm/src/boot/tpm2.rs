//! The platform of a relay that is a machine with a TPM 2.0.

use super::platform::{Keys, Platform, Subject, Tpm2Keys, Vouched};
use crate::Error;
use attest::tpm2::{Pcrs, SignedTpmStatement, Tpm2Evidence};
use attest::{QuoteDigest, Quoter};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error as ThisError;
use wire::Decode;
use zeroize::Zeroizing;

/// How much of a stream a relay keeps that is a machine: who lost such a relay
/// waits for the next one's boot, of up to half a minute and more where it is
/// emulated, and resumes from there. The machine's memory is the relay's own.
const KEPT_MS_MAX: u64 = 120_000;

/// What this platform asks of a TPM: two keys of this boot.
pub trait Tpm: Debug + Send + 'static {
    /// The keys' public halves.
    fn keys(&self) -> Tpm2Keys;

    /// `TPM2_ActivateCredential` of `TPM2B_ID_OBJECT ‖
    /// TPM2B_ENCRYPTED_SECRET`: the secret, if it was made for both keys.
    ///
    /// # Errors
    /// It was not, or the device fails.
    fn activate(&mut self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, TpmFailed>;

    /// `TPM2_Quote` with these 32 bytes as qualifying data: `TPM2B_ATTEST ‖
    /// TPMT_SIGNATURE`. Blocks for milliseconds.
    ///
    /// # Errors
    /// The device fails.
    fn quote(&mut self, qualifying: &[u8; 32]) -> Result<Vec<u8>, TpmFailed>;
}

/// A TPM refuses or fails; the text names the command and its answer.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("{0}")]
pub struct TpmFailed(pub String);

/// Evidence kind `tpm2`: the desk, as operator of the host, vouches for the
/// TPM, and the TPM for the image.
#[derive(Debug)]
pub struct Tpm2Platform<T> {
    tpm: T,
    pcrs: Pcrs,
}

impl<T: Tpm> Tpm2Platform<T> {
    /// A platform with `tpm`, whose quoted registers are `pcrs`.
    #[must_use]
    pub const fn new(tpm: T, pcrs: Pcrs) -> Self {
        Self { tpm, pcrs }
    }
}

impl<T: Tpm> Platform for Tpm2Platform<T> {
    fn keys(&mut self) -> Result<Keys, Error> {
        Ok(Keys::Tpm2(self.tpm.keys()))
    }

    fn activate(&mut self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let secret = self.tpm.activate(credential);
        secret.map_err(failed("activating the desk's credential"))
    }

    fn kept_ms_max(&self) -> u64 {
        KEPT_MS_MAX
    }

    fn vouch(mut self: Box<Self>, subject: Subject, statement: &[u8]) -> Result<Vouched, Error> {
        let statement = SignedTpmStatement::from_bytes(statement)?;
        let digest = QuoteDigest::boot(
            &subject.spki,
            &certs::order::id(&subject.order),
            &certs::order::parameters_digest(&subject.parameters),
        );
        let quote = self.tpm.quote(digest.as_bytes());
        let evidence = Tpm2Evidence::assemble(
            subject.order,
            subject.parameters,
            statement,
            quote.map_err(failed("quoting the boot"))?,
            self.pcrs,
            subject.release.as_bytes(),
        )
        .map_err(|_| Error::Boot("the release statement is too large"))?;
        Ok(Vouched {
            evidence,
            quoter: Arc::new(TpmQuoter(Mutex::new(self.tpm))),
        })
    }
}

fn failed(step: &'static str) -> impl FnOnce(TpmFailed) -> Error {
    move |failure| Error::Platform(format!("{step} ({failure})"))
}

/// One quote at a time: the device has no more hands.
#[derive(Debug)]
struct TpmQuoter<T>(Mutex<T>);

impl<T: Tpm> Quoter for TpmQuoter<T> {
    fn quote(&self, digest: &QuoteDigest) -> Result<Vec<u8>, attest::Error> {
        let mut tpm = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tpm.quote(digest.as_bytes()).map_err(|failure| {
            tracing::warn!("the TPM does not quote: {failure}");
            attest::Error::QuoteFailed
        })
    }
}
