//! The wallet: purchases under way and vouchers, one file each.
//!
//! ```text
//! DATA/wallet/            0700
//!   lock                  held for the time of one operation
//!   ID.purchase.json      0600; blinding state, saved before it is sent
//!   ID.voucher.json       0600; a voucher, its state, its redemption
//! ```
//!
//! A file is replaced whole or not at all, and is on the disk before anything
//! that depends on it is sent; so whatever ends the program, the state in the
//! file is true. Readers take no lock. The files are not yet sealed with a
//! passphrase: whoever can read the folder can spend the vouchers.

mod file;
mod money;
mod purchase;
mod store;
mod view;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use file::{lock, make_folder, read_secret, remove, write_secret};
pub(crate) use money::price_text;
pub(crate) use purchase::sold;
pub(crate) use store::{Contents, Wallet};

use crate::cli::{self, WalletVerb};
use crate::{Error, config};
use purchase::Wanted;
use std::path::Path;
use voucher::{CryptoRng, VoucherRecord};
use wire::UnixMs;
use zeroize::Zeroizing;

/// Buys one voucher at this desk, with an operator's purchase code, into the
/// wallet in `data`.
///
/// # Errors
/// The step that failed.
pub async fn buy(
    data: &Path,
    desk: &str,
    code: &str,
    class: Option<String>,
) -> Result<VoucherRecord, Error> {
    let wanted = Wanted {
        desk: desk.parse()?,
        code: code.parse()?,
        class,
    };
    purchase::buy(data, &wanted).await
}

/// `roundcast wallet buy|list`.
///
/// # Errors
/// The step that failed. [`Error::WalletDamaged`] after a list in which a
/// file could not be read.
pub async fn run(options: cli::Wallet) -> Result<u8, Error> {
    match options.verb {
        WalletVerb::Buy {
            desk,
            code,
            class,
            data,
            json,
        } => {
            let record = buy(&config::data_dir(data)?, &desk, &code, class).await?;
            view::print_bought(&record, json);
        }
        WalletVerb::List { data, json } => list(&config::data_dir(data)?, json)?,
    }
    Ok(0)
}

fn list(data: &Path, json: bool) -> Result<(), Error> {
    let mut contents = Contents::read(data)?;
    contents.expire(now());
    view::print_list(&contents, json);
    let mut damaged = contents.vouchers_damaged;
    damaged.append(&mut contents.purchases_damaged);
    damaged.into_iter().next().map_or(Ok(()), Err)
}

/// The time of day.
pub(crate) fn now() -> UnixMs {
    link::Clock::new().unix()
}

/// A generator seeded by the system, for blinding and holder keys.
///
/// # Errors
/// [`Error::Random`].
pub(crate) fn generator() -> Result<impl CryptoRng + use<>, Error> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(|_| Error::Random)?;
    Ok(voucher::generator(&seed))
}
