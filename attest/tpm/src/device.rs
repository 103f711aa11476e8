//! The way to a TPM: one command, one answer, one at a time.

use crate::error::Error;
use crate::frame::{Answer, Authorization, FRAME_BYTES_MAX, Header, command};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tpm2_protocol::basic::TpmUint16;
use tpm2_protocol::data::{TpmCc, TpmRcBase};
use tpm2_protocol::frame::{TpmFrame, TpmGetRandomCommand, TpmGetRandomResponse, TpmUnmarshalBody};
use zeroize::Zeroizing;

/// How often a command is sent if the TPM asks for it again.
const ATTEMPTS_MAX: u32 = 8;
/// The wait before the second attempt; it doubles before each further one,
/// to 0.6 seconds for all: longer than a self-test of a software TPM takes.
const FIRST_WAIT: Duration = Duration::from_millis(5);
/// Most random bytes in one answer of every TPM: a SHA-256 digest.
const RANDOM_BYTES_MAX: usize = 32;

/// A stream that takes a command in one write and gives its answer: the
/// device file, or a socket of an emulator. A stream that may be silent for
/// ever needs a read timeout of its own; the kernel bounds the device's.
pub trait Transport: Read + Write + Send {}

impl<T: Read + Write + Send> Transport for T {}

/// A TPM. Clones share it, and threads take turns: each call blocks for as
/// long as the TPM works (a quote 3 to 15 ms, a new RSA key up to seconds)
/// and for the calls before it. Not for an async task's own thread.
#[derive(Clone)]
pub struct Device {
    channel: Arc<Mutex<Channel>>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Device")
    }
}

struct Channel {
    transport: Box<dyn Transport>,
    /// Set while an exchange is under way, and left if it broke off: whatever
    /// is read then belongs to a question that nobody asked.
    out_of_step: bool,
}

impl Device {
    /// Opens a device file. `/dev/tpmrm0`, the kernel's resource manager,
    /// clears away this program's keys when it ends; `/dev/tpm0` does not.
    ///
    /// # Errors
    /// `device_missing`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|error| Error::DeviceMissing(error.kind()))?;
        Ok(Self::over(file))
    }

    /// A TPM at the other end of `transport`, already started up.
    pub fn over(transport: impl Transport + 'static) -> Self {
        Self {
            channel: Arc::new(Mutex::new(Channel {
                transport: Box::new(transport),
                out_of_step: false,
            })),
        }
    }

    /// Fills `to` from the TPM's generator. For mixing into a seed: a virtual
    /// TPM's numbers are its host's, and no secret from it.
    ///
    /// # Errors
    /// Those of the device, and `response_unrelated` for none or too many.
    pub fn random(&self, to: &mut [u8]) -> Result<(), Error> {
        for part in to.chunks_mut(RANDOM_BYTES_MAX) {
            let asked =
                u16::try_from(part.len()).map_err(|_| Error::CommandInvalid(TpmCc::GetRandom))?;
            let command = TpmGetRandomCommand {
                handles: [],
                bytes_requested: TpmUint16::from(asked),
            };
            let answer = self.run::<_, TpmGetRandomResponse>(&command, &[])?;
            if answer.body.random_bytes.len() != part.len() {
                return Err(Error::ResponseUnrelated(TpmCc::GetRandom));
            }
            part.copy_from_slice(&answer.body.random_bytes);
        }
        Ok(())
    }

    /// Sends a command, again if the TPM asks for it, and reads its answer.
    pub(crate) fn run<C: TpmFrame, R: TpmUnmarshalBody>(
        &self,
        question: &C,
        by: &[Authorization],
    ) -> Result<Answer<R>, Error> {
        let bytes = command(question, by)?;
        let mut wait = FIRST_WAIT;
        for attempt in 1..=ATTEMPTS_MAX {
            let answer = self.exchange(&bytes)?;
            if !Header::parse(&answer)?.is_some_and(|header| asks_again(header.code)) {
                return Answer::parse(&answer, by);
            }
            if attempt < ATTEMPTS_MAX {
                std::thread::sleep(wait);
                wait = wait.saturating_mul(2);
            }
        }
        Err(Error::DeviceBusy(R::CC, ATTEMPTS_MAX))
    }

    fn exchange(&self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        // A thread that panicked between question and answer left the mark.
        let mut channel = self
            .channel
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        channel.exchange(command)
    }
}

/// The three warnings after which the same command is sent once more (TPM 2.0
/// Library, Part 2, section 6.6.3).
fn asks_again(code: u32) -> bool {
    [TpmRcBase::Yielded, TpmRcBase::Testing, TpmRcBase::Retry]
        .iter()
        .any(|again| *again as u32 == code)
}

impl Channel {
    fn exchange(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.out_of_step {
            return Err(Error::DeviceOutOfStep);
        }
        self.out_of_step = true;
        let failed = |error: std::io::Error| Error::DeviceFailed(error.kind());
        self.transport.write_all(command).map_err(failed)?;
        self.transport.flush().map_err(failed)?;
        let answer = self.answer()?;
        self.out_of_step = false;
        Ok(answer)
    }

    /// Reads one answer: its length is known after ten bytes, and nothing may
    /// follow it.
    fn answer(&mut self) -> Result<Zeroizing<Vec<u8>>, Error> {
        // One byte more than an answer can have, to see that it is too long.
        let mut buffer = Zeroizing::new(vec![0; FRAME_BYTES_MAX + 1]);
        let mut filled = 0;
        loop {
            let free = buffer.get_mut(filled..).unwrap_or_default();
            match self.transport.read(free) {
                Ok(0) => return Err(Error::ResponseTruncated(filled)),
                Ok(read) => filled = filled.saturating_add(read),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::DeviceFailed(error.kind())),
            }
            let so_far = buffer.get(..filled).ok_or(Error::ResponseOversized)?;
            match Header::parse(so_far)? {
                Some(header) if filled > header.len => return Err(Error::ResponseOversized),
                Some(header) if filled == header.len => break,
                _ => {}
            }
        }
        buffer.truncate(filled);
        Ok(buffer)
    }
}
