//! What a round would cost this viewer, by the word of its own desk.

use super::region::{self, Rtts};
use crate::Error;
use crate::desk_client::DeskClient;
use crate::wallet::{Contents, now, price_text, sold};
use std::path::Path;
use voucher::{Class, DeskUri, KeySet, Offer, Price};
use wire::UnixMs;

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
    /// How far the desk's regions are from here.
    pub(crate) rtts: Rtts,
    /// How far regions are from those who wait, by their own words.
    pub(crate) waiting: Rtts,
}

/// The price of the voucher that [`super::redeem::redeem`] would take; without
/// a voucher, of the cheapest class that the desk sells now in the region that
/// is nearest to those who wait, or from here if none of them has told. The
/// wallet is read without its lock.
///
/// # Errors
/// Those of [`DeskClient`], [`Error::File`], and [`Error::NoVoucher`] if there
/// is none and the desk sells nothing.
pub(crate) async fn quote(desk: &DeskUri, data: &Path, waiting: Rtts) -> Result<Quote, Error> {
    let now = now();
    let keys = DeskClient::new(desk)?.keys().await?;
    let rtts = region::measure(&keys.probes).await;
    let far = Far { rtts, waiting };
    let held = Contents::read(data)?.next_near(desk, now, far.counts());
    if let Some(record) = held {
        let class = record.class();
        // A class that is no longer for sale is worth what was paid for it.
        let price = keys
            .offer(class)
            .map_or_else(|| record.price(), |offer| offer.price);
        return Ok(Quote::new(class, price, true, far));
    }
    chosen(&keys, now, far.counts())
        .map(|offer| (offer.class.clone(), offer.price))
        .map(|(class, price)| Quote::new(&class, price, false, far))
        .ok_or(Error::NoVoucher)
}

/// How far regions are.
struct Far {
    rtts: Rtts,
    waiting: Rtts,
}

impl Far {
    fn counts(&self) -> &Rtts {
        counts(&self.rtts, &self.waiting)
    }
}

/// What counts: the words of those who wait, if there are any.
fn counts<'a>(own: &'a Rtts, waiting: &'a Rtts) -> &'a Rtts {
    if waiting.is_empty() { own } else { waiting }
}

/// How far the regions are that this desk sells, from here.
///
/// # Errors
/// Those of [`DeskClient`].
pub(super) async fn look_around(desk: &DeskUri) -> Result<Rtts, Error> {
    let keys = DeskClient::new(desk)?.keys().await?;
    Ok(region::measure(&keys.probes).await)
}

/// The cheapest that is sold now in the nearest region that answers; if none
/// does, the cheapest of all.
pub(super) fn chosen<'a>(keys: &'a KeySet, now: UnixMs, rtts: &Rtts) -> Option<&'a Offer> {
    let nearest = region::nearest(sold(keys, now).map(|offer| offer.class.region()), rtts);
    let fits = |offer: &&Offer| {
        let near = nearest.as_ref();
        near.is_none_or(|near| offer.class.region() == near)
    };
    sold(keys, now)
        .filter(fits)
        .min_by_key(|offer| offer.price.amount_minor())
}

impl Quote {
    /// The price as people write it, like `4.10 USD`.
    pub(crate) fn price_text(&self) -> String {
        price_text(self.price_minor, &self.currency)
    }

    /// The region and how far it is, for people.
    pub(crate) fn place_text(&self) -> String {
        let region = self.class.region();
        let mut text = format!("in region {region}");
        if let Some(ms) = self.rtts.get(region) {
            text += &format!(", {ms} ms from here");
        }
        if let Some(ms) = self.waiting.get(region) {
            text += &format!(", {ms} ms from those who wait (they say)");
        }
        text
    }

    /// The round trips by which a voucher is chosen, in milliseconds.
    pub(crate) fn counts(&self) -> &Rtts {
        counts(&self.rtts, &self.waiting)
    }

    /// The round trip to the class's region in milliseconds, if it was measured.
    pub(crate) fn rtt_ms(&self) -> Option<u64> {
        self.rtts.get(self.class.region()).copied()
    }

    /// The same of those who wait, on average.
    pub(crate) fn waiting_rtt_ms(&self) -> Option<u64> {
        self.waiting.get(self.class.region()).copied()
    }

    fn new(class: &Class, price: Price, voucher: bool, far: Far) -> Self {
        Self {
            class: class.clone(),
            price_minor: price.amount_minor(),
            currency: price.currency().to_string(),
            hours: class.hours(),
            gigabytes: class.gigabytes(),
            voucher,
            rtts: far.rtts,
            waiting: far.waiting,
        }
    }
}
