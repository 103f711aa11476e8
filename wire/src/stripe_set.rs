//! Sets of stripes.

use crate::codec::{Decode, DecodeError, Encode, Reader, put_varint};
use crate::id::Stripe;
use crate::limits::STRIPES_MAX;
use crate::stripes::Stripes;
use std::fmt;

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

impl From<Stripes> for StripeSet {
    fn from(stripes: Stripes) -> Self {
        stripes.all().collect()
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
