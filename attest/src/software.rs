//! Evidence kind `software`, assurance `development`: a desk certifies the
//! hash of a program that it started and the key which that program made.
//! It proves nothing against the desk or its machine; it exists so that
//! everything else is exercised as it will be with real hardware.

use crate::error::Error;
use crate::evidence::Evidence;
use crate::quote::{QuoteDigest, Quoter};
use crate::release::RELEASE_BYTES_MAX;
use crate::signature::holds;
use certs::SigningKey;
use ring::rand::SecureRandom;
use wire::codec::Blob;
use wire::order::{Order, Parameters};
use wire::statement::signed_string;
use wire::{Decode, Digest, Encode, OrderId, PublicKey, SpkiHash, UnixMs};

/// Domain label of [`PlatformStatement`]; it is of no stream.
pub const PLATFORM_LABEL: &str = "roundcast/platform-software/v1";
/// A platform statement, in bytes: five hashes and keys, one time.
pub const PLATFORM_BYTES_MAX: usize = 256;

wire::record! {
    /// What the desk saw and certifies. It does not judge: whether the
    /// program is the developer's is for the verifier to say.
    pub struct PlatformStatement {
        /// SHA-256 of the executable that was started.
        pub executable_sha256: Digest,
        /// The order that it was started for.
        pub order: OrderId,
        /// Digest of the parameters that it was started with.
        pub parameters: Digest,
        /// SHA-256 of the `release.json` that it was started with.
        pub release: Digest,
        /// Ed25519, made by the started program; it stays in it.
        pub boot_key: PublicKey,
        /// When it was signed.
        pub issued: UnixMs,
    }
}

wire::record! {
    /// The exact bytes of a [`PlatformStatement`] and the desk's signature.
    pub struct SignedPlatform {
        /// The encoded statement, not yet verified.
        pub body: Blob<PLATFORM_BYTES_MAX>,
        /// Ed25519 (RFC 8032) over `label ‖ 0x00 ‖ body`.
        pub signature: [u8; 64],
    }
}

impl SignedPlatform {
    /// Whether the desk signed it.
    ///
    /// # Errors
    /// [`Error::PlatformSignatureInvalid`].
    pub fn verify(&self, desk_key: &PublicKey) -> Result<(), Error> {
        let message = signed_string(PLATFORM_LABEL, &self.body);
        if holds(desk_key, &message, &self.signature) {
            Ok(())
        } else {
            Err(Error::PlatformSignatureInvalid)
        }
    }

    /// The statement; the caller verified the signature before.
    pub(crate) fn statement(&self) -> Result<PlatformStatement, Error> {
        PlatformStatement::from_bytes(&self.body)
            .map_err(|_| Error::EvidenceMalformed("platform statement"))
    }
}

/// The desk's signature over what it saw.
///
/// # Errors
/// [`Error::EvidenceMalformed`] if the statement outgrew its bound.
pub fn certify(desk: &SigningKey, statement: &PlatformStatement) -> Result<SignedPlatform, Error> {
    let body = statement.to_bytes();
    let signature = desk.sign_raw(&signed_string(PLATFORM_LABEL, &body));
    let body = Blob::new(body).map_err(|_| Error::EvidenceMalformed("platform statement"))?;
    Ok(SignedPlatform { body, signature })
}

wire::record! {
    /// What a relay's certificate carries. Order and parameters stand here
    /// whole, so that who holds the order's identifier (from a permit) can
    /// check them against it.
    pub struct SoftwareEvidence {
        /// The order; its identifier is compared with the admission's.
        pub order: Order,
        /// What the desk told the program at its start.
        pub parameters: Parameters,
        /// The desk's statement.
        pub platform: SignedPlatform,
        /// The boot key's signature over [`QuoteDigest::boot`].
        pub boot_quote: [u8; 64],
        /// `release.json`, byte for byte.
        pub release: Blob<RELEASE_BYTES_MAX>,
    }
}

/// The key that a started program made for quoting. The seed zeroizes with
/// the key inside.
#[derive(Debug)]
pub struct BootKey(SigningKey);

impl BootKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`Error::RandomnessUnavailable`].
    pub fn generate(rng: &dyn SecureRandom) -> Result<Self, Error> {
        SigningKey::generate(rng)
            .map(Self)
            .map_err(|_| Error::RandomnessUnavailable)
    }

    /// The public half, for the desk's statement.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.0.public()
    }

    /// Puts the certificate's evidence together: quotes this boot of `spki`
    /// for `order` with `parameters`.
    ///
    /// # Errors
    /// [`Error::ReleaseMalformed`] if `release` is over its bound.
    pub fn evidence(
        &self,
        spki: &SpkiHash,
        order: Order,
        parameters: Parameters,
        platform: SignedPlatform,
        release: &[u8],
    ) -> Result<Evidence, Error> {
        let digest = QuoteDigest::boot(
            spki,
            &certs::order::id(&order),
            &certs::order::parameters_digest(&parameters),
        );
        Ok(Evidence::Software(Box::new(SoftwareEvidence {
            order,
            parameters,
            platform,
            boot_quote: self.0.sign_raw(digest.as_bytes()),
            release: Blob::new(release.to_vec()).map_err(|_| Error::ReleaseMalformed("size"))?,
        })))
    }
}

impl From<SigningKey> for BootKey {
    fn from(key: SigningKey) -> Self {
        Self(key)
    }
}

impl Quoter for BootKey {
    fn quote(&self, digest: &QuoteDigest) -> Result<Vec<u8>, Error> {
        Ok(self.0.sign_raw(digest.as_bytes()).to_vec())
    }
}
