//! The random secret of one epoch.

use crate::Error;
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

/// What an epoch's chunk keys come from; zeroed on drop, never printed.
#[derive(Clone)]
pub struct EpochSecret(Zeroizing<[u8; 32]>);

impl EpochSecret {
    /// A fresh secret.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn generate(rng: &dyn SecureRandom) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill(bytes.as_mut()).map_err(|_| Error::Randomness)?;
        Ok(Self(bytes))
    }

    /// Wraps a secret that came in a bundle or from the station's state.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for storing or sealing them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for EpochSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}
