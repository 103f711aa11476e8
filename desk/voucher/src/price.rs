//! Prices: integer minor units with a currency, never a fraction.

use crate::Error;
use crate::encoding::serde_text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Largest amount of one price, in minor units: far above any relay-hour, and
/// far below where sums of prices could overflow.
pub const AMOUNT_MINOR_MAX: u64 = 1_000_000_000;

/// Three capital letters (ISO 4217).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl FromStr for Currency {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        const SHAPE: Error = Error::Price("a currency is three capital letters");
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| SHAPE)?;
        if letters.iter().all(u8::is_ascii_uppercase) {
            Ok(Self(letters))
        } else {
            Err(SHAPE)
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|b| write!(f, "{}", char::from(*b)))
    }
}

serde_text!(Currency);

/// An amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", deny_unknown_fields)]
pub struct Price {
    amount_minor: u64,
    currency: Currency,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    amount_minor: u64,
    currency: Currency,
}

impl TryFrom<Unchecked> for Price {
    type Error = Error;
    fn try_from(raw: Unchecked) -> Result<Self, Error> {
        Self::new(raw.amount_minor, raw.currency)
    }
}

impl Price {
    /// `amount_minor` hundredths (or whatever the currency's minor unit is).
    ///
    /// # Errors
    /// [`Error::Price`] over [`AMOUNT_MINOR_MAX`].
    pub fn new(amount_minor: u64, currency: Currency) -> Result<Self, Error> {
        if amount_minor > AMOUNT_MINOR_MAX {
            return Err(Error::Price("the amount is too large"));
        }
        Ok(Self {
            amount_minor,
            currency,
        })
    }

    /// The amount, in minor units.
    #[must_use]
    pub const fn amount_minor(&self) -> u64 {
        self.amount_minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }
}

/// `410 EUR`: minor units, since how many make a major unit is the currency's.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount_minor, self.currency)
    }
}
