//! What a relay runs on, as its boot sees it.

use crate::Error;
use attest::{Evidence, Quoter};
use std::fmt::Debug;
use std::sync::Arc;
use wire::order::{Order, Parameters};
use wire::{PublicKey, SpkiHash};
use zeroize::Zeroizing;

/// Keys that a platform shows to be vouched for. Their kind decides how the
/// conversation goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// A key that the program made; its desk vouches for the program.
    Software {
        /// Ed25519.
        boot_key: PublicKey,
    },
    /// Keys of a TPM; the desk has it activate a credential first.
    Tpm2(Tpm2Keys),
}

/// Keys of a TPM 2.0, in the forms of TPM 2.0 Library part 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tpm2Keys {
    /// The endorsement key, `TPMT_PUBLIC` (section 12.2.4).
    pub ek_public: Vec<u8>,
    /// Its manufacturer's certificate, X.509 DER.
    pub ek_certificate: Vec<u8>,
    /// The restricted attestation key of this boot, `TPMT_PUBLIC`.
    pub ak_public: Vec<u8>,
}

/// What a boot's evidence is about.
#[derive(Debug)]
pub struct Subject {
    /// The relay's TLS key.
    pub spki: SpkiHash,
    /// The order that it was started for.
    pub order: Order,
    /// How it shall serve.
    pub parameters: Parameters,
    /// `release.json`, byte for byte.
    pub release: String,
}

/// Evidence, and who quotes for its live challenges.
#[derive(Debug)]
pub struct Vouched {
    /// What the certificate carries.
    pub evidence: Evidence,
    /// May block for milliseconds: never called on the forwarding thread.
    pub quoter: Arc<dyn PlatformQuoter>,
}

/// A [`Quoter`] that threads share.
pub trait PlatformQuoter: Quoter + Debug + Send + Sync {}

impl<T: Quoter + Debug + Send + Sync> PlatformQuoter for T {}

/// A platform. Its calls may block: a boot has nothing else to do.
pub trait Platform: Debug + Send {
    /// The keys that the desk shall vouch for.
    ///
    /// # Errors
    /// The platform fails.
    fn keys(&mut self) -> Result<Keys, Error>;

    /// Recovers the secret of a credential that was made for these keys.
    ///
    /// # Errors
    /// It was made for others, or this platform has no such keys.
    fn activate(&mut self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error>;

    /// How much of a stream a relay keeps here for those who resume, in
    /// milliseconds of media time; its bytes are bounded beside that.
    fn kept_ms_max(&self) -> u64 {
        overlay::forwarder::Config::default().kept_ms_max
    }

    /// Quotes this boot and puts the evidence together with the desk's signed
    /// `statement`.
    ///
    /// # Errors
    /// The statement is not of this platform's form, or the quote fails.
    fn vouch(self: Box<Self>, subject: Subject, statement: &[u8]) -> Result<Vouched, Error>;
}
