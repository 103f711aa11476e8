//! A shop's keys and a buyer, for the tests of this package.
#![allow(dead_code, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use voucher::desk_uri::desk_key_hash;
use voucher::{
    Acceptance, Blinding, Class, ClassKey, DeskUri, HolderSecret, IssuerKey, Name, Offer, Price,
    PurchaseCode, PurchaseRecord, Voucher, VoucherRecord, generator,
};
use wire::{PublicKey, UnixMs};

/// 2026-11-15T00:00:00Z.
pub const NOW: UnixMs = UnixMs(1_794_700_800_000);
pub const SMALL: &str = "small.local.1h.45gb.2026q4";
pub const LARGE: &str = "large.local.1h.180gb.2026q4";

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn class(text: &str) -> Class {
    text.parse().unwrap()
}

/// Two keys; made once, since making them takes a second each.
pub fn keys() -> &'static [IssuerKey; 2] {
    static KEYS: OnceLock<[IssuerKey; 2]> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut rng = generator(&[1; 32]);
        let small = IssuerKey::generate(&mut rng, &BTreeSet::new()).unwrap();
        let taken = BTreeSet::from([small.public().id_truncated()]);
        let large = IssuerKey::generate(&mut rng, &taken).unwrap();
        assert_ne!(small.public().id_truncated(), large.public().id_truncated());
        [small, large]
    })
}

pub fn small_key() -> &'static IssuerKey {
    &keys()[0]
}

pub fn desk_secret() -> HolderSecret {
    HolderSecret::from_random([0xd5; 32])
}

pub fn desk_key() -> PublicKey {
    desk_secret().public()
}

pub fn desk_uri() -> DeskUri {
    DeskUri::new("127.0.0.9", 7700, desk_key_hash(&desk_key())).unwrap()
}

pub fn class_keys() -> BTreeMap<Class, ClassKey> {
    let [small, large] = keys();
    BTreeMap::from([
        (class(SMALL), small.public().clone()),
        (class(LARGE), large.public().clone()),
    ])
}

pub fn acceptance() -> Acceptance {
    Acceptance::new(
        name("shop.example"),
        name("ledger.example"),
        desk_key(),
        class_keys(),
    )
}

pub fn begin(seed: u8) -> Blinding {
    Blinding::begin(
        &mut generator(&[seed; 32]),
        &name("shop.example"),
        &name("ledger.example"),
        &class(SMALL),
        small_key().public(),
    )
    .unwrap()
}

pub fn buy(seed: u8) -> Voucher {
    let blinding = begin(seed);
    let response = small_key()
        .sign(&mut generator(&[0x51; 32]), &blinding.request())
        .unwrap();
    blinding.finish(&response).unwrap()
}

pub fn price() -> Price {
    Price::new(410, "EUR".parse().unwrap()).unwrap()
}

pub fn record(seed: u8) -> VoucherRecord {
    VoucherRecord::new(desk_uri(), price(), buy(seed))
}

pub fn purchase(seed: u8) -> PurchaseRecord {
    let offer = Offer {
        class: class(SMALL),
        price: price(),
        key: small_key().public().clone(),
    };
    PurchaseRecord::begin(
        &mut generator(&[seed; 32]),
        &desk_uri(),
        (&name("shop.example"), &name("ledger.example")),
        &offer,
        PurchaseCode::from_random([seed; 16]),
    )
    .unwrap()
}
