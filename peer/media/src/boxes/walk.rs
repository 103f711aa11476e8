//! Box headers and the children of a container, without recursion.
//!
//! ISO/IEC 14496-12 section 4.2: a box is a 32-bit size, a type, for size 1 a
//! 64-bit size, then the body.

use crate::error::{Error, Flaw, Result};

const HEADER_BYTES: usize = 8;
const HEADER_LARGE_BYTES: usize = 16;

/// A box header whose sizes are consistent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) kind: [u8; 4],
    /// Length of the header itself: 8 or 16 bytes.
    pub(crate) header_bytes: usize,
    /// Length of the whole box, header included; never less than the header.
    pub(crate) total_bytes: u64,
}

impl Header {
    /// The header at the start of `bytes`; `None` if it is not all there yet.
    pub(crate) fn peek(bytes: &[u8]) -> Result<Option<Self>> {
        let (Some(size), Some(kind)) = (u32_at(bytes, 0), array_at(bytes, 4)) else {
            return Ok(None);
        };
        let (header_bytes, total_bytes) = match size {
            0 => return Err(Error::garbage(kind, Flaw::OpenSize)),
            1 => match u64_at(bytes, HEADER_BYTES) {
                Some(size) => (HEADER_LARGE_BYTES, size),
                None => return Ok(None),
            },
            size => (HEADER_BYTES, u64::from(size)),
        };
        if total_bytes < header_bytes as u64 {
            return Err(Error::garbage(kind, Flaw::Size));
        }
        Ok(Some(Self {
            kind,
            header_bytes,
            total_bytes,
        }))
    }
}

/// A box inside bytes that are all there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoxRef<'a> {
    pub(crate) kind: [u8; 4],
    /// Where the body begins, counted from the start of the walked bytes.
    pub(crate) body_at: usize,
    pub(crate) body: &'a [u8],
}

impl<'a> BoxRef<'a> {
    /// The children of this box, after `skip` bytes of fields of its own. Their
    /// positions count in the same bytes as this box's.
    pub(crate) fn children(&self, skip: usize) -> Result<Boxes<'a>> {
        let rest = self
            .body
            .get(skip..)
            .ok_or(Error::garbage(self.kind, Flaw::Short))?;
        Ok(Boxes {
            parent: self.kind,
            rest,
            at: self.body_at.saturating_add(skip),
        })
    }

    /// The first child of type `kind`, required.
    pub(crate) fn child(&self, kind: [u8; 4]) -> Result<BoxRef<'a>> {
        self.child_maybe(kind, 0)?
            .ok_or(Error::missing(self.kind, kind))
    }

    /// The first child of type `kind` after `skip` bytes of fields.
    pub(crate) fn child_maybe(&self, kind: [u8; 4], skip: usize) -> Result<Option<BoxRef<'a>>> {
        for child in self.children(skip)? {
            let child = child?;
            if child.kind == kind {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// A value of this box's body, or [`Flaw::Short`].
    pub(crate) fn field<T>(&self, value: Option<T>) -> Result<T> {
        value.ok_or(Error::garbage(self.kind, Flaw::Short))
    }
}

/// Boxes one after the other; ends after the first error.
#[derive(Debug)]
pub(crate) struct Boxes<'a> {
    parent: [u8; 4],
    rest: &'a [u8],
    at: usize,
}

impl<'a> Boxes<'a> {
    /// The boxes that `bytes` consists of; errors name `parent`.
    pub(crate) fn new(parent: [u8; 4], bytes: &'a [u8]) -> Self {
        Self {
            parent,
            rest: bytes,
            at: 0,
        }
    }

    fn advance(&mut self) -> Result<Option<BoxRef<'a>>> {
        // QuickTime ends some containers with a 32-bit zero.
        if self.rest.len() < HEADER_BYTES && self.rest.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header::peek(self.rest)?.ok_or(Error::garbage(self.parent, Flaw::Size))?;
        let flaw = || Error::garbage(header.kind, Flaw::Size);
        let total = usize::try_from(header.total_bytes).map_err(|_| flaw())?;
        let (whole, rest) = self.rest.split_at_checked(total).ok_or_else(flaw)?;
        let body = whole.get(header.header_bytes..).ok_or_else(flaw)?;
        let child = BoxRef {
            kind: header.kind,
            body_at: self.at.saturating_add(header.header_bytes),
            body,
        };
        self.rest = rest;
        self.at = self.at.saturating_add(total);
        Ok(Some(child))
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<BoxRef<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.rest = &[];
        }
        next.transpose()
    }
}

/// `N` bytes at `at`.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub(crate) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_be_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_be_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_be_bytes)
}
