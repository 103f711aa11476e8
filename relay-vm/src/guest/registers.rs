//! The TPM's configuration registers, as the kernel lists them. The quote has
//! their hash; the evidence has their values, so that a refusal can name one.

use crate::Error;
use attest::tpm2::{Bank, PCRS, Pcrs};
use data_encoding::HEXUPPER_PERMISSIVE;
use std::path::Path;

/// The kernel's list of the bank that the relay's key quotes.
const FOLDER: &str = "/sys/class/tpm/tpm0/pcr-sha256";

/// Reads the six that are quoted. None of them changes once pid 1 runs.
///
/// # Errors
/// There is no TPM, or it has no SHA-256 bank.
pub(super) fn read() -> Result<Pcrs, Error> {
    read_from(Path::new(FOLDER))
}

fn read_from(folder: &Path) -> Result<Pcrs, Error> {
    let mut values: [Vec<u8>; PCRS.len()] = Default::default();
    for (number, value) in PCRS.into_iter().zip(&mut values) {
        let text = std::fs::read_to_string(folder.join(number.to_string()))
            .map_err(Error::system(format!("reading PCR {number}")))?;
        *value = HEXUPPER_PERMISSIVE
            .decode(text.trim().as_bytes())
            .map_err(|_| Error::Guest("a PCR is not hexadecimal"))?;
    }
    Pcrs::new(Bank::Sha256, values).map_err(|_| Error::Guest("a PCR has another length"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_the_kernel_lists_and_nothing_shorter() {
        let folder = tempfile::tempdir().unwrap();
        for number in PCRS {
            let value = format!("{}\n", format!("{number:02X}").repeat(32));
            std::fs::write(folder.path().join(number.to_string()), value).unwrap();
        }
        let pcrs = read_from(folder.path()).unwrap();
        for (number, value) in pcrs.iter() {
            assert_eq!(value, [number; 32]);
        }
        std::fs::write(folder.path().join("9"), "0909\n").unwrap();
        assert!(read_from(folder.path()).is_err());
        std::fs::remove_file(folder.path().join("9")).unwrap();
        assert!(read_from(folder.path()).is_err());
    }
}
