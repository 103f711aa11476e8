//! The endorsement key and its maker's certificate.

use crate::device::Device;
use crate::error::Error;
use crate::frame::Authorization;
use crate::loaded::{Loaded, primary};
use crate::template::EkTemplate;
use attest::tpm2::ek::EK_CERTIFICATE_BYTES_MAX;
use attest::tpm2::public::EkPublic;
use tpm2_protocol::basic::{TpmHandle, TpmUint16};
use tpm2_protocol::data::{TpmCc, TpmRc, TpmRcBase};
use tpm2_protocol::frame::{
    TpmNvReadCommand, TpmNvReadPublicCommand, TpmNvReadPublicResponse, TpmNvReadResponse,
};

/// Bytes of one read: every TPM gives that many at once.
const NV_READ_BYTES: usize = 512;

/// The key by which a TPM is recognised, loaded; its place in the TPM is
/// given back when it is dropped.
pub struct Ek {
    pub(crate) loaded: Loaded,
    public: Vec<u8>,
    certificate: Vec<u8>,
}

impl std::fmt::Debug for Ek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ek")
    }
}

impl Ek {
    /// Reads the certificate, of an RSA-2048 key or else of a P-256 one, and
    /// makes the key that it is for.
    ///
    /// Nothing is verified here: that the certificate is the key's, and who
    /// signed it, is for the host to check (`attest::tpm2::ek::verify`).
    ///
    /// # Errors
    /// `certificate_missing`, `certificate_malformed`, `key_unsuitable`, and
    /// those of the device.
    pub fn load(device: &Device) -> Result<Self, Error> {
        for template in [EkTemplate::Rsa2048, EkTemplate::P256] {
            let Some(certificate) = certificate(device, template)? else {
                continue;
            };
            let (loaded, public) = primary(device, &template.public())?;
            EkPublic::parse(&public).map_err(Error::KeyUnsuitable)?;
            return Ok(Self {
                loaded,
                public,
                certificate,
            });
        }
        Err(Error::CertificateMissing)
    }

    /// The `TPMT_PUBLIC`.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}

fn certificate(device: &Device, template: EkTemplate) -> Result<Option<Vec<u8>>, Error> {
    let index = TpmHandle::from(template.certificate_index());
    let Some(len) = stored_len(device, index)? else {
        return Ok(None);
    };
    if len > EK_CERTIFICATE_BYTES_MAX {
        return Err(Error::CertificateMalformed);
    }
    let mut stored = Vec::with_capacity(len);
    while stored.len() < len {
        let size = len.saturating_sub(stored.len()).min(NV_READ_BYTES);
        stored.extend(read(device, index, stored.len(), size)?);
    }
    unpadded(stored).map(Some)
}

/// The size of what is stored at `index`, none if nothing is.
fn stored_len(device: &Device, index: TpmHandle) -> Result<Option<usize>, Error> {
    let command = TpmNvReadPublicCommand { handles: [index] };
    match device.run::<_, TpmNvReadPublicResponse>(&command, &[]) {
        Ok(answer) if answer.body.nv_public.inner.nv_index == index => Ok(Some(usize::from(
            u16::from(answer.body.nv_public.inner.data_size),
        ))),
        Ok(_) => Err(Error::ResponseUnrelated(TpmCc::NvReadPublic)),
        Err(Error::CommandRefused { code, .. }) if is_handle(code) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `TPM_RC_HANDLE`, whichever handle it speaks of.
fn is_handle(code: u32) -> bool {
    TpmRc::try_from(code).is_ok_and(|code| code.base() == TpmRcBase::Handle)
}

fn read(device: &Device, index: TpmHandle, offset: usize, size: usize) -> Result<Vec<u8>, Error> {
    let invalid = |_| Error::CommandInvalid(TpmCc::NvRead);
    let command = TpmNvReadCommand {
        // The index authorises its own reading: its password is empty.
        handles: [index, index],
        size: TpmUint16::from(u16::try_from(size).map_err(invalid)?),
        offset: TpmUint16::from(u16::try_from(offset).map_err(invalid)?),
    };
    let answer = device.run::<_, TpmNvReadResponse>(&command, &[Authorization::Empty])?;
    if answer.body.data.len() == size {
        Ok(answer.body.data.to_vec())
    } else {
        Err(Error::ResponseUnrelated(TpmCc::NvRead))
    }
}

/// The DER structure at the front: some makers fill the rest of the index
/// with zeros or ones.
fn unpadded(mut stored: Vec<u8>) -> Result<Vec<u8>, Error> {
    let Some(&[0x30, 0x82, high, low]) = stored.first_chunk() else {
        return Err(Error::CertificateMalformed);
    };
    let len = usize::from(u16::from_be_bytes([high, low])).saturating_add(4);
    let padding = stored.get(len..).ok_or(Error::CertificateMalformed)?;
    if !padding.iter().all(|byte| [0x00, 0xff].contains(byte)) {
        return Err(Error::CertificateMalformed);
    }
    stored.truncate(len);
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_after_a_certificate_is_cut_off_and_nothing_else() {
        let der = vec![0x30, 0x82, 0, 2, 5, 0];
        assert_eq!(unpadded(der.clone()).unwrap(), der);
        for padding in [&[0; 3][..], &[0xff; 2]] {
            assert_eq!(unpadded([&der, padding].concat()).unwrap(), der);
        }
        for bad in [&[][..], &[0x30, 0x82, 0], &der[..5], &[0x31, 0x82, 0, 0]] {
            assert_eq!(
                unpadded(bad.to_vec()).unwrap_err(),
                Error::CertificateMalformed
            );
        }
        let trailing = [&der[..], &[1]].concat();
        assert_eq!(unpadded(trailing).unwrap_err(), Error::CertificateMalformed);
    }
}
