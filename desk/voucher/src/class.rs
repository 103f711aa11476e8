//! What a voucher buys: the class, which is also the issuer's key.

use crate::Error;
use crate::encoding::serde_text;
use crate::error::ExpiredClass;
use std::fmt;
use std::str::FromStr;
use wire::UnixMs;
use wire::limits::REGION_BYTES_MAX;

/// Hours of one voucher: a day. More is bought with more vouchers, so that a
/// lost one costs a day at most.
pub const HOURS_MAX: u16 = 24;
/// Gigabytes of one voucher: a day at 1 Gbit/s is 10,800.
pub const GIGABYTES_MAX: u32 = 20_000;
/// Quarters in which a class can still be redeemed after the one it was sold
/// in: who buys on the last day of a quarter has three months left.
const GRACE_QUARTERS: u32 = 1;

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;
const GIGABYTE: u64 = 1_000_000_000;

/// How strong the relay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// 100 Mbit/s of egress: 20 viewers at 5 Mbit/s.
    Small,
    /// 400 Mbit/s of egress: 80 viewers at 5 Mbit/s.
    Large,
}

impl Size {
    /// The egress that the class stands for, in bit/s. It bounds what a relay
    /// of this size may claim.
    #[must_use]
    pub const fn rate_bps(self) -> u64 {
        match self {
            Self::Small => 100_000_000,
            Self::Large => 400_000_000,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }
}

/// Where the relay runs: 1 to [`REGION_BYTES_MAX`] of `a-z`, `0-9`, `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

impl Region {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || text.len() > REGION_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(Error::Class("a region is 1 to 24 of a-z, 0-9, hyphen"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The quarter of a year in which a key is used for selling, like `2026q4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyEpoch {
    year: u16,
    quarter: u8,
}

impl KeyEpoch {
    /// The quarter that `now` lies in (UTC).
    #[must_use]
    pub fn at(now: UnixMs) -> Self {
        let (year, month) = year_and_month(now.0 / DAY_MS);
        let quarter = u8::try_from((month - 1) / 3 + 1).unwrap_or(4);
        Self {
            year: u16::try_from(year).unwrap_or(u16::MAX),
            quarter,
        }
    }

    /// The first instant after which vouchers of this epoch are refused: the
    /// end of the following quarter (UTC).
    #[must_use]
    pub fn redeem_end(self) -> UnixMs {
        self.starts_after(1 + GRACE_QUARTERS)
    }

    fn starts_after(self, quarters: u32) -> UnixMs {
        let index = u32::from(self.year) * 4 + u32::from(self.quarter) - 1 + quarters;
        UnixMs(days_before(index / 4, (index % 4) * 3 + 1).saturating_mul(DAY_MS))
    }
}

/// Year and month (1 to 12) of a day counted from 1970-01-01, in the proleptic
/// Gregorian calendar (the years begin in March in this computation, which
/// puts the leap day last).
fn year_and_month(days: u64) -> (u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month)
}

/// Days from 1970-01-01 to the first of `month` (1 to 12) of `year`; 0 for
/// earlier dates.
fn days_before(year: u32, month: u32) -> u64 {
    let year = u64::from(year) - u64::from(month <= 2 && year > 0);
    let shifted = u64::from(if month > 2 { month - 3 } else { month + 9 });
    let era = year / 400;
    let year_of_era = year % 400;
    let day_of_year = (153 * shifted + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).saturating_sub(719_468)
}

impl FromStr for KeyEpoch {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        const SHAPE: Error = Error::Class("a key epoch looks like 2026q4");
        let (year, quarter) = text.split_once('q').ok_or(SHAPE)?;
        let year: u16 = canonical(year).ok_or(SHAPE)?;
        let quarter: u8 = canonical(quarter).ok_or(SHAPE)?;
        if !(2000..=2999).contains(&year) || !(1..=4).contains(&quarter) {
            return Err(SHAPE);
        }
        Ok(Self { year, quarter })
    }
}

impl fmt::Display for KeyEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}q{}", self.year, self.quarter)
    }
}

/// What one voucher buys: one relay of `size` in `region` for `hours` or until
/// `gigabytes` have left it, whichever is first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    size: Size,
    region: Region,
    hours: u16,
    gigabytes: u32,
    key_epoch: KeyEpoch,
}

impl Class {
    /// A class within the limits of this module.
    ///
    /// # Errors
    /// [`Error::Class`] for zero or too many hours or gigabytes.
    pub fn new(
        size: Size,
        region: Region,
        hours: u16,
        gigabytes: u32,
        key_epoch: KeyEpoch,
    ) -> Result<Self, Error> {
        if hours == 0 || hours > HOURS_MAX {
            return Err(Error::Class("hours are 1 to 24"));
        }
        if gigabytes == 0 || gigabytes > GIGABYTES_MAX {
            return Err(Error::Class("gigabytes are 1 to 20000"));
        }
        Ok(Self {
            size,
            region,
            hours,
            gigabytes,
            key_epoch,
        })
    }

    /// The relay's strength.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Where the relay runs.
    #[must_use]
    pub const fn region(&self) -> &Region {
        &self.region
    }

    /// The paid time, in hours.
    #[must_use]
    pub const fn hours(&self) -> u16 {
        self.hours
    }

    /// The paid egress, in gigabytes (10^9 bytes).
    #[must_use]
    pub const fn gigabytes(&self) -> u32 {
        self.gigabytes
    }

    /// When its key is used for selling.
    #[must_use]
    pub const fn key_epoch(&self) -> KeyEpoch {
        self.key_epoch
    }

    /// The paid time, in milliseconds.
    #[must_use]
    pub const fn lease_ms(&self) -> u64 {
        self.hours as u64 * HOUR_MS
    }

    /// The paid egress, in bytes.
    #[must_use]
    pub const fn byte_cap(&self) -> u64 {
        self.gigabytes as u64 * GIGABYTE
    }

    /// Whether vouchers of this class can still be redeemed.
    ///
    /// # Errors
    /// [`Error::Expired`].
    pub fn check_redeemable(&self, now: UnixMs) -> Result<(), Error> {
        if now >= self.key_epoch.redeem_end() {
            return Err(Error::Expired(ExpiredClass(self.key_epoch)));
        }
        Ok(())
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}h.{}gb.{}",
            self.size.name(),
            self.region,
            self.hours,
            self.gigabytes,
            self.key_epoch
        )
    }
}

impl FromStr for Class {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > wire::limits::LABEL_BYTES_MAX {
            return Err(Error::Class("it is longer than 64 bytes"));
        }
        let mut parts = text.split('.');
        let mut part = || {
            parts
                .next()
                .ok_or(Error::Class("it has fewer than five parts"))
        };
        let size = match part()? {
            "small" => Size::Small,
            "large" => Size::Large,
            _ => return Err(Error::Class("the sizes are small and large")),
        };
        let region = part()?.parse()?;
        let hours = part()?.strip_suffix('h').and_then(canonical);
        let gigabytes = part()?.strip_suffix("gb").and_then(canonical);
        let key_epoch = part()?.parse()?;
        if parts.next().is_some() {
            return Err(Error::Class("it has more than five parts"));
        }
        Self::new(
            size,
            region,
            hours.ok_or(Error::Class("hours look like 1h"))?,
            gigabytes.ok_or(Error::Class("gigabytes look like 45gb"))?,
            key_epoch,
        )
    }
}

serde_text!(Class, KeyEpoch, Region);

/// A number whose text is the one that `Display` gives: no sign, no leading
/// zero.
fn canonical<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_form_goes_both_ways() {
        let class: Class = "small.local.1h.45gb.2026q4".parse().unwrap();
        assert_eq!(class.to_string(), "small.local.1h.45gb.2026q4");
        assert_eq!(class.lease_ms(), 3_600_000);
        assert_eq!(class.byte_cap(), 45_000_000_000);
    }

    #[test]
    fn rejects_every_other_spelling() {
        for text in [
            "",
            "small",
            "Small.local.1h.45gb.2026q4",
            "small.local.01h.45gb.2026q4",
            "small.local.+1h.45gb.2026q4",
            "small.local.0h.45gb.2026q4",
            "small.local.25h.45gb.2026q4",
            "small.local.1h.45GB.2026q4",
            "small.local.1h.45gb.2026q5",
            "small.local.1h.45gb.2026q4.",
            "small..1h.45gb.2026q4",
            "small.lo cal.1h.45gb.2026q4",
            "small.local.1h.99999gb.2026q4",
        ] {
            assert!(text.parse::<Class>().is_err(), "{text}");
        }
    }

    #[test]
    fn expires_at_the_end_of_the_following_quarter() {
        let class: Class = "small.local.1h.45gb.2026q4".parse().unwrap();
        // 2027-04-01T00:00:00Z.
        let end = UnixMs(1_806_537_600_000);
        assert_eq!(class.key_epoch().redeem_end(), end);
        assert!(class.check_redeemable(UnixMs(end.0 - 1)).is_ok());
        assert_eq!(
            class.check_redeemable(end).unwrap_err().reason(),
            "voucher_expired"
        );
    }

    proptest! {
        #[test]
        fn an_instant_lies_within_its_epoch(ms in 946_684_800_000_u64..32_000_000_000_000) {
            let epoch = KeyEpoch::at(UnixMs(ms));
            let next = epoch.starts_after(1);
            prop_assert!(ms < next.0);
            prop_assert_eq!(KeyEpoch::at(UnixMs(next.0 - 1)), epoch);
            prop_assert!(KeyEpoch::at(next) > epoch);
            prop_assert_eq!(epoch.to_string().parse::<KeyEpoch>().unwrap(), epoch);
        }

        #[test]
        fn no_text_panics_and_what_parses_is_canonical(text in ".{0,80}") {
            if let Ok(class) = text.parse::<Class>() {
                prop_assert_eq!(class.to_string(), text);
            }
        }
    }
}
