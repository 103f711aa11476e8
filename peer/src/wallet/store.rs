//! The wallet's folder: lock, records, states.

use super::file::{lock, make_folder, read_secret, remove, write_secret};
use crate::Error;
use crate::sponsor::region::{Rtts, nearest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use voucher::record::RECORD_VERSION;
use voucher::{DeskUri, PurchaseRecord, State, VoucherRecord};
use wire::UnixMs;
use zeroize::Zeroizing;

/// A record, in bytes: a voucher in redemption takes about 5,000.
const RECORD_BYTES_MAX: usize = 32 * 1024;
/// Pause between two tries for the lock, in ms: far under what a buyer
/// notices, and far over what a try costs.
const LOCK_PAUSE_MS: u64 = 50;
const VOUCHER: &str = ".voucher.json";
const PURCHASE: &str = ".purchase.json";

/// The wallet, held against every other client while the value lives, or the
/// process, however that ends.
#[derive(Debug)]
pub(crate) struct Wallet {
    folder: PathBuf,
    // Held, not read: closing it opens the lock.
    _lock: File,
}

/// What is in a wallet, the next voucher to redeem first.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) vouchers: Vec<VoucherRecord>,
    pub(crate) purchases: Vec<PurchaseRecord>,
    /// Voucher files that cannot be read: [`Error::WalletDamaged`] or
    /// [`Error::File`] each.
    pub(crate) vouchers_damaged: Vec<Error>,
    /// The same for purchases.
    pub(crate) purchases_damaged: Vec<Error>,
}

impl Wallet {
    /// Opens the wallet under `data`, or makes one.
    ///
    /// # Errors
    /// [`Error::WalletLocked`] at once if another client has it,
    /// [`Error::File`].
    pub(crate) fn open(data: &Path) -> Result<Self, Error> {
        let folder = folder(data);
        make_folder(&folder).map_err(Error::file("open the wallet", &folder))?;
        let path = folder.join("lock");
        let lock = lock(&path).map_err(Error::file("lock the wallet", &path))?;
        Ok(Self {
            folder,
            _lock: lock.ok_or(Error::WalletLocked)?,
        })
    }

    /// [`Wallet::open`], waiting for another client for up to `patience_ms`.
    pub(crate) async fn open_patiently(data: &Path, patience_ms: u64) -> Result<Self, Error> {
        let deadline = Instant::now() + Duration::from_millis(patience_ms);
        loop {
            match Self::open(data) {
                Err(Error::WalletLocked) if Instant::now() < deadline => {
                    sleep(Duration::from_millis(LOCK_PAUSE_MS)).await;
                }
                result => return result,
            }
        }
    }

    /// What is in it.
    ///
    /// # Errors
    /// [`Error::File`] if the folder cannot be read.
    pub(crate) fn contents(&self) -> Result<Contents, Error> {
        Contents::read_folder(&self.folder)
    }

    /// Saves a voucher's record; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`Error::File`]; the record on the disk is the old one then.
    pub(crate) async fn save(&self, record: &VoucherRecord) -> Result<(), Error> {
        write(self.folder.join(voucher_name(record)), record).await
    }

    /// Adds a voucher. One that is there already stays as it is: it may have
    /// been spent since.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) async fn add(&self, record: &VoucherRecord) -> Result<(), Error> {
        if self.folder.join(voucher_name(record)).exists() {
            return Ok(());
        }
        self.save(record).await
    }

    /// Saves a purchase; to be called before its request is sent.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) async fn begin(&self, purchase: &PurchaseRecord) -> Result<(), Error> {
        write(self.folder.join(purchase_name(purchase)), purchase).await
    }

    /// Removes a purchase whose voucher was saved, or that never became one.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) async fn forget(&self, purchase: &PurchaseRecord) -> Result<(), Error> {
        let path = self.folder.join(purchase_name(purchase));
        blocking(path, "finish the purchase", remove).await
    }
}

impl Contents {
    /// Reads the wallet under `data` without its lock: every file is whole,
    /// whoever writes meanwhile. No wallet is an empty one.
    ///
    /// # Errors
    /// [`Error::File`] if the folder cannot be read.
    pub(crate) fn read(data: &Path) -> Result<Self, Error> {
        Self::read_folder(&folder(data))
    }

    fn read_folder(folder: &Path) -> Result<Self, Error> {
        let mut contents = Self::default();
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(contents),
            entries => entries.map_err(Error::file("read the wallet", folder))?,
        };
        for entry in entries {
            let path = entry
                .map_err(Error::file("read the wallet", folder))?
                .path();
            contents.take(&path);
        }
        contents.vouchers.sort_by_key(priority);
        contents.purchases.sort_by_key(purchase_name);
        Ok(contents)
    }

    fn take(&mut self, path: &Path) {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default();
        if name.ends_with(VOUCHER) {
            match read_record::<VoucherRecord>(path, |record| voucher_name(record) == name) {
                Ok(record) => self.vouchers.push(record),
                Err(error) => self.vouchers_damaged.push(error),
            }
        } else if name.ends_with(PURCHASE) {
            match read_record::<PurchaseRecord>(path, |record| purchase_name(record) == name) {
                Ok(record) => self.purchases.push(record),
                Err(error) => self.purchases_damaged.push(error),
            }
        }
    }

    /// Shows vouchers whose class is no longer redeemed as expired.
    pub(crate) fn expire(&mut self, now: UnixMs) {
        for record in &mut self.vouchers {
            record.expire(now);
        }
    }

    /// The voucher to redeem next at `desk`: first one that is in flight,
    /// since it may have bought a relay already, then the one that expires
    /// first.
    pub(crate) fn next(self, desk: &DeskUri, now: UnixMs) -> Option<VoucherRecord> {
        self.next_near(desk, now, &Rtts::new())
    }

    /// The same; of those that are not in flight, first one of the region that
    /// is nearest by these round trips.
    pub(crate) fn next_near(
        self,
        desk: &DeskUri,
        now: UnixMs,
        rtts: &Rtts,
    ) -> Option<VoucherRecord> {
        let usable: Vec<VoucherRecord> = self.usable(desk, now).collect();
        let regions = usable.iter().map(|record| record.class().region());
        let nearest = nearest(regions, rtts);
        let fits = |record: &&VoucherRecord| {
            let near = nearest
                .as_ref()
                .is_none_or(|near| record.class().region() == near);
            near || record.state() == State::InFlight
        };
        let at = usable.iter().position(|record| fits(&record));
        usable.into_iter().nth(at?)
    }

    /// What can be redeemed at `desk`, in order.
    fn usable(self, desk: &DeskUri, now: UnixMs) -> impl Iterator<Item = VoucherRecord> {
        self.vouchers.into_iter().filter(move |record| {
            let usable = match record.state() {
                State::InFlight => true,
                State::Unspent => record.class().check_redeemable(now).is_ok(),
                State::Spent | State::Refunded | State::Expired => false,
            };
            usable && record.desk().key() == desk.key()
        })
    }
}

fn priority(record: &VoucherRecord) -> (bool, UnixMs, wire::PublicKey) {
    let resting = record.state() != State::InFlight;
    (
        resting,
        record.class().key_epoch().redeem_end(),
        record.id(),
    )
}

fn folder(data: &Path) -> PathBuf {
    data.join("wallet")
}

fn voucher_name(record: &VoucherRecord) -> String {
    format!("{}{VOUCHER}", record.id())
}

/// Named after the request: two purchases are two requests.
fn purchase_name(purchase: &PurchaseRecord) -> String {
    let request = purchase.request().token_request.to_bytes();
    let digest = ring::digest::digest(&ring::digest::SHA256, &request);
    format!("{}{PURCHASE}", hex::encode(digest.as_ref()))
}

#[derive(Deserialize)]
struct Version {
    version: u16,
}

fn read_record<T: DeserializeOwned>(path: &Path, named: impl Fn(&T) -> bool) -> Result<T, Error> {
    let damaged = |detail: &str| Error::WalletDamaged {
        path: path.to_owned(),
        detail: detail.to_owned(),
    };
    let bytes =
        read_secret(path, RECORD_BYTES_MAX).map_err(Error::file("read the wallet", path))?;
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(damaged("it is too long for a record"));
    }
    let version: Version =
        serde_json::from_slice(&bytes).map_err(|_| damaged("it is no record of a wallet"))?;
    if version.version != RECORD_VERSION {
        return Err(damaged("a later version wrote it: update this program"));
    }
    // The parser's own words could quote a secret.
    let record = serde_json::from_slice(&bytes).map_err(|error| {
        damaged(&format!(
            "a field is wrong or missing at line {} column {}",
            error.line(),
            error.column()
        ))
    })?;
    if named(&record) {
        Ok(record)
    } else {
        // A copy under another name would count as a second voucher.
        Err(damaged("its name is not its record's: is it a copy?"))
    }
}

async fn write(path: PathBuf, record: &impl Serialize) -> Result<(), Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(RECORD_BYTES_MAX));
    serde_json::to_writer(&mut *bytes, record)
        .map_err(|error| Error::file("save the wallet's record", &path)(io::Error::from(error)))?;
    blocking(path, "save the wallet's record", move |path| {
        write_secret(path, &bytes)
    })
    .await
}

/// Runs file work where it may wait for the disk.
async fn blocking(
    path: PathBuf,
    step: &'static str,
    work: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
) -> Result<(), Error> {
    let done = tokio::task::spawn_blocking(move || {
        let result = work(&path);
        result.map_err(Error::file(step, &path))
    });
    done.await.map_err(|error| Error::File {
        step,
        path: PathBuf::new(),
        source: io::Error::other(error),
    })?
}
