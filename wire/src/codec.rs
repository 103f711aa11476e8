//! The canonical codec: QUIC varints in minimal form, length prefixes, bounds.

use bytes::Bytes;
use thiserror::Error;

/// Largest value of a QUIC varint (RFC 9000 section 16).
pub const VARINT_MAX: u64 = (1 << 62) - 1;

/// Why bytes are not the encoding of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The input ends inside a value.
    #[error("decode: the input ends inside {0}; the sender cut it short")]
    Truncated(&'static str),
    /// A varint is not in its shortest form.
    #[error("decode: a number is not in its shortest form")]
    NotMinimal,
    /// A length or count is over its limit.
    #[error("decode: {what} has {len} where at most {max} are allowed")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// The length found.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// A value outside its range or an unknown discriminant.
    #[error("decode: {0} has a value outside its range")]
    Invalid(&'static str),
    /// Bytes follow the value.
    #[error("decode: {0} bytes follow the value")]
    Trailing(usize),
}

/// Reads values from the front of a byte slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over the whole of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not yet read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self
            .rest
            .split_at_checked(len)
            .ok_or(DecodeError::Truncated(what))?;
        self.rest = tail;
        Ok(head)
    }

    /// The next byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] at the end.
    pub fn byte(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        let (&first, tail) = self
            .rest
            .split_first()
            .ok_or(DecodeError::Truncated(what))?;
        self.rest = tail;
        Ok(first)
    }

    /// A varint in minimal form.
    ///
    /// # Errors
    /// Truncated or longer than necessary.
    pub fn varint(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let first = self.byte(what)?;
        let len = 1usize << (first >> 6);
        let mut value = u64::from(first & 0x3f);
        for &b in self.take(len - 1, what)? {
            value = (value << 8) | u64::from(b);
        }
        if varint_len(value) == len {
            Ok(value)
        } else {
            Err(DecodeError::NotMinimal)
        }
    }

    /// A length or count that is at most `max`.
    ///
    /// # Errors
    /// As [`Reader::varint`], and [`DecodeError::TooLong`].
    pub fn length(&mut self, max: usize, what: &'static str) -> Result<usize, DecodeError> {
        let len = self.varint(what)?;
        let max_u64 = max as u64;
        if len > max_u64 {
            return Err(DecodeError::TooLong {
                what,
                len,
                max: max_u64,
            });
        }
        usize::try_from(len).map_err(|_| DecodeError::Invalid(what))
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] if bytes are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            n => Err(DecodeError::Trailing(n)),
        }
    }
}

const fn varint_len(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}

/// Appends `value` as a minimal varint; values over [`VARINT_MAX`] saturate.
pub fn put_varint(out: &mut Vec<u8>, value: u64) {
    let value = value.min(VARINT_MAX);
    let bytes = value.to_be_bytes();
    let len = varint_len(value);
    let prefix: u8 = match len {
        1 => 0x00,
        2 => 0x40,
        4 => 0x80,
        _ => 0xc0,
    };
    for (i, b) in bytes.iter().skip(8 - len).enumerate() {
        out.push(if i == 0 { b | prefix } else { *b });
    }
}

/// A value with exactly one encoding.
pub trait Encode {
    /// Appends the encoding.
    fn encode(&self, out: &mut Vec<u8>);

    /// The encoding on its own.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

/// A value that can be read back from its encoding.
pub trait Decode: Sized {
    /// Reads one value from the front.
    ///
    /// # Errors
    /// See [`DecodeError`].
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Reads one value that must be the whole input.
    ///
    /// # Errors
    /// See [`DecodeError`].
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let value = Self::decode(&mut r)?;
        r.finish()?;
        Ok(value)
    }
}

impl Encode for u64 {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, *self);
    }
}

impl Decode for u64 {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.varint("a number")
    }
}

macro_rules! small_integers {
    ($($t:ty),*) => {$(
        impl Encode for $t {
            fn encode(&self, out: &mut Vec<u8>) {
                put_varint(out, u64::from(*self));
            }
        }
        impl Decode for $t {
            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                <$t>::try_from(r.varint(stringify!($t))?)
                    .map_err(|_| DecodeError::Invalid(stringify!($t)))
            }
        }
    )*};
}
small_integers!(u8, u16, u32);

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Decode for bool {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.byte("a flag")? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid("a flag")),
        }
    }
}

impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<const N: usize> Decode for [u8; N] {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = r.take(N, "a fixed field")?;
        <[u8; N]>::try_from(bytes).map_err(|_| DecodeError::Truncated("a fixed field"))
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(v) => {
                out.push(1);
                v.encode(out);
            }
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(if bool::decode(r)? {
            Some(T::decode(r)?)
        } else {
            None
        })
    }
}

impl<T: Encode> Encode for Box<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(T::decode(r)?))
    }
}

/// At most `MAX` bytes, prefixed by their length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Blob<const MAX: usize>(Bytes);

impl<const MAX: usize> Blob<MAX> {
    /// Wraps bytes that fit.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`].
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, DecodeError> {
        let bytes = bytes.into();
        if bytes.len() > MAX {
            return Err(DecodeError::TooLong {
                what: "a blob",
                len: bytes.len() as u64,
                max: MAX as u64,
            });
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl<const MAX: usize> std::ops::Deref for Blob<MAX> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const MAX: usize> Encode for Blob<MAX> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        out.extend_from_slice(&self.0);
    }
}

impl<const MAX: usize> Decode for Blob<MAX> {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = r.length(MAX, "a blob")?;
        Ok(Self(Bytes::copy_from_slice(r.take(len, "a blob")?)))
    }
}

/// At most `MAX` bytes of UTF-8 without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// Wraps text that fits and has no control characters.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] or [`DecodeError::Invalid`].
    pub fn new(text: impl Into<String>) -> Result<Self, DecodeError> {
        let text = text.into();
        if text.len() > MAX {
            return Err(DecodeError::TooLong {
                what: "a text",
                len: text.len() as u64,
                max: MAX as u64,
            });
        }
        if text.chars().any(char::is_control) {
            return Err(DecodeError::Invalid("a text"));
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> std::fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> Encode for Text<MAX> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        out.extend_from_slice(self.0.as_bytes());
    }
}

impl<const MAX: usize> Decode for Text<MAX> {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = r.length(MAX, "a text")?;
        let text = std::str::from_utf8(r.take(len, "a text")?)
            .map_err(|_| DecodeError::Invalid("a text"))?;
        Self::new(text)
    }
}

/// At most `MAX` values, prefixed by their count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> List<T, MAX> {
    /// Wraps a vector that fits.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`].
    pub fn new(items: Vec<T>) -> Result<Self, DecodeError> {
        if items.len() > MAX {
            return Err(DecodeError::TooLong {
                what: "a list",
                len: items.len() as u64,
                max: MAX as u64,
            });
        }
        Ok(Self(items))
    }
}

impl<T, const MAX: usize> std::ops::Deref for List<T, MAX> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Encode, const MAX: usize> Encode for List<T, MAX> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        for item in &self.0 {
            item.encode(out);
        }
    }
}

impl<T: Decode, const MAX: usize> Decode for List<T, MAX> {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = r.length(MAX, "a list")?;
        // Grows as items really arrive: a count alone allocates nothing.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(T::decode(r)?);
        }
        Ok(Self(items))
    }
}

/// Declares a struct whose encoding is its fields in order.
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$fmeta:meta])* pub $field:ident: $ty:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }
        impl $crate::codec::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                $($crate::codec::Encode::encode(&self.$field, out);)*
                let _ = &out;
            }
        }
        impl $crate::codec::Decode for $name {
            fn decode(
                r: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                let _ = &r;
                Ok(Self { $($field: <$ty as $crate::codec::Decode>::decode(r)?,)* })
            }
        }
    };
}

/// Declares a fieldless enum with stable numbers; unknown ones are refused.
#[macro_export]
macro_rules! code {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$vmeta:meta])* $variant:ident = $code:literal => $text:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)* }
        impl $name {
            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> u64 { match self { $(Self::$variant => $code,)* } }
            /// The stable name, as in JSON and on the page.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $text,)* } }
            /// The value with this number, if there is one.
            #[must_use]
            pub const fn from_code(code: u64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
        impl $crate::codec::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) { $crate::codec::put_varint(out, self.code()); }
        }
        impl $crate::codec::Decode for $name {
            fn decode(
                r: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                Self::from_code(r.varint(stringify!($name))?)
                    .ok_or($crate::codec::DecodeError::Invalid(stringify!($name)))
            }
        }
    };
}

/// Declares the messages of one stream: `number => Variant(Payload)`.
/// An unknown number is an error that closes the link.
#[macro_export]
macro_rules! messages {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$vmeta:meta])* $code:literal => $variant:ident($ty:ty),)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name { $($(#[$vmeta])* $variant($ty),)* }
        impl $crate::codec::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant(v) => {
                        $crate::codec::put_varint(out, $code);
                        $crate::codec::Encode::encode(v, out);
                    })*
                }
            }
        }
        impl $crate::codec::Decode for $name {
            fn decode(
                r: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                match r.varint("a message type")? {
                    $($code => Ok(Self::$variant(<$ty as $crate::codec::Decode>::decode(r)?)),)*
                    _ => Err($crate::codec::DecodeError::Invalid("a message type")),
                }
            }
        }
    };
}
