//! The variable store of OVMF: enrolling Secure Boot keys by writing them
//! where the firmware keeps them.
//!
//! The file is a firmware volume (PI 1.8 volume 3, section 3.2.1) that holds a
//! store of authenticated variables (EDK II,
//! `MdeModulePkg/Include/Guid/VariableFormat.h`). Firmware takes a platform key
//! that it finds there as its own and enforces Secure Boot from then on.

use crate::Error;
use crate::bytes::{array_at, put, u16_at, u32_at, u64_at, utf16};
use crate::guid::{
    AUTHENTICATED_VARIABLES, GLOBAL_VARIABLE, Guid, SECURITY_DATABASE, SYSTEM_NV_DATA,
};
use crate::secure_boot::Certificates;

const STORE_HEADER_BYTES: usize = 28;
const VARIABLE_HEADER_BYTES: usize = 60;
/// First bytes of a variable's header.
const VARIABLE_START: u16 = 0x55aa;
/// A store that was formatted, and is healthy.
const STORE_FORMATTED: [u8; 2] = [0x5a, 0xfe];
/// A variable that was written whole and not deleted since.
const STATE_ADDED: u8 = 0x3f;
/// Non-volatile, at boot, at run time, changed by dated signatures only.
const ATTRIBUTES: u32 = 0x27;
/// `EFI_TIME` 2026-01-01T00:00:00Z: an update must bear a later date.
const WRITTEN: [u8; 16] = [0xea, 0x07, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Flash that holds nothing.
const ERASED: u8 = 0xff;

/// A copy of a fresh `OVMF_VARS_4M.fd` with platform key, key exchange key and
/// database enrolled.
///
/// # Errors
/// `variables_malformed`, `variable_set` or `variables_full`.
pub fn enrol(template: &[u8], certificates: &Certificates) -> Result<Vec<u8>, Error> {
    let mut store = Store::open(template.to_vec())?;
    for (name, vendor, certificate) in [
        ("PK", GLOBAL_VARIABLE, &certificates.pk),
        ("KEK", GLOBAL_VARIABLE, &certificates.kek),
        ("db", SECURITY_DATABASE, &certificates.db),
    ] {
        if store
            .names
            .iter()
            .any(|found| *found == utf16_with_end(name))
        {
            return Err(Error::VariableSet(name.into()));
        }
        store.append(name, &vendor, &certificates.signature_list(certificate)?)?;
    }
    Ok(store.bytes)
}

struct Store {
    bytes: Vec<u8>,
    /// Names of what is in it, deleted variables too.
    names: Vec<Vec<u8>>,
    next: usize,
    end: usize,
}

impl Store {
    fn open(bytes: Vec<u8>) -> Result<Self, Error> {
        let malformed = Error::VariablesMalformed;
        let volume: Guid = array_at(&bytes, 16).ok_or(malformed("the file is too short"))?;
        if volume != SYSTEM_NV_DATA || array_at(&bytes, 40) != Some(*b"_FVH") {
            return Err(malformed("this is no volume of variables"));
        }
        let begin = u16_at(&bytes, 48)
            .map(usize::from)
            .ok_or(malformed("the header is cut"))?;
        let kind: Option<Guid> = array_at(&bytes, begin);
        if kind != Some(AUTHENTICATED_VARIABLES) {
            return Err(malformed("the store is not one of authenticated variables"));
        }
        if array_at(&bytes, begin + 20) != Some(STORE_FORMATTED) {
            return Err(malformed("the store is not formatted"));
        }
        let size = u32_at(&bytes, begin + 16).and_then(|size| usize::try_from(size).ok());
        let end = size.and_then(|size| begin.checked_add(size));
        let volume_size = u64_at(&bytes, 32).and_then(|size| usize::try_from(size).ok());
        let end = end
            .filter(|end| *end <= bytes.len() && volume_size.is_some_and(|size| *end <= size))
            .ok_or(malformed("the store is longer than its volume"))?;
        let mut store = Self {
            bytes,
            names: Vec::new(),
            next: begin + STORE_HEADER_BYTES,
            end,
        };
        while store.step()? {}
        Ok(store)
    }

    /// Walks over one variable; false at the end of them.
    fn step(&mut self) -> Result<bool, Error> {
        let cut = Error::VariablesMalformed("a variable is cut");
        if self.next + VARIABLE_HEADER_BYTES > self.end
            || u16_at(&self.bytes, self.next) != Some(VARIABLE_START)
        {
            return Ok(false);
        }
        let length = |offset| {
            let value = u32_at(&self.bytes, self.next + offset)?;
            usize::try_from(value).ok()
        };
        let (name, data) = length(36).zip(length(40)).ok_or(cut.clone())?;
        let begin = self.next + VARIABLE_HEADER_BYTES;
        let name_end = begin.checked_add(name).ok_or(cut.clone())?;
        let end = name_end
            .checked_add(data)
            .filter(|end| *end <= self.end)
            .ok_or(cut.clone())?;
        let name = self.bytes.get(begin..name_end).ok_or(cut)?;
        self.names.push(name.to_vec());
        self.next = end.next_multiple_of(4);
        Ok(true)
    }

    fn append(&mut self, name: &str, vendor: &Guid, data: &[u8]) -> Result<(), Error> {
        let name = utf16_with_end(name);
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| Error::VariablesFull);
        let mut variable = VARIABLE_START.to_le_bytes().to_vec();
        variable.extend_from_slice(&[STATE_ADDED, 0]);
        variable.extend_from_slice(&ATTRIBUTES.to_le_bytes());
        variable.extend_from_slice(&0_u64.to_le_bytes()); // monotonic count: not used
        variable.extend_from_slice(&WRITTEN);
        variable.extend_from_slice(&0_u32.to_le_bytes()); // public key index: not used
        variable.extend_from_slice(&size(&name)?.to_le_bytes());
        variable.extend_from_slice(&size(data)?.to_le_bytes());
        variable.extend_from_slice(vendor);
        variable.extend_from_slice(&name);
        variable.extend_from_slice(data);
        let end = self
            .next
            .checked_add(variable.len())
            .filter(|end| *end <= self.end);
        let end = end.ok_or(Error::VariablesFull)?;
        let free = self.bytes.get(self.next..end).unwrap_or_default();
        if free.iter().any(|byte| *byte != ERASED) {
            return Err(Error::VariablesMalformed("the free space is not erased"));
        }
        put(&mut self.bytes, self.next, &variable).ok_or(Error::VariablesFull)?;
        self.next = end.next_multiple_of(4);
        Ok(())
    }
}

fn utf16_with_end(text: &str) -> Vec<u8> {
    let mut out = utf16(text);
    out.extend_from_slice(&[0, 0]);
    out
}
