//! What a relay's certificate carries.

use super::pcr::Pcrs;
use super::statement::SignedTpmStatement;
use crate::error::Error;
use crate::evidence::Evidence;
use crate::release::RELEASE_BYTES_MAX;
use wire::codec::Blob;
use wire::limits::QUOTE_BYTES_MAX;
use wire::order::{Order, Parameters};

wire::record! {
    /// Order and parameters stand here whole, so that who holds the order's
    /// identifier (from a permit) can check them against it.
    pub struct Tpm2Evidence {
        /// The order; its identifier is compared with the admission's.
        pub order: Order,
        /// What the desk told the machine at its start.
        pub parameters: Parameters,
        /// The desk's statement.
        pub statement: SignedTpmStatement,
        /// `TPM2B_ATTEST ‖ TPMT_SIGNATURE` over
        /// [`QuoteDigest::boot`](crate::QuoteDigest::boot), see
        /// [`Quote`](super::Quote).
        pub boot_quote: Blob<QUOTE_BYTES_MAX>,
        /// The values of the quoted registers: the quote has their hash
        /// alone, and a refusal is to say which one differs.
        pub pcrs: Pcrs,
        /// `release.json`, byte for byte.
        pub release: Blob<RELEASE_BYTES_MAX>,
    }
}

impl Tpm2Evidence {
    /// Puts the certificate's evidence together from what desk, TPM and
    /// image gave; nothing is checked here.
    ///
    /// # Errors
    /// [`Error::EvidenceMalformed`] or [`Error::ReleaseMalformed`] for what
    /// is over its bound.
    pub fn assemble(
        order: Order,
        parameters: Parameters,
        statement: SignedTpmStatement,
        boot_quote: Vec<u8>,
        pcrs: Pcrs,
        release: &[u8],
    ) -> Result<Evidence, Error> {
        Ok(Evidence::Tpm2(Box::new(Self {
            order,
            parameters,
            statement,
            boot_quote: Blob::new(boot_quote)
                .map_err(|_| Error::EvidenceMalformed("boot quote"))?,
            pcrs,
            release: Blob::new(release.to_vec()).map_err(|_| Error::ReleaseMalformed("size"))?,
        })))
    }
}
