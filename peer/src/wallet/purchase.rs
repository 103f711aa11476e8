//! Buying a voucher: blind, save, send; and the same again after a break.

use super::store::{Contents, Wallet};
use crate::Error;
use crate::desk_client::{DeskClient, replay};
use std::path::Path;
use voucher::{
    Class, DeskUri, KeyEpoch, KeySet, Offer, PurchaseCode, PurchaseRecord, VoucherRecord,
};
use wire::UnixMs;

/// Refusals that say that the shop never signed this request, whose record is
/// therefore worth nothing. After any other one the purchase is kept.
const NEVER_ISSUED: [&str; 3] = ["code_unknown", "code_class_mismatch", "code_used_up"];

/// What is to be bought.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) desk: DeskUri,
    pub(super) code: PurchaseCode,
    /// A class, or the beginning of its name up to a dot.
    pub(super) class: Option<String>,
}

/// Buys a voucher, or finishes an interrupted purchase with the same code.
///
/// # Errors
/// [`Error::WalletLocked`], [`Error::WalletDamaged`] if the interrupted
/// purchase may be in the damaged file, [`Error::DeskAway`] after which the
/// same call goes on where this one stopped, [`Error::DeskRefused`],
/// [`Error::DeskKey`], [`Error::Voucher`].
pub(super) async fn buy(data: &Path, wanted: &Wanted) -> Result<VoucherRecord, Error> {
    let wallet = Wallet::open(data)?;
    let client = DeskClient::new(&wanted.desk)?;
    let purchase = match wanted.begun(wallet.contents()?)? {
        Some(purchase) => purchase,
        None => {
            let keys = client.keys().await?;
            let purchase = wanted.begin(&keys, super::now())?;
            wallet.begin(&purchase).await?;
            purchase
        }
    };
    let request = purchase.request();
    match replay(|| client.issue(&request)).await? {
        Ok(response) => {
            let record = purchase.finish(&response)?;
            wallet.add(&record).await?;
            wallet.forget(&purchase).await?;
            Ok(record)
        }
        Err(refusal) => {
            if NEVER_ISSUED.contains(&refusal.reason.as_str()) {
                wallet.forget(&purchase).await?;
            }
            Err(Error::DeskRefused {
                step: "buy a voucher",
                reason: refusal.reason,
                message: refusal.message,
            })
        }
    }
}

impl Wanted {
    /// The purchase that was begun with this code.
    fn begun(&self, contents: Contents) -> Result<Option<PurchaseRecord>, Error> {
        let found = contents.purchases.into_iter().find(|purchase| {
            let request = purchase.request();
            request.code == self.code
                && purchase.desk().key() == self.desk.key()
                && self.means(&request.class)
        });
        match (found, contents.purchases_damaged.into_iter().next()) {
            (Some(purchase), _) => Ok(Some(purchase)),
            (None, None) => Ok(None),
            // It may be the one: a second request would use the code again.
            (None, Some(damaged)) => Err(damaged),
        }
    }

    fn begin(&self, keys: &KeySet, now: UnixMs) -> Result<PurchaseRecord, Error> {
        Ok(PurchaseRecord::begin(
            &mut super::generator()?,
            &self.desk,
            (&keys.shop, &keys.ledger),
            self.offer(keys, now)?,
            self.code.clone(),
        )?)
    }

    /// A full name chooses among everything that the desk redeems, since a
    /// code stays good when its quarter ends; less, among what it sells now.
    fn offer<'a>(&self, keys: &'a KeySet, now: UnixMs) -> Result<&'a Offer, Error> {
        if let Some(class) = self
            .class
            .as_ref()
            .and_then(|text| text.parse::<Class>().ok())
        {
            return keys
                .offer(&class)
                .ok_or(Error::Voucher(voucher::Error::ClassUnknown));
        }
        let mut fitting = sold(keys, now).filter(|offer| self.means(&offer.class));
        match (fitting.next(), fitting.next()) {
            (Some(offer), None) => Ok(offer),
            (None, _) => Err(Error::Voucher(voucher::Error::ClassUnknown)),
            (Some(_), Some(_)) => Err(Error::Usage(
                "the desk sells several classes: say which with --class, like --class small",
            )),
        }
    }

    fn means(&self, class: &Class) -> bool {
        let name = class.to_string();
        self.class.as_ref().is_none_or(|wanted| {
            name.strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// What a desk sells at `now`: classes of the current key epoch.
pub(crate) fn sold(keys: &KeySet, now: UnixMs) -> impl Iterator<Item = &Offer> {
    let epoch = KeyEpoch::at(now);
    keys.offers
        .iter()
        .filter(move |offer| offer.class.key_epoch() == epoch)
}
