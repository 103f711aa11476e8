//! What a round would cost this viewer, by the word of its own desk.

use crate::Error;
use crate::desk_client::DeskClient;
use crate::wallet::{Contents, now, price_text, sold};
use std::path::Path;
use voucher::{Class, DeskUri, Price};

/// A round as it is offered to a person.
#[derive(Debug, Clone)]
pub(crate) struct Quote {
    /// What is bought.
    pub(crate) class: Class,
    /// The price in minor units of `currency`.
    pub(crate) price_minor: u64,
    /// Three capital letters.
    pub(crate) currency: String,
    /// Paid time, in hours.
    pub(crate) hours: u16,
    /// Paid egress, in 10^9 bytes.
    pub(crate) gigabytes: u32,
    /// Whether a voucher for it is in the wallet. Without one, a yes cannot
    /// be followed by a round.
    pub(crate) voucher: bool,
}

/// The price of the voucher that [`super::redeem::redeem`] would take; without
/// a voucher, of the cheapest class that the desk sells now. The wallet is
/// read without its lock.
///
/// # Errors
/// Those of [`DeskClient`], [`Error::File`], and [`Error::NoVoucher`] if there
/// is none and the desk sells nothing.
pub(crate) async fn quote(desk: &DeskUri, data: &Path) -> Result<Quote, Error> {
    let now = now();
    let held = Contents::read(data)?.next(desk, now);
    let keys = DeskClient::new(desk)?.keys().await?;
    if let Some(record) = held {
        let class = record.class();
        // A class that is no longer for sale is worth what was paid for it.
        let price = keys
            .offer(class)
            .map_or_else(|| record.price(), |offer| offer.price);
        return Ok(Quote::new(class, price, true));
    }
    sold(&keys, now)
        .min_by_key(|offer| offer.price.amount_minor())
        .map(|offer| Quote::new(&offer.class, offer.price, false))
        .ok_or(Error::NoVoucher)
}

impl Quote {
    /// The price as people write it, like `4.10 USD`.
    pub(crate) fn price_text(&self) -> String {
        price_text(self.price_minor, &self.currency)
    }

    fn new(class: &Class, price: Price, voucher: bool) -> Self {
        Self {
            class: class.clone(),
            price_minor: price.amount_minor(),
            currency: price.currency().to_string(),
            hours: class.hours(),
            gigabytes: class.gigabytes(),
            voucher,
        }
    }
}
