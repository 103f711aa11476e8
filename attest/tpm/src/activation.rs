//! Opening a credential: the endorsement key decrypts it, and the TPM gives
//! the secret only if it also holds the key that the credential names (TPM
//! 2.0 Library, Part 3, section 12.5).

use crate::ak::Ak;
use crate::device::Device;
use crate::ek::Ek;
use crate::error::Error;
use crate::frame::{Authorization, sized};
use crate::loaded::Loaded;
use tpm2_protocol::TpmUnmarshal;
use tpm2_protocol::basic::TpmHandle;
use tpm2_protocol::data::{
    Tpm2bEncryptedSecret, Tpm2bIdObject, Tpm2bNonce, TpmAlgId, TpmCc, TpmRc, TpmRcBase, TpmRh,
    TpmSe, TpmtSymDefObject,
};
use tpm2_protocol::frame::{
    TpmActivateCredentialCommand, TpmActivateCredentialResponse, TpmPolicySecretCommand,
    TpmPolicySecretResponse, TpmStartAuthSessionCommand, TpmStartAuthSessionResponse,
};
use zeroize::Zeroizing;

/// A session's first nonce, at least 16 bytes. Nothing is computed from it:
/// the session has neither a salt nor a bound key.
const NONCE: [u8; 16] = [0; 16];

impl Ek {
    /// Opens a credential that a host made for this key and `ak`
    /// (`TPM2B_ID_OBJECT ‖ TPM2B_ENCRYPTED_SECRET`) and gives its secret.
    ///
    /// # Errors
    /// `credential_malformed`; `credential_foreign` if it is for other keys
    /// or was altered; those of the device.
    pub fn activate(&self, ak: &Ak, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (credential_blob, secret) = parts(credential)?;
        let session = self.policy_session()?;
        let command = TpmActivateCredentialCommand {
            handles: [ak.handle(), self.loaded.handle],
            credential_blob,
            secret,
        };
        let by = [Authorization::Empty, Authorization::Policy(session.handle)];
        let answer = self
            .loaded
            .device
            .run::<_, TpmActivateCredentialResponse>(&command, &by)
            .map_err(|error| named(error, &self.loaded.device))?;
        // The session ended with the command that it authorised.
        session.forget();
        match sized(&answer.parameters) {
            Some((secret, [])) => Ok(Zeroizing::new(secret.to_vec())),
            _ => Err(Error::ResponseMalformed(TpmCc::ActivateCredential)),
        }
    }

    /// A session that has what the key's policy asks for: the endorsement
    /// hierarchy's password, which is empty.
    fn policy_session(&self) -> Result<Loaded, Error> {
        let device = &self.loaded.device;
        let null = TpmHandle::from(TpmRh::Null as u32);
        let invalid = |_| Error::CommandInvalid(TpmCc::StartAuthSession);
        let start = TpmStartAuthSessionCommand {
            handles: [null, null],
            nonce_caller: Tpm2bNonce::try_from(NONCE.as_slice()).map_err(invalid)?,
            encrypted_salt: Tpm2bEncryptedSecret::default(),
            session_type: TpmSe::Policy,
            symmetric: TpmtSymDefObject::default(),
            auth_hash: TpmAlgId::Sha256,
        };
        let answer = device.run::<_, TpmStartAuthSessionResponse>(&start, &[])?;
        let [handle] = answer.body.handles;
        let session = Loaded::new(device, handle);
        let secret = TpmPolicySecretCommand {
            handles: [TpmHandle::from(TpmRh::Endorsement as u32), handle],
            ..TpmPolicySecretCommand::default()
        };
        device.run::<_, TpmPolicySecretResponse>(&secret, &[Authorization::Empty])?;
        Ok(session)
    }
}

fn parts(credential: &[u8]) -> Result<(Tpm2bIdObject, Tpm2bEncryptedSecret), Error> {
    let malformed = |_| Error::CredentialMalformed;
    let (object, rest) = Tpm2bIdObject::unmarshal(credential).map_err(malformed)?;
    match Tpm2bEncryptedSecret::unmarshal(rest) {
        Ok((secret, [])) => Ok((object, secret)),
        _ => Err(Error::CredentialMalformed),
    }
}

/// What the TPM says of a credential that it cannot open.
fn named(error: Error, device: &Device) -> Error {
    const FOREIGN: [TpmRcBase; 5] = [
        TpmRcBase::Integrity,
        TpmRcBase::Value,
        TpmRcBase::Size,
        TpmRcBase::Insufficient,
        TpmRcBase::EccPoint,
    ];
    let Error::CommandRefused { code, .. } = error else {
        return error;
    };
    match TpmRc::try_from(code).map(|code| code.base()) {
        Ok(base) if FOREIGN.contains(&base) => Error::CredentialForeign,
        // Emulators say so where the seed's padding is wrong; a TPM that has
        // failed says so to everything.
        Ok(TpmRcBase::Failure) if device.random(&mut [0]).is_ok() => Error::CredentialForeign,
        _ => error,
    }
}
