//! The platform configuration registers that a relay quotes.

use crate::error::Error;
use crate::signature::sha256;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use wire::{Decode, DecodeError, Digest, Encode, Reader};

/// The quoted registers, in the TPM's order: 4 the boot loader (the image
/// itself), 7 the Secure Boot policy, 9 the initrd, 11 the image's sections,
/// 12 and 13 what is handed in from beside the image: nothing.
pub const PCRS: [u8; 6] = [4, 7, 9, 11, 12, 13];
/// Zeros mean that nobody measured: an image without these is not described.
const MEASURED: [u8; 3] = [4, 7, 11];
/// Command lines, credentials and extensions from outside of the image.
const UNTOUCHED: [u8; 2] = [12, 13];

wire::code! {
    /// The hash of a bank of registers; the number is its `TPM_ALG_ID`.
    pub enum Bank {
        /// SHA-256.
        Sha256 = 0x000b => "sha256",
        /// SHA-384.
        Sha384 = 0x000c => "sha384",
    }
}

impl Bank {
    /// Length of a register, in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    /// The bank of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha384]
            .into_iter()
            .find(|bank| bank.name() == name)
    }
}

/// The values of [`PCRS`] in one bank, each of the bank's length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pcrs {
    bank: Bank,
    values: [Vec<u8>; PCRS.len()],
}

impl Pcrs {
    /// The values in the order of [`PCRS`].
    ///
    /// # Errors
    /// [`Error::EvidenceMalformed`] if one has not the bank's length.
    pub fn new(bank: Bank, values: [Vec<u8>; PCRS.len()]) -> Result<Self, Error> {
        if values.iter().any(|value| value.len() != bank.bytes()) {
            return Err(Error::EvidenceMalformed("PCR length"));
        }
        Ok(Self { bank, values })
    }

    /// The bank.
    #[must_use]
    pub const fn bank(&self) -> Bank {
        self.bank
    }

    /// Number and value of each register.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        PCRS.into_iter().zip(self.values.iter().map(Vec::as_slice))
    }

    /// `pcrDigest` of a quote over them: SHA-256, the hash of the AK's
    /// scheme, over the values one after another, whatever the bank is
    /// (TPM 2.0 part 2, 10.12.1).
    #[must_use]
    pub fn digest(&self) -> Digest {
        sha256(&self.values.each_ref().map(Vec::as_slice))
    }

    /// The first register that should be zero and is not.
    pub(crate) fn injected(&self) -> Option<u8> {
        self.iter()
            .find(|(pcr, value)| UNTOUCHED.contains(pcr) && !zero(value))
            .map(|(pcr, _)| pcr)
    }

    /// The first register that should be measured and is zero.
    pub(crate) fn unmeasured(&self) -> Option<u8> {
        self.iter()
            .find(|(pcr, value)| MEASURED.contains(pcr) && zero(value))
            .map(|(pcr, _)| pcr)
    }

    /// The registers in which two sets of one bank differ.
    pub(crate) fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u8> + 'a {
        self.iter()
            .zip(other.iter())
            .filter(|((_, own), (_, other))| own != other)
            .map(|((pcr, _), _)| pcr)
    }
}

fn zero(value: &[u8]) -> bool {
    value.iter().all(|byte| *byte == 0)
}

impl Encode for Pcrs {
    fn encode(&self, out: &mut Vec<u8>) {
        self.bank.encode(out);
        for value in &self.values {
            out.extend_from_slice(value);
        }
    }
}

impl Decode for Pcrs {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bank = Bank::decode(r)?;
        let mut values: [Vec<u8>; PCRS.len()] = Default::default();
        for value in &mut values {
            *value = r.take(bank.bytes(), "a PCR")?.to_vec();
        }
        Ok(Self { bank, values })
    }
}

/// The values as they stand in JSON: by number, in lower-case hexadecimal
/// digits, all six and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PcrForm {
    #[serde(rename = "4")]
    pcr4: String,
    #[serde(rename = "7")]
    pcr7: String,
    #[serde(rename = "9")]
    pcr9: String,
    #[serde(rename = "11")]
    pcr11: String,
    #[serde(rename = "12")]
    pcr12: String,
    #[serde(rename = "13")]
    pcr13: String,
}

impl PcrForm {
    /// The values, if all are of the bank's length.
    ///
    /// # Errors
    /// [`Error::EvidenceMalformed`].
    pub fn values(&self, bank: Bank) -> Result<Pcrs, Error> {
        let texts = [
            &self.pcr4,
            &self.pcr7,
            &self.pcr9,
            &self.pcr11,
            &self.pcr12,
            &self.pcr13,
        ];
        let mut values: [Vec<u8>; PCRS.len()] = Default::default();
        for (value, text) in values.iter_mut().zip(texts) {
            *value = HEXLOWER
                .decode(text.as_bytes())
                .map_err(|_| Error::EvidenceMalformed("PCR digits"))?;
        }
        Pcrs::new(bank, values)
    }
}

impl From<&Pcrs> for PcrForm {
    fn from(pcrs: &Pcrs) -> Self {
        let [pcr4, pcr7, pcr9, pcr11, pcr12, pcr13] =
            pcrs.values.each_ref().map(|value| HEXLOWER.encode(value));
        Self {
            pcr4,
            pcr7,
            pcr9,
            pcr11,
            pcr12,
            pcr13,
        }
    }
}
