//! `roundcast-desk codes make`.

use super::say;
use crate::clock;
use crate::config::Config;
use crate::data::DataDir;
use crate::error::Error;
use crate::ledger::{Ledger, SqliteLedger};
use std::path::PathBuf;
use voucher::{Class, KeyEpoch, PurchaseCode};
use wire::UnixMs;
use zeroize::Zeroizing;

/// Codes made at once: what one sheet of an operator holds, and then some.
const CODES_MAX: u32 = 10_000;
/// Vouchers of one code.
const VOUCHERS_MAX: u32 = 1_000;

#[derive(Debug, clap::Args)]
pub(super) struct MakeArgs {
    /// The class; without its key epoch, today's is taken.
    #[arg(long)]
    class: String,
    /// How many codes.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(CODES_MAX)))]
    count: u32,
    /// How many vouchers each code buys.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(VOUCHERS_MAX)))]
    vouchers: u32,
    /// The desk's data folder; a desk may be serving from it.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The desk's configuration, TOML.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Makes codes, notes their digests, and prints them: the ledger cannot show
/// them again.
pub(super) fn make(args: &MakeArgs) -> Result<(), Error> {
    let now = clock::now()?;
    let class = class_for_sale(&Config::load(args.config.as_deref())?, &args.class, now)?;
    let ledger = SqliteLedger::open(&DataDir::open(&args.data)?.ledger())?;
    let codes = (0..args.count)
        .map(|_| fresh_code())
        .collect::<Result<Vec<_>, _>>()?;
    let digests: Vec<_> = codes.iter().map(PurchaseCode::digest).collect();
    ledger.add_codes(&class, args.vouchers, &digests, now)?;
    if args.json {
        let document = serde_json::json!({
            "schema": "roundcast.codes/1",
            "class": class,
            "vouchers": args.vouchers,
            "codes": codes,
        });
        return say(&document.to_string());
    }
    codes.iter().try_for_each(|code| say(&code.to_string()))
}

fn fresh_code() -> Result<PurchaseCode, Error> {
    let mut bytes = Zeroizing::new([0; 16]);
    getrandom::fill(&mut *bytes).map_err(|_| Error::Randomness)?;
    Ok(PurchaseCode::from_random(*bytes))
}

fn class_for_sale(config: &Config, text: &str, now: UnixMs) -> Result<Class, Error> {
    let class: Class = match text.parse() {
        Ok(class) => class,
        Err(_) => format!("{text}.{}", KeyEpoch::at(now)).parse()?,
    };
    let classes = config.classes(now)?;
    if classes.iter().any(|(sold, _)| *sold == class) {
        Ok(class)
    } else {
        Err(Error::Setting("the class is not for sale; see `classes`"))
    }
}
