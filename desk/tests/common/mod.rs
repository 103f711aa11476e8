//! A desk in this process, a provider that does as it is told, and a client
//! that pins the desk's key.
#![allow(dead_code, unreachable_pub)]

pub mod booting;
pub mod client;
pub mod quic;
pub mod scripted;
pub mod serving;

use desk::clock;
use desk::config::Config;
use desk::data::DataDir;
use desk::event::{Event, Events};
use desk::http::{Desk, Limits, routes, serve};
use desk::identity::Identity;
use desk::ledger::{Ledger, SqliteLedger};
use desk::orders::{Orders, Parts};
use desk::shop::Shop;
use scripted::Scripted;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use voucher::{
    Blinding, Class, DeskUri, IssueRequest, KeySet, Name, Offer, PurchaseCode, PurchaseRecord,
    RedeemRequest, VoucherRecord, generator,
};

/// Events in the order in which they came.
#[derive(Default)]
pub struct Heard(Mutex<Vec<String>>);

impl Events for Heard {
    fn emit(&self, event: Event) {
        let value = serde_json::to_value(&event).unwrap();
        self.note(value["kind"].as_str().unwrap());
    }
    fn forward(&self, line: &str) {
        self.note(line);
    }
}

impl Heard {
    pub fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A desk without a network.
pub struct Home {
    pub folder: TempDir,
    pub data: DataDir,
    pub identity: Identity,
    pub shop: Arc<Shop>,
    pub ledger: Arc<SqliteLedger>,
    pub events: Arc<Heard>,
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

pub fn stable() -> Name {
    "stable".parse().unwrap()
}

impl Home {
    pub fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    pub fn open(folder: TempDir) -> Self {
        let data = DataDir::open(folder.path()).unwrap();
        let identity = Identity::open(&data).unwrap();
        let now = clock::now().unwrap();
        let shop = Shop::open(&Config::default(), &data, &identity, now).unwrap();
        Self {
            ledger: Arc::new(SqliteLedger::open(&data.ledger()).unwrap()),
            shop: Arc::new(shop),
            events: Arc::default(),
            identity,
            data,
            folder,
        }
    }

    /// The same folder after the desk was killed.
    pub fn reopen(self) -> Self {
        let Self { folder, .. } = self;
        Self::open(folder)
    }

    pub fn uri(&self) -> DeskUri {
        self.identity
            .uri("127.0.0.1:7700".parse().unwrap())
            .unwrap()
    }

    pub fn key_set(&self) -> KeySet {
        self.shop.key_set().verify(&self.uri()).unwrap()
    }

    /// The small class.
    pub fn offer(&self) -> Offer {
        let set = self.key_set();
        let small = |offer: &&Offer| offer.class.to_string().starts_with("small");
        set.offers.iter().find(small).unwrap().clone()
    }

    pub fn class(&self) -> Class {
        self.offer().class
    }

    pub fn code(&self, vouchers: u32) -> PurchaseCode {
        let code = PurchaseCode::from_random(random());
        let now = clock::now().unwrap();
        self.ledger
            .add_codes(&self.class(), vouchers, &[code.digest()], now)
            .unwrap();
        code
    }

    pub fn purchase(&self, code: PurchaseCode) -> PurchaseRecord {
        let set = self.key_set();
        let names = (&set.shop, &set.ledger);
        let mut rng = generator(&random());
        PurchaseRecord::begin(&mut rng, &self.uri(), names, &self.offer(), code).unwrap()
    }

    pub fn issue(&self, request: &IssueRequest) -> Result<voucher::IssueResponse, desk::Error> {
        self.shop
            .issue(self.ledger.as_ref(), request, clock::now().unwrap())
    }

    pub fn buy(&self) -> VoucherRecord {
        let purchase = self.purchase(self.code(1));
        purchase
            .finish(&self.issue(&purchase.request()).unwrap())
            .unwrap()
    }

    pub fn redemption(&self, record: &mut VoucherRecord) -> RedeemRequest {
        let key = self.identity.public();
        let now = clock::now().unwrap();
        record
            .begin_redeem(&mut generator(&random()), key, &stable(), now)
            .unwrap()
    }

    /// Another redemption of the same voucher by the same holder: it differs
    /// in its refund message.
    pub fn other_redemption(&self, record: &VoucherRecord) -> RedeemRequest {
        let voucher = record.voucher();
        let refund = Blinding::begin(
            &mut generator(&random()),
            voucher.shop(),
            voucher.ledger(),
            voucher.class(),
            voucher.key(),
        )
        .unwrap();
        RedeemRequest::sign(voucher, &stable(), self.identity.public(), refund.request()).unwrap()
    }

    pub fn orders(&self, provider: Arc<Scripted>) -> Orders {
        Orders::new(Parts {
            check: self.shop.clone(),
            ledger: self.ledger.clone(),
            provider,
            refunder: self.shop.clone(),
            events: self.events.clone(),
            channel: stable(),
        })
    }
}

/// A desk on a port of loopback.
pub struct Served {
    pub home: Home,
    pub uri: DeskUri,
    pub provider: Arc<Scripted>,
    task: JoinHandle<()>,
}

impl Served {
    pub async fn start(limits: Limits) -> Self {
        let home = Home::new();
        let provider = Arc::new(Scripted::good());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = home.identity.uri(listener.local_addr().unwrap()).unwrap();
        let desk = Desk {
            shop: home.shop.clone(),
            ledger: home.ledger.clone(),
            orders: home.orders(provider.clone()),
        };
        let tls = home.identity.tls().unwrap();
        let task = tokio::spawn(async move {
            serve(listener, tls, routes(desk), limits, std::future::pending()).await;
        });
        Self {
            home,
            uri,
            provider,
            task,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}
