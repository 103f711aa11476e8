//! The platform of a relay that is a process: no hardware, a key in memory.

use super::platform::{Keys, Platform, Subject, Vouched};
use crate::Error;
use attest::software::{BootKey, SignedPlatform};
use ring::rand::SecureRandom;
use std::sync::Arc;
use wire::Decode;
use zeroize::Zeroizing;

/// Evidence kind `software`: it proves nothing against the desk.
#[derive(Debug)]
pub struct SoftwarePlatform {
    boot_key: BootKey,
}

impl SoftwarePlatform {
    /// Makes the boot key.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn new(rng: &dyn SecureRandom) -> Result<Self, Error> {
        let boot_key = BootKey::generate(rng).map_err(|_| Error::Random)?;
        Ok(Self { boot_key })
    }
}

impl Platform for SoftwarePlatform {
    fn keys(&mut self) -> Result<Keys, Error> {
        Ok(Keys::Software {
            boot_key: self.boot_key.public(),
        })
    }

    fn activate(&mut self, _credential: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        Err(Error::Boot("a boot key has no credential to activate"))
    }

    fn vouch(self: Box<Self>, subject: Subject, statement: &[u8]) -> Result<Vouched, Error> {
        let evidence = self
            .boot_key
            .evidence(
                &subject.spki,
                subject.order,
                subject.parameters,
                SignedPlatform::from_bytes(statement)?,
                subject.release.as_bytes(),
            )
            .map_err(|_| Error::Boot("the release statement is too large"))?;
        Ok(Vouched {
            evidence,
            quoter: Arc::new(self.boot_key),
        })
    }
}
