//! How many sub-streams a run has, and sets of them.

use crate::codec::{Decode, DecodeError, Encode, Reader, put_varint};
use crate::id::Stripe;
use crate::limits::STRIPES_MAX;
use std::fmt;
use std::str::FromStr;

/// k data and m parity stripes: any k blocks of a row of k+m give it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stripes {
    /// Data stripes, at least one.
    pub k: u8,
    /// Parity stripes.
    pub m: u8,
}

impl Stripes {
    /// One tree without parity: 1+0.
    pub const SINGLE: Self = Self { k: 1, m: 0 };

    /// k+m, if k is at least 1 and k+m at most [`STRIPES_MAX`].
    #[must_use]
    pub const fn new(k: u8, m: u8) -> Option<Self> {
        if k >= 1 && k <= STRIPES_MAX && m <= STRIPES_MAX - k {
            Some(Self { k, m })
        } else {
            None
        }
    }

    /// k+m.
    #[must_use]
    pub const fn count(self) -> u8 {
        self.k.saturating_add(self.m)
    }

    /// Every stripe, from 0 to k+m-1.
    pub fn each(self) -> impl Iterator<Item = Stripe> {
        (0..self.count()).map(Stripe)
    }

    /// The set of them all.
    #[must_use]
    pub fn all(self) -> StripeSet {
        self.each().collect()
    }
}

impl Default for Stripes {
    fn default() -> Self {
        Self::SINGLE
    }
}

impl fmt::Display for Stripes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.k, self.m)
    }
}

/// Not `K+M`, or out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoStripes;

impl fmt::Display for NoStripes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stripes are K+M, e.g. 4+1: K at least 1, K+M at most {STRIPES_MAX}"
        )
    }
}

impl std::error::Error for NoStripes {}

impl FromStr for Stripes {
    type Err = NoStripes;

    fn from_str(text: &str) -> Result<Self, NoStripes> {
        let number = |text: &str| -> Option<u8> {
            // `u8::from_str` also takes a sign, which would be a second way
            // to write the same.
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        let (k, m) = text.split_once('+').ok_or(NoStripes)?;
        let (k, m) = number(k).zip(number(m)).ok_or(NoStripes)?;
        Self::new(k, m).ok_or(NoStripes)
    }
}

impl Encode for Stripes {
    fn encode(&self, out: &mut Vec<u8>) {
        self.k.encode(out);
        self.m.encode(out);
    }
}

impl Decode for Stripes {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (k, m) = (u8::decode(r)?, u8::decode(r)?);
        Self::new(k, m).ok_or(DecodeError::Invalid("stripes"))
    }
}

/// A set of stripes: bit i stands for stripe i. On the wire it is never
/// empty: what speaks of no stripe is not said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StripeSet(u32);

const _: () = assert!(STRIPES_MAX as u32 <= u32::BITS);

impl StripeSet {
    /// No stripe.
    pub const EMPTY: Self = Self(0);

    /// Every stripe that a run may have.
    pub const ALL: Self = Self((1 << STRIPES_MAX) - 1);

    /// This stripe alone; none if it is beyond [`STRIPES_MAX`].
    #[must_use]
    pub const fn one(stripe: Stripe) -> Self {
        if stripe.0 < STRIPES_MAX {
            Self(1 << stripe.0)
        } else {
            Self::EMPTY
        }
    }

    /// Whether the stripe is in it.
    #[must_use]
    pub const fn has(self, stripe: Stripe) -> bool {
        self.intersects(Self::one(stripe))
    }

    /// With this stripe.
    #[must_use]
    pub const fn with(self, stripe: Stripe) -> Self {
        self.union(Self::one(stripe))
    }

    /// Without this stripe.
    #[must_use]
    pub const fn without(self, stripe: Stripe) -> Self {
        self.minus(Self::one(stripe))
    }

    /// Those of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of both sets.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the two have a stripe in common.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all of these are in `other`.
    #[must_use]
    pub const fn within(self, other: Self) -> bool {
        self.minus(other).is_empty()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The stripes in order.
    pub fn iter(self) -> impl Iterator<Item = Stripe> {
        (0..STRIPES_MAX).map(Stripe).filter(move |s| self.has(*s))
    }
}

impl From<Stripe> for StripeSet {
    fn from(stripe: Stripe) -> Self {
        Self::one(stripe)
    }
}

impl FromIterator<Stripe> for StripeSet {
    fn from_iter<I: IntoIterator<Item = Stripe>>(stripes: I) -> Self {
        stripes.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for StripeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|s| s.0)).finish()
    }
}

impl Encode for StripeSet {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.0));
    }
}

impl Decode for StripeSet {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bits = r.varint("a set of stripes")?;
        match u32::try_from(bits) {
            Ok(bits) if bits != 0 && bits >> STRIPES_MAX == 0 => Ok(Self(bits)),
            _ => Err(DecodeError::Invalid("a set of stripes")),
        }
    }
}
