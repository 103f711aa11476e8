//! The certificates that firmware checks signatures with, in the form in which
//! it stores and measures them.

use crate::Error;
use crate::guid::{CERTIFICATE_X509, Guid};

/// `EFI_SIGNATURE_LIST` before its signatures (UEFI 2.10 section 32.4.1).
const LIST_HEADER_BYTES: usize = 28;

/// One certificate for each role. All are self-signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// Written beside each certificate.
    pub owner: Guid,
    /// Platform key, DER: may change `kek`.
    pub pk: Vec<u8>,
    /// Key exchange key, DER: may change `db`.
    pub kek: Vec<u8>,
    /// DER; signs what may boot.
    pub db: Vec<u8>,
}

impl Certificates {
    /// `EFI_SIGNATURE_DATA`: owner and certificate.
    pub(crate) fn signature_data(&self, certificate: &[u8]) -> Vec<u8> {
        [self.owner.as_slice(), certificate].concat()
    }

    /// `EFI_SIGNATURE_LIST` with one certificate: a variable's content.
    pub(crate) fn signature_list(&self, certificate: &[u8]) -> Result<Vec<u8>, Error> {
        let data = self.signature_data(certificate);
        let length = |bytes: usize| {
            u32::try_from(bytes).map_err(|_| Error::SigningKey("certificate: too large"))
        };
        let mut list = CERTIFICATE_X509.to_vec();
        list.extend_from_slice(&length(LIST_HEADER_BYTES + data.len())?.to_le_bytes());
        list.extend_from_slice(&0_u32.to_le_bytes());
        list.extend_from_slice(&length(data.len())?.to_le_bytes());
        list.extend_from_slice(&data);
        Ok(list)
    }
}
