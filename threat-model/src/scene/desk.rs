//! A desk that serves on this machine: its own shop, ledger and HTTPS, with a
//! provider that counts what it is told to start.

use super::shop::{Machines, Silence};
use super::{loopback, random};
use crate::Failure;
use desk::clock;
use desk::config::{ClassSetting, Config, SizeSetting};
use desk::data::DataDir;
use desk::http::{Desk, Limits, routes, serve};
use desk::identity::Identity;
use desk::ledger::{Ledger, SqliteLedger};
use desk::orders::{Orders, Parts};
use desk::shop::Shop;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use voucher::{DeskUri, Price, PurchaseCode};

/// A desk on a port of loopback.
#[derive(Debug)]
pub struct Serving {
    /// What its customers are told.
    pub uri: DeskUri,
    /// A code for one voucher.
    pub code: String,
    /// What it starts.
    pub machines: Arc<Machines>,
}

/// Opens a desk in this folder that sells an hour for `price_minor` cents.
///
/// # Errors
/// The step that failed.
pub async fn open(folder: &Path, price_minor: u64) -> Result<Serving, Failure> {
    let data = DataDir::open(folder)?;
    let identity = Identity::open(&data)?;
    let config = Config {
        class: vec![ClassSetting {
            size: SizeSetting::Small,
            region: "local".to_owned(),
            hours: 1,
            gigabytes: 45,
            price: Price::new(price_minor, "USD".parse()?)?,
        }],
        ..Config::default()
    };
    let shop = Arc::new(Shop::open(&config, &data, &identity, clock::now()?)?);
    let ledger: Arc<SqliteLedger> = Arc::new(SqliteLedger::open(&data.ledger())?);
    let listener = TcpListener::bind(loopback()).await?;
    let uri = identity.uri(listener.local_addr()?)?;
    let code = PurchaseCode::from_random(random()?);
    let offers = shop.key_set().verify(&uri)?.offers;
    let offer = offers
        .first()
        .ok_or(Failure::Stage("the desk sells nothing"))?;
    ledger.add_codes(&offer.class, 1, &[code.digest()], clock::now()?)?;
    let machines = Arc::new(Machines::default());
    let orders = Orders::new(Parts {
        check: shop.clone(),
        ledger: ledger.clone(),
        provider: machines.clone(),
        refunder: shop.clone(),
        events: Arc::new(Silence),
        channel: config.channel,
    });
    let desk = Desk {
        shop,
        ledger,
        orders,
    };
    let tls = identity.tls()?;
    tokio::spawn(async move {
        let end = std::future::pending();
        serve(listener, tls, routes(desk), Limits::default(), end).await;
    });
    let code = code.to_string();
    Ok(Serving {
        uri,
        code,
        machines,
    })
}
