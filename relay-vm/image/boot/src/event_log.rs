//! Reading a TCG2 event log (TCG PC Client Platform Firmware Profile 1.06
//! section 10), to see why a register has the value it has.

use crate::Error;
use crate::bytes::{u16_at, u32_at};
use crate::pcr::{Bank, Register};

/// A log, in bytes: firmware reserves far less for its own.
const BYTES_MAX: usize = 1 << 20;
/// `EV_NO_ACTION`: tells something and extends nothing.
const NO_ACTION: u32 = 3;
/// Hashes of one event.
const DIGESTS_MAX: u32 = 8;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The register that it extended.
    pub register: u32,
    /// Its type.
    pub kind: u32,
    /// Digests by `TPM_ALG_ID`.
    pub digests: Vec<(u16, Vec<u8>)>,
    /// What was measured, or a description of it.
    pub data: Vec<u8>,
}

/// The events of a log in the crypto-agile form.
///
/// # Errors
/// `event_log_malformed`.
pub fn parse(log: &[u8]) -> Result<Vec<Event>, Error> {
    let malformed = Error::EventLogMalformed;
    if log.len() > BYTES_MAX {
        return Err(malformed("its size"));
    }
    let mut reader = Reader { rest: log };
    // The first event has the old form: register, type, SHA-1, data.
    reader.take(28).ok_or(malformed("its first event"))?;
    let sizes = reader
        .sized()
        .and_then(hash_sizes)
        .ok_or(malformed("its first event"))?;
    let mut events = Vec::new();
    while !reader.rest.is_empty() {
        events.push(reader.event(&sizes).ok_or(malformed("an event"))?);
    }
    Ok(events)
}

/// The value that a log's events give a register.
#[must_use]
pub fn replay(events: &[Event], register: u32, bank: Bank) -> Register {
    let mut value = Register::new(bank);
    for event in events
        .iter()
        .filter(|event| event.register == register && event.kind != NO_ACTION)
    {
        let digest = event
            .digests
            .iter()
            .find(|(algorithm, _)| *algorithm == bank.tpm_algorithm());
        if let Some((_, digest)) = digest {
            value.extend(digest);
        }
    }
    value
}

/// `TCG_EfiSpecIdEvent`: the sizes of the hashes that events carry.
fn hash_sizes(data: &[u8]) -> Option<Vec<(u16, usize)>> {
    let count = u32_at(data, 24).filter(|count| *count <= DIGESTS_MAX)?;
    if data.get(..16)? != b"Spec ID Event03\0" {
        return None;
    }
    let count = usize::try_from(count).ok()?;
    let size = |at: usize| Some((u16_at(data, at)?, usize::from(u16_at(data, at + 2)?)));
    (0..count).map(|index| size(28 + 4 * index)).collect()
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        u32_at(self.take(4)?, 0)
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    fn event(&mut self, sizes: &[(u16, usize)]) -> Option<Event> {
        let (register, kind) = (self.u32()?, self.u32()?);
        let count = self.u32().filter(|count| *count <= DIGESTS_MAX)?;
        let mut digests = Vec::new();
        for _ in 0..count {
            let algorithm = u16_at(self.take(2)?, 0)?;
            let (_, size) = sizes.iter().find(|(known, _)| *known == algorithm)?;
            digests.push((algorithm, self.take(*size)?.to_vec()));
        }
        let data = self.sized()?.to_vec();
        Some(Event {
            register,
            kind,
            digests,
            data,
        })
    }
}
