//! Why the TPM did not do what it was asked to.

use std::io::ErrorKind;
use thiserror::Error;
use tpm2_protocol::data::TpmCc;

/// Each variant is one failure with one stable name, see [`Error::reason`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no TPM at the path, or it may not be opened.
    #[error("tpm: the device cannot be opened ({0}); give the machine a TPM 2.0")]
    DeviceMissing(ErrorKind),
    /// Reading or writing failed.
    #[error("tpm: the device cannot be read or written ({0}); restart the machine")]
    DeviceFailed(ErrorKind),
    /// An earlier exchange broke off: what comes next is nobody's answer.
    #[error("tpm: an earlier answer broke off; open the device again")]
    DeviceOutOfStep,
    /// The TPM asked to be asked again, too often.
    #[error("tpm: still busy with {0} after {1} attempts; try later")]
    DeviceBusy(TpmCc, u32),
    /// A command is longer than a TPM takes, or cannot be written at all.
    #[error("tpm: {0} cannot be written; shorten what it carries")]
    CommandInvalid(TpmCc),
    /// The answer ends too early.
    #[error("tpm: the answer ends after {0} bytes; open the device again")]
    ResponseTruncated(usize),
    /// The answer is longer than it says or than any can be.
    #[error("tpm: the answer is longer than it may be; open the device again")]
    ResponseOversized,
    /// The answer has another tag than belongs to the command.
    #[error("tpm: the answer has the tag {0:#06x}; open the device again")]
    ResponseTagWrong(u16),
    /// The answer is not in the form that the command's has.
    #[error("tpm: the answer to {0} is malformed; do not use this TPM")]
    ResponseMalformed(TpmCc),
    /// The answer is well formed, and not to what was asked.
    #[error("tpm: the answer to {0} is to another question; do not use this TPM")]
    ResponseUnrelated(TpmCc),
    /// The TPM refused a command.
    #[error("tpm: {command} was refused with {}; look the code up", code_name(*.code))]
    CommandRefused {
        /// The command.
        command: TpmCc,
        /// The response code (TPM 2.0 Library, Part 2, section 6.6).
        code: u32,
    },
    /// The TPM holds no certificate of an endorsement key of a known kind.
    #[error("endorsement certificate: the TPM holds none; have it provisioned")]
    CertificateMissing,
    /// What stands in the certificate's place is none.
    #[error("endorsement certificate: malformed in the TPM; have it provisioned again")]
    CertificateMalformed,
    /// The TPM made a key of another kind than it was asked for.
    #[error("tpm: it made an unsuitable key; {0}")]
    KeyUnsuitable(attest::Error),
    /// The TPM keeps no SHA-256 values for all of the registers.
    #[error("pcrs: the TPM lacks SHA-256 values; switch its SHA-256 bank on")]
    PcrsMissing,
    /// A credential is not in its permitted form.
    #[error("credential: malformed; ask the host for another")]
    CredentialMalformed,
    /// A credential is for other keys, or was altered.
    #[error("credential: not for these two keys, or altered; ask the host for another")]
    CredentialForeign,
}

impl Error {
    /// The stable name of the failure.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::DeviceMissing(_) => "device_missing",
            Self::DeviceFailed(_) => "device_failed",
            Self::DeviceOutOfStep => "device_out_of_step",
            Self::DeviceBusy(..) => "device_busy",
            Self::CommandInvalid(_) => "command_invalid",
            Self::ResponseTruncated(_) => "response_truncated",
            Self::ResponseOversized => "response_oversized",
            Self::ResponseTagWrong(_) => "response_tag_wrong",
            Self::ResponseMalformed(_) => "response_malformed",
            Self::ResponseUnrelated(_) => "response_unrelated",
            Self::CommandRefused { .. } => "command_refused",
            Self::CertificateMissing => "certificate_missing",
            Self::CertificateMalformed => "certificate_malformed",
            Self::KeyUnsuitable(_) => "key_unsuitable",
            Self::PcrsMissing => "pcrs_missing",
            Self::CredentialMalformed => "credential_malformed",
            Self::CredentialForeign => "credential_foreign",
        }
    }
}

/// The code's name in the specification; a number for a vendor's own.
fn code_name(code: u32) -> String {
    tpm2_protocol::data::TpmRc::try_from(code)
        .map_or_else(|_| format!("{code:#010x}"), |code| code.to_string())
}
