//! Reading the TPM's wire form: big-endian numbers and buffers with a 16-bit
//! length (TPM 2.0 Library, Part 2, sections 4 and 10.4).

use wire::codec::{DecodeError, Reader};

/// Reads fields from the front of a byte slice, never past its end.
pub(crate) struct Fields<'a>(Reader<'a>);

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(Reader::new(bytes))
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let bytes = self.0.take(N, what)?;
        bytes.try_into().map_err(|_| DecodeError::Truncated(what))
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        self.array(what).map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        self.array(what).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.array(what).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// A number that can only have one value here.
    pub(crate) fn exactly(&mut self, value: u16, what: &'static str) -> Result<(), DecodeError> {
        if self.u16(what)? == value {
            Ok(())
        } else {
            Err(DecodeError::Invalid(what))
        }
    }

    /// A `TPM2B` of at most `max` bytes.
    pub(crate) fn sized(
        &mut self,
        max: usize,
        what: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let len = usize::from(self.u16(what)?);
        if len > max {
            return Err(DecodeError::TooLong {
                what,
                len: len as u64,
                max: max as u64,
            });
        }
        self.0.take(len, what)
    }

    /// A `TPM2B` of exactly `N` bytes.
    pub(crate) fn sized_array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let bytes = self.sized(N, what)?;
        bytes.try_into().map_err(|_| DecodeError::Invalid(what))
    }

    /// Refuses bytes that are left over.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        self.0.finish()
    }
}
