//! The platform configuration registers that say what was booted.

use crate::device::Device;
use crate::error::Error;
use tpm2_protocol::data::{TpmAlgId, TpmCc, TpmlPcrSelection, TpmsPcrSelect, TpmsPcrSelection};
use tpm2_protocol::frame::{TpmPcrReadCommand, TpmPcrReadResponse};

/// The registers of every quote, in ascending order: the program that was
/// started (4), with which Secure Boot keys (7), its command line and initrd
/// (9, 11), and what was laid beside it (12, 13).
pub const PCRS: [u8; 6] = [4, 7, 9, 11, 12, 13];

/// One register's value in the SHA-256 bank.
pub type PcrValue = [u8; 32];

impl Device {
    /// The values of [`PCRS`], in that order. They are only a hint which of
    /// them differs: what counts is the digest in a quote.
    ///
    /// # Errors
    /// `pcrs_missing` without a SHA-256 bank; those of the device.
    pub fn pcrs(&self) -> Result<[PcrValue; PCRS.len()], Error> {
        let command = TpmPcrReadCommand {
            handles: [],
            pcr_selection_in: selection(TpmCc::PcrRead)?,
        };
        let answer = self.run::<_, TpmPcrReadResponse>(&command, &[])?;
        if answer.body.pcr_selection_out != command.pcr_selection_in {
            return Err(Error::PcrsMissing);
        }
        let values: Vec<PcrValue> = answer
            .body
            .pcr_values
            .iter()
            .filter_map(|value| value.as_ref().try_into().ok())
            .collect();
        values.try_into().map_err(|_| Error::PcrsMissing)
    }
}

/// `TPML_PCR_SELECTION` of [`PCRS`] in the SHA-256 bank, for `command`.
pub(crate) fn selection(command: TpmCc) -> Result<TpmlPcrSelection, Error> {
    let invalid = |_| Error::CommandInvalid(command);
    let mut bits = [0u8; 3];
    for pcr in PCRS {
        if let Some(byte) = bits.get_mut(usize::from(pcr / 8)) {
            *byte |= 1 << (pcr % 8);
        }
    }
    let mut list = TpmlPcrSelection::new();
    list.try_push(TpmsPcrSelection {
        hash: TpmAlgId::Sha256,
        pcr_select: TpmsPcrSelect::try_from(bits.as_slice()).map_err(invalid)?,
    })
    .map_err(invalid)?;
    Ok(list)
}
