//! Which PCR values a boot of an image gives (TCG PC Client Platform Firmware
//! Profile 1.06 sections 3.3.4 and 10.2; systemd's `TPM2 PCR Measurements`).
//!
//! Pinned are the registers that only the image and the keys decide: 4 (what
//! was started), 7 (Secure Boot), 9 (command line and initrd, by the kernel),
//! 11 (the stub's sections), and 12 and 13, which stay zero as long as nothing
//! was put beside the image. The others tell of the machine.

use crate::bytes::utf16;
use crate::guid::{GLOBAL_VARIABLE, Guid, SECURITY_DATABASE};
use crate::pcr::{Bank, Register};
use crate::secure_boot::Certificates;
use crate::{Error, authenticode, pe, uki};
use data_encoding::HEXLOWER;
use serde::Serialize;
use std::collections::BTreeMap;

/// The registers of every profile.
pub const REGISTERS: [u8; 6] = [4, 7, 9, 11, 12, 13];
/// The version of systemd's stub whose measurements were compared with booted
/// machines. Older ones measure into other registers, newer ones measure more
/// sections.
const STUB_VERSION: u32 = 252;
const FILE: &str = "image";
/// Event data of `EV_SEPARATOR`.
const SEPARATOR: [u8; 4] = [0; 4];
/// Event data of the firmware's first `EV_EFI_ACTION` in PCR 4.
const BOOT_OPTION: &[u8] = b"Calling EFI Application from Boot Option";

/// How a machine checks signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureBoot<'a> {
    /// No platform key: everything boots, and is measured.
    Off,
    /// These keys are enrolled, and the image is signed by `db`.
    On(&'a Certificates),
}

/// The values of one bank under one firmware setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// For people and refusals, e.g. `ovmf-secure-boot`.
    pub name: String,
    /// Of the registers.
    pub bank: Bank,
    /// Lower-case hexadecimal values by register.
    pub pcrs: BTreeMap<u8, String>,
}

impl Profile {
    /// The value of a register, in hexadecimal.
    #[must_use]
    pub fn value(&self, register: u8) -> Option<&str> {
        self.pcrs.get(&register).map(String::as_str)
    }
}

/// The values that a boot of `image` (signed or not: it makes no difference)
/// gives.
///
/// # Errors
/// `stub_unknown`, `section_missing`, `executable_malformed`.
pub fn predict(image: &[u8], bank: Bank, secure_boot: SecureBoot<'_>) -> Result<Profile, Error> {
    let parts = Parts::read(image)?;
    let zero = Register::new(bank);
    let registers = [
        (4, started(image, &parts, bank, secure_boot)?),
        (7, policy(bank, secure_boot)?),
        (9, kernel_inputs(&parts, bank)),
        (11, sections(&parts, bank)),
        (12, zero.clone()),
        (13, zero),
    ];
    let setting = match secure_boot {
        SecureBoot::Off => "ovmf-setup-mode",
        SecureBoot::On(_) => "ovmf-secure-boot",
    };
    let hex = |register: Register| HEXLOWER.encode(register.value());
    Ok(Profile {
        name: match bank {
            Bank::Sha256 => setting.to_owned(),
            Bank::Sha384 => format!("{setting}-sha384"),
        },
        bank,
        pcrs: registers
            .into_iter()
            .map(|(index, register)| (index, hex(register)))
            .collect(),
    })
}

/// What is measured of an image.
struct Parts<'a> {
    linux: &'a [u8],
    os_release: &'a [u8],
    command_line: &'a [u8],
    initrd: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(image: &'a [u8]) -> Result<Self, Error> {
        let version = uki::stub_version(image)?;
        let major = version.split(['.', '-', '~']).next().map(str::parse);
        if major != Some(Ok(STUB_VERSION)) {
            return Err(Error::StubUnknown(format!(
                "measurements of version {version} are unknown"
            )));
        }
        let parsed = pe::read(image, FILE)?;
        for optional in [".splash", ".dtb", ".pcrpkey", ".pcrsig"] {
            if pe::section(&parsed, optional).is_some() {
                return Err(Error::Executable {
                    file: FILE,
                    part: "a section that no release has",
                });
            }
        }
        let section =
            |name: &'static str| pe::section(&parsed, name).ok_or(Error::SectionMissing(name));
        Ok(Self {
            linux: section(".linux")?,
            os_release: section(".osrel")?,
            command_line: section(".cmdline")?,
            initrd: section(".initrd")?,
        })
    }
}

/// PCR 4. The stub hands the kernel to the firmware to load: without Secure
/// Boot this is one more application that is measured; with it the stub
/// vouches for the kernel, whose bytes its own signature covers.
fn started(
    image: &[u8],
    parts: &Parts<'_>,
    bank: Bank,
    secure_boot: SecureBoot<'_>,
) -> Result<Register, Error> {
    let mut register = Register::new(bank);
    register.measure(BOOT_OPTION);
    register.measure(&SEPARATOR);
    register.extend(authenticode::digest(image, bank.algorithm())?.as_ref());
    if secure_boot == SecureBoot::Off {
        register.extend(authenticode::digest(parts.linux, bank.algorithm())?.as_ref());
    }
    Ok(register)
}

/// PCR 7: whether signatures are checked, and with which keys.
fn policy(bank: Bank, secure_boot: SecureBoot<'_>) -> Result<Register, Error> {
    let (enabled, lists) = match secure_boot {
        SecureBoot::Off => (0, [Vec::new(), Vec::new(), Vec::new()]),
        SecureBoot::On(keys) => {
            let list = |certificate: &[u8]| keys.signature_list(certificate);
            (1, [list(&keys.pk)?, list(&keys.kek)?, list(&keys.db)?])
        }
    };
    let [pk, kek, db] = lists;
    let mut register = Register::new(bank);
    for (vendor, name, data) in [
        (GLOBAL_VARIABLE, "SecureBoot", vec![enabled]),
        (GLOBAL_VARIABLE, "PK", pk),
        (GLOBAL_VARIABLE, "KEK", kek),
        (SECURITY_DATABASE, "db", db),
        (SECURITY_DATABASE, "dbx", Vec::new()),
    ] {
        register.measure(&variable_data(&vendor, name, &data));
    }
    register.measure(&SEPARATOR);
    if let SecureBoot::On(keys) = secure_boot {
        // The certificate by which the image was admitted.
        let authority = keys.signature_data(&keys.db);
        register.measure(&variable_data(&SECURITY_DATABASE, "db", &authority));
    }
    Ok(register)
}

/// `UEFI_VARIABLE_DATA` (TCG PFP 1.06 section 10.2.6).
fn variable_data(vendor: &Guid, name: &str, data: &[u8]) -> Vec<u8> {
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes();
    let name = utf16(name);
    let mut out = vendor.to_vec();
    out.extend_from_slice(&count(name.len() / 2));
    out.extend_from_slice(&count(data.len()));
    out.extend_from_slice(&name);
    out.extend_from_slice(data);
    out
}

/// PCR 9: what the kernel's EFI stub was given.
fn kernel_inputs(parts: &Parts<'_>, bank: Bank) -> Register {
    let command_line = String::from_utf8_lossy(parts.command_line);
    let mut options = utf16(&command_line);
    options.extend_from_slice(&[0, 0]);
    let mut register = Register::new(bank);
    register.measure(&options);
    register.measure(parts.initrd);
    register
}

/// PCR 11: each section's name with its zero byte, then its bytes.
fn sections(parts: &Parts<'_>, bank: Bank) -> Register {
    let mut register = Register::new(bank);
    for (name, data) in [
        (b".linux\0".as_slice(), parts.linux),
        (b".osrel\0", parts.os_release),
        (b".cmdline\0", parts.command_line),
        (b".initrd\0", parts.initrd),
    ] {
        register.measure(name);
        register.measure(data);
    }
    register
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Published for machines without Secure Boot keys by Amazon for EC2.
    #[test]
    fn pcr_7_without_keys_is_the_published_value() {
        let register = policy(Bank::Sha384, SecureBoot::Off).unwrap();
        assert_eq!(
            HEXLOWER.encode(register.value()),
            "98441c7f7625d10058c47683aec486ce311c633235eb555593a7ee791121e357\
             8ae72d04ecef661f272d59058b77af35"
        );
    }
}
