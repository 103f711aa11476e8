//! What `wallet` prints: JSON (`roundcast.wallet/1`) or lines for people.
//! Neither holds anything that could be spent.

use super::money::price_text;
use super::store::Contents;
use crate::{Error, output};
use serde::Serialize;
use voucher::VoucherRecord;

const SCHEMA: &str = "roundcast.wallet/1";
/// Said at every purchase, since it is not promised (see the design).
const LINKABLE: &str = "note: who buys and spends at once, or at a shop and a desk that are one, \
                        can be recognised by the time of it";

#[derive(Serialize)]
struct Bought {
    schema: &'static str,
    bought: Voucher,
}

#[derive(Serialize)]
struct List {
    schema: &'static str,
    vouchers: Vec<Voucher>,
    purchases: Vec<Purchase>,
    damaged: Vec<Damaged>,
}

#[derive(Serialize)]
struct Voucher {
    id: String,
    state: &'static str,
    class: String,
    hours: u16,
    gigabytes: u32,
    price_minor: u64,
    currency: String,
    desk: String,
    redeem_end_ms: u64,
    order: Option<String>,
}

#[derive(Serialize)]
struct Purchase {
    class: String,
    desk: String,
}

#[derive(Serialize)]
struct Damaged {
    path: Option<String>,
    detail: String,
}

impl From<&VoucherRecord> for Voucher {
    fn from(record: &VoucherRecord) -> Self {
        let (class, price) = (record.class(), record.price());
        Self {
            id: record.id().to_hex(),
            state: record.state().name(),
            class: class.to_string(),
            hours: class.hours(),
            gigabytes: class.gigabytes(),
            price_minor: price.amount_minor(),
            currency: price.currency().to_string(),
            desk: record.desk().to_string(),
            redeem_end_ms: class.key_epoch().redeem_end().0,
            order: record.order_id().ok().flatten().map(|id| id.to_hex()),
        }
    }
}

impl From<&Error> for Damaged {
    fn from(error: &Error) -> Self {
        let path = match error {
            Error::WalletDamaged { path, .. } | Error::File { path, .. } => Some(path),
            _ => None,
        };
        Self {
            path: path.map(|path| path.display().to_string()),
            detail: error.to_string(),
        }
    }
}

/// After a purchase.
pub(super) fn print_bought(record: &VoucherRecord, json: bool) {
    let bought = Voucher::from(record);
    if json {
        let schema = SCHEMA;
        print_json(&Bought { schema, bought });
    } else {
        output::line(&format!("bought: {}", line(&bought)));
    }
    output::note(LINKABLE);
}

/// `wallet list`.
pub(super) fn print_list(contents: &Contents, json: bool) {
    let damaged = contents
        .vouchers_damaged
        .iter()
        .chain(&contents.purchases_damaged);
    let list = List {
        schema: SCHEMA,
        vouchers: contents.vouchers.iter().map(Voucher::from).collect(),
        purchases: contents
            .purchases
            .iter()
            .map(|purchase| Purchase {
                class: purchase.request().class.to_string(),
                desk: purchase.desk().to_string(),
            })
            .collect(),
        damaged: damaged.map(Damaged::from).collect(),
    };
    if json {
        print_json(&list);
        return;
    }
    if list.vouchers.is_empty() && list.purchases.is_empty() {
        output::line("no vouchers; buy one with `roundcast wallet buy`");
    }
    for voucher in &list.vouchers {
        output::line(&line(voucher));
    }
    for Purchase { class, desk } in &list.purchases {
        output::line(&format!(
            "interrupted purchase of {class} at {desk}: buy again with the same code"
        ));
    }
    for damaged in &list.damaged {
        output::line(&damaged.detail);
    }
}

fn line(voucher: &Voucher) -> String {
    let id: String = voucher.id.chars().take(8).collect();
    format!(
        "{id}  {:9}  {}: {} h or {} GB, {}",
        voucher.state,
        voucher.class,
        voucher.hours,
        voucher.gigabytes,
        price_text(voucher.price_minor, &voucher.currency)
    )
}

fn print_json(value: &impl Serialize) {
    // Strings and numbers alone: it cannot fail.
    if let Ok(text) = serde_json::to_string(value) {
        output::line(&text);
    }
}
