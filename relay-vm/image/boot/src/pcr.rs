//! Platform configuration registers (TPM 2.0 library, part 1, section 17).

use ring::digest::{Algorithm, Context, SHA256, SHA384, digest};
use serde::{Deserialize, Serialize};

/// Which hash a TPM's registers are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bank {
    /// 32 bytes a register.
    Sha256,
    /// 48 bytes a register.
    Sha384,
}

impl Bank {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha384];

    /// The hash.
    #[must_use]
    pub fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
        }
    }

    /// The name that tools know it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
        }
    }

    /// Bytes of a value.
    #[must_use]
    pub const fn value_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    /// The number of the hash in TPM structures (`TPM_ALG_ID`).
    #[must_use]
    pub const fn tpm_algorithm(self) -> u16 {
        match self {
            Self::Sha256 => 0x000b,
            Self::Sha384 => 0x000c,
        }
    }
}

/// One register as it fills during a boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    bank: Bank,
    value: Vec<u8>,
}

impl Register {
    /// A register after reset.
    #[must_use]
    pub fn new(bank: Bank) -> Self {
        Self {
            bank,
            value: vec![0; bank.value_bytes()],
        }
    }

    /// Extends it by the hash of `data`.
    pub fn measure(&mut self, data: &[u8]) {
        self.extend(digest(self.bank.algorithm(), data).as_ref());
    }

    /// Extends it by a digest.
    pub fn extend(&mut self, digest: &[u8]) {
        let mut context = Context::new(self.bank.algorithm());
        context.update(&self.value);
        context.update(digest);
        self.value = context.finish().as_ref().to_vec();
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}
