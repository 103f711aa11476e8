//! The machine's own TPM, behind the trait of the boot's platform.

use crate::Error;
use crate::boot::{Tpm, Tpm2Keys, Tpm2Platform, TpmFailed};
use attest::tpm2::{Bank, Pcrs};
use std::path::Path;
use tpm::{Ak, Device, Ek};
use zeroize::Zeroizing;

/// Behind the kernel's resource manager: the relay's keys are its own, and
/// go with it.
pub(super) const DEVICE: &str = "/dev/tpmrm0";

/// Both keys of this boot, loaded.
#[derive(Debug)]
struct Machine {
    ek: Ek,
    ak: Ak,
}

/// Opens the TPM and makes this boot's attestation key.
///
/// # Errors
/// There is none, or it has no endorsement certificate.
pub(super) fn platform() -> Result<Tpm2Platform<impl Tpm>, Error> {
    let failed = |step: &'static str| {
        move |e: tpm::Error| Error::Platform(format!("{step} ({}: {e})", e.reason()))
    };
    let device = Device::open(Path::new(DEVICE)).map_err(failed("opening the TPM"))?;
    let machine = Machine {
        ek: Ek::load(&device).map_err(failed("loading the endorsement key"))?,
        ak: Ak::create(&device).map_err(failed("making the attestation key"))?,
    };
    let values = device.pcrs().map_err(failed("reading the registers"))?;
    let pcrs = Pcrs::new(Bank::Sha256, values.map(Vec::from))
        .map_err(|e| Error::Platform(e.to_string()))?;
    Ok(Tpm2Platform::new(machine, pcrs))
}

impl Tpm for Machine {
    fn keys(&self) -> Tpm2Keys {
        Tpm2Keys {
            ek_public: self.ek.public().to_vec(),
            ek_certificate: self.ek.certificate().to_vec(),
            ak_public: self.ak.public().to_vec(),
        }
    }

    fn activate(&mut self, credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, TpmFailed> {
        self.ek.activate(&self.ak, credential).map_err(told)
    }

    fn quote(&mut self, qualifying: &[u8; 32]) -> Result<Vec<u8>, TpmFailed> {
        self.ak.quote(qualifying).map_err(told)
    }
}

fn told(error: tpm::Error) -> TpmFailed {
    TpmFailed(format!("{}: {error}", error.reason()))
}
