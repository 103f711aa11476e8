//! How many stripes a stream has.

use crate::Stripe;
use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::limits::STRIPES_MAX;
use std::fmt;
use std::str::FromStr;

/// k data and m parity stripes: any k of the k+m are enough to watch.
/// Written as `4+1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stripes {
    k: u8,
    m: u8,
}

impl Stripes {
    /// One stripe without parity: the single tree.
    pub const SINGLE: Self = Self { k: 1, m: 0 };

    /// What a stream is cut into if its broadcaster does not say: who lacks one
    /// of five misses nothing, for a quarter more upload.
    pub const USUAL: Self = Self { k: 4, m: 1 };

    /// None unless 1 <= k and k + m <= [`STRIPES_MAX`].
    #[must_use]
    pub const fn new(k: u8, m: u8) -> Option<Self> {
        if k == 0 || k > STRIPES_MAX || m > STRIPES_MAX - k {
            return None;
        }
        Some(Self { k, m })
    }

    /// Data stripes: so many are needed.
    #[must_use]
    pub const fn k(self) -> u8 {
        self.k
    }

    /// Parity stripes: so many may be missing.
    #[must_use]
    pub const fn m(self) -> u8 {
        self.m
    }

    /// k + m, which is also how many edges a child takes at its full rate.
    #[must_use]
    pub const fn count(self) -> u8 {
        self.k.saturating_add(self.m)
    }

    /// Every stripe.
    pub fn all(self) -> impl DoubleEndedIterator<Item = Stripe> + Clone {
        (0..self.count()).map(Stripe)
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

impl FromStr for Stripes {
    type Err = &'static str;

    /// # Errors
    /// What to write, unless it is `k+m` within the bounds.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| {
            let plain = digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        let made = text.split_once('+');
        let made = made.and_then(|(k, m)| Self::new(number(k)?, number(m)?));
        made.ok_or(WRITTEN)
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
        Self::new(k, m).ok_or(INVALID)
    }
}

const WRITTEN: &str = "write K+M, such as 4+1: K is at least 1, and both together at most 16";
const _: () = assert!(STRIPES_MAX == 16, "the text above says so");
const INVALID: DecodeError = DecodeError::Invalid("stripes (k+m)");

#[cfg(test)]
mod tests {
    use super::{STRIPES_MAX, Stripes};

    #[test]
    fn text_and_bounds_agree() {
        for (k, m) in (0..=20).flat_map(|k| (0..=20).map(move |m| (k, m))) {
            let made = Stripes::new(k, m);
            assert_eq!(made.is_some(), k >= 1 && k + m <= STRIPES_MAX);
            assert_eq!(format!("{k}+{m}").parse().ok(), made);
        }
        for wrong in [
            "", "4", "+1", "4+", "4+1+1", "+4+1", "4+-1", " 4+1", "256+0",
        ] {
            assert!(wrong.parse::<Stripes>().is_err(), "{wrong:?}");
        }
        let shown = "4+1".parse::<Stripes>().map(|stripes| stripes.to_string());
        assert_eq!(shown.as_deref(), Ok("4+1"));
    }
}
