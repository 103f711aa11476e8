//! The shop: class keys, the key set, and blind signatures.

use crate::Error;
use crate::clock::seed;
use crate::config::Config;
use crate::data::{DataDir, read_secret, write_secret};
use crate::identity::Identity;
use crate::ledger::Ledger;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use voucher::{
    Acceptance, Class, IssueRequest, IssueResponse, IssuerKey, KeySet, Name, Offer, Price,
    RedeemRequest, RedemptionCheck, SignedKeySet, TokenRequest, TokenResponse, VerifiedRedemption,
    generator,
};
use wire::UnixMs;

/// Sells vouchers of the classes whose keys it holds.
#[derive(Debug)]
pub struct Shop {
    shop: Name,
    ledger_name: Name,
    identity: Identity,
    stock: RwLock<Arc<Stock>>,
}

/// The keys of one moment and what follows from them.
#[derive(Debug)]
struct Stock {
    keys: BTreeMap<Class, IssuerKey>,
    key_set: SignedKeySet,
    acceptance: Acceptance,
}

impl Shop {
    /// Reads the class keys of a data folder and makes those that are missing
    /// for `now`. Slow: making a key takes about a second.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::KeyFile`], [`Error::Voucher`],
    /// [`Error::Setting`].
    pub fn open(
        config: &Config,
        data: &DataDir,
        identity: &Identity,
        now: UnixMs,
    ) -> Result<Self, Error> {
        let shop = match &config.shop {
            Some(name) => name.clone(),
            None => identity.default_name()?,
        };
        let ledger_name = config.ledger.clone().unwrap_or_else(|| shop.clone());
        let stock = Stock::open(config, data, identity, (&shop, &ledger_name), now)?;
        Ok(Self {
            shop,
            ledger_name,
            identity: identity.clone(),
            stock: RwLock::new(Arc::new(stock)),
        })
    }

    /// Makes the keys of a key epoch that has begun since, and forgets those
    /// whose vouchers have expired. Slow where there is something to do.
    ///
    /// # Errors
    /// As [`Shop::open`]; what was sold before goes on being sold.
    pub fn roll(&self, config: &Config, data: &DataDir, now: UnixMs) -> Result<(), Error> {
        let stock = self.stock();
        let wanted = config.classes(now)?;
        let complete = wanted
            .iter()
            .all(|(class, _)| stock.keys.contains_key(class));
        let current = stock
            .keys
            .keys()
            .all(|class| class.check_redeemable(now).is_ok());
        if complete && current {
            return Ok(());
        }
        let names = (&self.shop, &self.ledger_name);
        let fresh = Arc::new(Stock::open(config, data, &self.identity, names, now)?);
        *self.stock.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    fn stock(&self) -> Arc<Stock> {
        Arc::clone(&self.stock.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is for sale: the same document for everybody.
    #[must_use]
    pub fn key_set(&self) -> SignedKeySet {
        self.stock().key_set.clone()
    }

    /// Sells a voucher against a code; the same request gets the same answer.
    /// Blocks on the disk and for a signature.
    ///
    /// # Errors
    /// [`Error::CodeUnknown`], [`Error::CodeClass`], [`Error::CodeUsedUp`],
    /// [`Error::Voucher`], [`Error::Ledger`].
    pub fn issue(
        &self,
        ledger: &dyn Ledger,
        request: &IssueRequest,
        now: UnixMs,
    ) -> Result<IssueResponse, Error> {
        request.class.check_redeemable(now)?;
        let code = request.code.digest();
        let sign = || self.sign(&request.class, &request.token_request);
        let token_response = ledger.issue(&code, &request.class, &request.token_request, &sign)?;
        Ok(IssueResponse { token_response })
    }

    /// Signs the refund message of a redemption whose relay could not be
    /// started. The ledger sees to it that this is given out once per nonce.
    ///
    /// # Errors
    /// [`Error::Voucher`], [`Error::Randomness`].
    pub fn refund(&self, redemption: &RedeemRequest) -> Result<TokenResponse, Error> {
        self.sign(&redemption.class, &redemption.refund_request)
    }

    fn sign(&self, class: &Class, request: &TokenRequest) -> Result<TokenResponse, Error> {
        let stock = self.stock();
        let key = stock.keys.get(class).ok_or(voucher::Error::ClassUnknown)?;
        Ok(key.sign(&mut generator(&*seed()?), request)?)
    }
}

/// The checks of vouchers that this shop sold.
impl RedemptionCheck for Shop {
    fn check(
        &self,
        request: RedeemRequest,
        now: UnixMs,
    ) -> Result<VerifiedRedemption, voucher::Error> {
        self.stock().acceptance.check(request, now)
    }
}

impl Stock {
    fn open(
        config: &Config,
        data: &DataDir,
        identity: &Identity,
        (shop, ledger): (&Name, &Name),
        now: UnixMs,
    ) -> Result<Self, Error> {
        let sold = config.classes(now)?;
        let mut keys = stored_keys(&data.keys(), now)?;
        let mut taken: BTreeSet<u8> = keys
            .values()
            .map(|key| key.public().id_truncated())
            .collect();
        for (class, _) in &sold {
            if keys.contains_key(class) {
                continue;
            }
            let key = IssuerKey::generate(&mut generator(&*seed()?), &taken)?;
            write_secret(&data.keys().join(format!("{class}.pk8")), &key.to_pkcs8()?)?;
            taken.insert(key.public().id_truncated());
            keys.insert(class.clone(), key);
        }
        let offers = offers(&keys, &sold);
        let set = KeySet::new(shop.clone(), ledger.clone(), identity.public(), offers)?
            .with_probes(config.probe.clone())?;
        let public = |(class, key): (&Class, &IssuerKey)| (class.clone(), key.public().clone());
        Ok(Self {
            key_set: set.sign(identity.key())?,
            acceptance: Acceptance::new(
                shop.clone(),
                ledger.clone(),
                identity.public(),
                keys.iter().map(public).collect(),
            ),
            keys,
        })
    }
}

/// Every key whose vouchers can still be redeemed, at today's price of what
/// it stands for: codes that were paid for late in a quarter stay good.
fn offers(keys: &BTreeMap<Class, IssuerKey>, sold: &[(Class, Price)]) -> Vec<Offer> {
    let same = |a: &Class, b: &Class| {
        (a.size(), a.region(), a.hours(), a.gigabytes())
            == (b.size(), b.region(), b.hours(), b.gigabytes())
    };
    keys.iter()
        .filter_map(|(class, key)| {
            let (_, price) = sold.iter().find(|(other, _)| same(class, other))?;
            Some(Offer {
                class: class.clone(),
                price: *price,
                key: key.public().clone(),
            })
        })
        .collect()
}

/// Reads the keys of a folder; those of expired classes stay unread.
fn stored_keys(folder: &Path, now: UnixMs) -> Result<BTreeMap<Class, IssuerKey>, Error> {
    let failed = || Error::file("read the class keys", folder);
    let mut keys = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        let is_key = path.extension().is_some_and(|extension| extension == "pk8");
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        if !is_key {
            continue;
        }
        let class: Class = stem.parse()?;
        if class.check_redeemable(now).is_err() {
            continue;
        }
        if let Some(der) = read_secret(&path)? {
            keys.insert(class, IssuerKey::from_pkcs8(&der)?);
        }
    }
    Ok(keys)
}
