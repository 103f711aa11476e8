//! Reading CBOR (RFC 8949) without building a tree: the caller says which
//! item comes next, so nothing nests, nothing is allocated, and what is not
//! expected is refused. Heads are in their shortest form (section 4.2.1);
//! only a map may have an indefinite length, and only where it is asked for.

use wire::{DecodeError, Reader};

const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const NULL: u8 = 0xf6;
const MAP_INDEFINITE: u8 = 0xbf;
const BREAK: u8 = 0xff;

/// A reader of items.
pub(crate) struct Items<'a>(Reader<'a>);

/// How many entries a map still has.
pub(crate) enum Entries {
    /// So many.
    Left(u64),
    /// As many as come before the break.
    UntilBreak,
}

impl<'a> Items<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(Reader::new(bytes))
    }

    /// Takes the next byte if it is this one.
    fn skip(&mut self, byte: u8, what: &'static str) -> Result<bool, DecodeError> {
        let found = self.0.clone().byte(what)? == byte;
        if found {
            self.0.byte(what)?;
        }
        Ok(found)
    }

    /// The argument of a head of this major type, in its shortest form.
    fn head(&mut self, major: u8, what: &'static str) -> Result<u64, DecodeError> {
        let first = self.0.byte(what)?;
        if first >> 5 != major {
            return Err(DecodeError::Invalid(what));
        }
        let (len, least) = match first & 0x1f {
            small @ 0..=23 => return Ok(u64::from(small)),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            _ => return Err(DecodeError::Invalid(what)),
        };
        let bytes = self.0.take(len, what)?;
        let value = bytes
            .iter()
            .fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        if value < least {
            return Err(DecodeError::Invalid(what));
        }
        Ok(value)
    }

    fn string(
        &mut self,
        major: u8,
        bytes_max: usize,
        what: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let len = self.head(major, what)?;
        match usize::try_from(len) {
            Ok(len) if len <= bytes_max => self.0.take(len, what),
            _ => Err(DecodeError::TooLong {
                what,
                len,
                max: bytes_max as u64,
            }),
        }
    }

    /// A number that is not negative.
    pub(crate) fn unsigned(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.head(UNSIGNED, what)
    }

    /// A byte string.
    pub(crate) fn bytes(
        &mut self,
        bytes_max: usize,
        what: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        self.string(BYTES, bytes_max, what)
    }

    /// A byte string, or null.
    pub(crate) fn optional_bytes(
        &mut self,
        bytes_max: usize,
        what: &'static str,
    ) -> Result<Option<&'a [u8]>, DecodeError> {
        if self.skip(NULL, what)? {
            return Ok(None);
        }
        self.bytes(bytes_max, what).map(Some)
    }

    /// A text in UTF-8.
    pub(crate) fn text(
        &mut self,
        bytes_max: usize,
        what: &'static str,
    ) -> Result<&'a str, DecodeError> {
        let bytes = self.string(TEXT, bytes_max, what)?;
        std::str::from_utf8(bytes).map_err(|_| DecodeError::Invalid(what))
    }

    /// How many items of an array follow.
    pub(crate) fn array(&mut self, max: u64, what: &'static str) -> Result<u64, DecodeError> {
        let len = self.head(ARRAY, what)?;
        if len > max {
            return Err(DecodeError::TooLong { what, len, max });
        }
        Ok(len)
    }

    /// How many entries of a map follow.
    pub(crate) fn map(&mut self, max: u64, what: &'static str) -> Result<u64, DecodeError> {
        let len = self.head(MAP, what)?;
        if len > max {
            return Err(DecodeError::TooLong { what, len, max });
        }
        Ok(len)
    }

    /// A map whose length may stand at its end.
    pub(crate) fn open_map(
        &mut self,
        max: u64,
        what: &'static str,
    ) -> Result<Entries, DecodeError> {
        if self.skip(MAP_INDEFINITE, what)? {
            return Ok(Entries::UntilBreak);
        }
        self.map(max, what).map(Entries::Left)
    }

    /// Whether an [`Self::open_map`] has another entry.
    pub(crate) fn more(
        &mut self,
        entries: &mut Entries,
        what: &'static str,
    ) -> Result<bool, DecodeError> {
        match entries {
            Entries::Left(0) => Ok(false),
            Entries::Left(left) => {
                *left -= 1;
                Ok(true)
            }
            Entries::UntilBreak => Ok(!self.skip(BREAK, what)?),
        }
    }

    /// Takes this tag if it comes next.
    pub(crate) fn optional_tag(
        &mut self,
        tag: u8,
        what: &'static str,
    ) -> Result<bool, DecodeError> {
        self.skip((TAG << 5) | tag, what)
    }

    /// Refuses bytes that are left over.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        self.0.finish()
    }
}
