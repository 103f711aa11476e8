//! Identifiers: newtypes, so that one cannot be taken for another.

use crate::codec::{Decode, DecodeError, Encode, Reader};
use std::fmt;

macro_rules! bytes_id {
    ($($(#[$meta:meta])* $name:ident[$n:literal];)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $n]);
        impl $name {
            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $n] { &self.0 }
            /// Lower-case hexadecimal, all of it.
            #[must_use]
            pub fn to_hex(&self) -> String { data_encoding::HEXLOWER.encode(&self.0) }
            /// From hexadecimal of the exact length.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
                bytes.try_into().ok().map(Self)
            }
            /// The first eight hexadecimal digits, for people.
            #[must_use]
            pub fn short(&self) -> String { self.to_hex().chars().take(8).collect() }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.to_hex()) }
        }
        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) { out.extend_from_slice(&self.0); }
        }
        impl Decode for $name {
            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self(<[u8; $n]>::decode(r)?))
            }
        }
    )*};
}

bytes_id! {
    /// An Ed25519 public key; the stream's *is* the stream.
    StreamId[32];
    /// One start of a station: 128 random bits.
    RunId[16];
    /// An Ed25519 public key of any other role.
    PublicKey[32];
    /// SHA-256 of a DER SubjectPublicKeyInfo: who is at a link's other end.
    SpkiHash[32];
    /// SHA-256 of an order's fields: see [`crate::order::Order`].
    OrderId[32];
    /// Any other SHA-256 value.
    Digest[32];
    /// 32 random bytes of a challenge.
    Nonce[32];
}

macro_rules! number_id {
    ($($(#[$meta:meta])* $name:ident($t:ty);)*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $t);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{}", self.0) }
        }
        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) { self.0.encode(out); }
        }
        impl Decode for $name {
            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> { Ok(Self(<$t>::decode(r)?)) }
        }
    )*};
}

number_id! {
    /// Generation of the audience's secret within a run.
    Epoch(u64);
    /// Position of a chunk within its rendition and run.
    Sequence(u64);
    /// One encoding of the stream.
    Rendition(u8);
    /// One of the k+m sub-streams.
    Stripe(u8);
    /// One question to the audience.
    AskId(u64);
    /// Milliseconds since 1970-01-01T00:00:00Z.
    UnixMs(u64);
}

impl Sequence {
    /// The following position.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl UnixMs {
    /// The time `ms` later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
    /// Milliseconds from `earlier` to `self`, zero if it is not earlier.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
