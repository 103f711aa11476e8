//! What occupies a place in the TPM gives it back when it is dropped.

use crate::device::Device;
use crate::error::Error;
use crate::frame::{Authorization, sized};
use tpm2_protocol::TpmUnmarshal;
use tpm2_protocol::basic::TpmHandle;
use tpm2_protocol::data::{Tpm2bPublic, TpmCc, TpmRh, TpmtPublic};
use tpm2_protocol::frame::{
    TpmCreatePrimaryCommand, TpmCreatePrimaryResponse, TpmFlushContextCommand,
    TpmFlushContextResponse,
};

/// A key or session in the TPM's memory.
pub(crate) struct Loaded {
    pub(crate) device: Device,
    pub(crate) handle: TpmHandle,
    gone: bool,
}

impl Loaded {
    pub(crate) fn new(device: &Device, handle: TpmHandle) -> Self {
        Self {
            device: device.clone(),
            handle,
            gone: false,
        }
    }

    /// Leaves the place alone: the TPM itself has cleared it.
    pub(crate) fn forget(mut self) {
        self.gone = true;
    }
}

impl Drop for Loaded {
    /// Best effort: a TPM that does not answer now is broken for all else.
    fn drop(&mut self) {
        if self.gone {
            return;
        }
        let command = TpmFlushContextCommand {
            handles: [],
            flush_handle: self.handle,
        };
        let _ = self.device.run::<_, TpmFlushContextResponse>(&command, &[]);
    }
}

/// Makes the primary key of `template` in the endorsement hierarchy, whose
/// keys quote the true reset counter (TPM 2.0 Library, Part 1, section
/// 36.7). Gives its place and its `TPMT_PUBLIC`.
pub(crate) fn primary(device: &Device, template: &[u8]) -> Result<(Loaded, Vec<u8>), Error> {
    let invalid = Error::CommandInvalid(TpmCc::CreatePrimary);
    let Ok((template, [])) = TpmtPublic::unmarshal(template) else {
        return Err(invalid);
    };
    let command = TpmCreatePrimaryCommand {
        handles: [TpmHandle::from(TpmRh::Endorsement as u32)],
        in_public: Tpm2bPublic { inner: template },
        ..TpmCreatePrimaryCommand::default()
    };
    let answer = device.run::<_, TpmCreatePrimaryResponse>(&command, &[Authorization::Empty])?;
    let [handle] = answer.body.handles;
    let loaded = Loaded::new(device, handle);
    let (public, _) =
        sized(&answer.parameters).ok_or(Error::ResponseMalformed(TpmCc::CreatePrimary))?;
    Ok((loaded, public.to_vec()))
}
