//! The desk's word about one boot's attestation key.

use crate::error::Error;
use crate::signature::holds;
use certs::SigningKey;
use wire::codec::Blob;
use wire::statement::signed_string;
use wire::{Decode, Digest, Encode, OrderId, PublicKey, UnixMs};

/// Domain label of [`TpmStatement`]; it is of no stream.
pub const STATEMENT_LABEL: &str = "roundcast/platform-tpm2/v1";
/// A `TPMT_PUBLIC` of an elliptic curve's key, in bytes: P-256 takes under
/// 100 with an empty policy, 32 more with one.
pub const AK_PUBLIC_BYTES_MAX: usize = 256;
/// An encoded statement, in bytes: the AK, four hashes, two times.
const STATEMENT_BYTES_MAX: usize = 512;

/// The desk's name for one boot of one machine: 16 random bytes.
pub type BootId = [u8; 16];

wire::record! {
    /// What the desk certifies after the TPM has activated a credential: the
    /// AK lives in the TPM of this endorsement key, in this boot. It does
    /// not judge the image: the quote is the verifier's to compare.
    pub struct TpmStatement {
        /// The AK's `TPMT_PUBLIC`, byte for byte (TPM 2.0 part 2, 12.2.4).
        pub ak_public: Blob<AK_PUBLIC_BYTES_MAX>,
        /// SHA-256 of the endorsement key's certificate (DER).
        pub ek_certificate_digest: Digest,
        /// The desk's name for this boot.
        pub boot: BootId,
        /// The order that the machine was started for.
        pub order: OrderId,
        /// Digest of the parameters that it was started with.
        pub parameters_digest: Digest,
        /// SHA-256 of the `release.json` that it was started with.
        pub release_digest: Digest,
        /// When it was signed.
        pub issued: UnixMs,
        /// The end of the lease: the statement says nothing after it.
        pub until: UnixMs,
    }
}

wire::record! {
    /// The exact bytes of a [`TpmStatement`] and the desk's signature.
    pub struct SignedTpmStatement {
        /// The encoded statement, not yet verified.
        pub body: Blob<STATEMENT_BYTES_MAX>,
        /// Ed25519 (RFC 8032) over `label ‖ 0x00 ‖ body`.
        pub signature: [u8; 64],
    }
}

impl SignedTpmStatement {
    /// Whether the desk signed it.
    ///
    /// # Errors
    /// [`Error::PlatformSignatureInvalid`].
    pub fn verify(&self, desk_key: &PublicKey) -> Result<(), Error> {
        let message = signed_string(STATEMENT_LABEL, &self.body);
        if holds(desk_key, &message, &self.signature) {
            Ok(())
        } else {
            Err(Error::PlatformSignatureInvalid)
        }
    }

    /// What is said; it is worth nothing before [`Self::verify`].
    ///
    /// # Errors
    /// [`Error::EvidenceMalformed`].
    pub fn statement(&self) -> Result<TpmStatement, Error> {
        TpmStatement::from_bytes(&self.body).map_err(|_| Error::EvidenceMalformed("TPM statement"))
    }
}

/// The desk's signature over a statement.
///
/// # Errors
/// [`Error::EvidenceMalformed`] if the statement outgrew its bound.
pub fn certify(desk: &SigningKey, statement: &TpmStatement) -> Result<SignedTpmStatement, Error> {
    let body = statement.to_bytes();
    let signature = desk.sign_raw(&signed_string(STATEMENT_LABEL, &body));
    let body = Blob::new(body).map_err(|_| Error::EvidenceMalformed("TPM statement"))?;
    Ok(SignedTpmStatement { body, signature })
}
