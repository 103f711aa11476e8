//! A voucher's owner always knows its state, whatever the desk answers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use certs::order;
use common::*;
use voucher::desk_uri::desk_key_hash;
use voucher::{
    Base64, DeskUri, IssueResponse, KeySet, Offer, OrderState, OrderStatus, PurchaseRecord,
    RedeemRequest, Refusal, RegionProbe, RelayAddress, SignedKeySet, State, VoucherRecord,
    generator,
};
use wire::{OrderId, PublicKey, SpkiHash, UnixMs};

fn sent(record: &mut VoucherRecord) -> RedeemRequest {
    record
        .begin_redeem(&mut generator(&[77; 32]), desk_key(), &name("stable"), NOW)
        .unwrap()
}

fn answer(request: &RedeemRequest, state: OrderState) -> OrderStatus {
    OrderStatus {
        order: order::id(&request.order().unwrap()),
        state,
    }
}

fn running() -> OrderState {
    OrderState::Running {
        relay: RelayAddress {
            address: "127.0.0.5:4433".parse().unwrap(),
            spki: SpkiHash([1; 32]),
            lease_end_ms: UnixMs(NOW.0 + 3_600_000),
        },
    }
}

fn reread(record: &VoucherRecord) -> VoucherRecord {
    serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap()
}

#[test]
fn a_purchase_survives_a_restart_before_its_answer() {
    let begun = purchase(20);
    let saved = serde_json::to_string(&begun).unwrap();
    let request = begun.request();
    drop(begun);
    let response = small_key()
        .sign(&mut generator(&[1; 32]), &request.token_request)
        .unwrap();
    let again: PurchaseRecord = serde_json::from_str(&saved).unwrap();
    assert_eq!(again.request().token_request, request.token_request);
    let record = again
        .finish(&IssueResponse {
            token_response: response,
        })
        .unwrap();
    assert_eq!(record.state(), State::Unspent);
    small_key()
        .public()
        .verify(record.voucher().token())
        .unwrap();
}

#[test]
fn a_bad_blind_signature_is_refused_and_the_purchase_kept() {
    let begun = purchase(21);
    let bad = IssueResponse {
        token_response: Base64([9; 256]),
    };
    assert_eq!(
        begun.finish(&bad).unwrap_err().reason(),
        "token_response_invalid"
    );
    let good = small_key()
        .sign(&mut generator(&[1; 32]), &begun.request().token_request)
        .unwrap();
    begun
        .finish(&IssueResponse {
            token_response: good,
        })
        .unwrap();
}

#[test]
fn a_redemption_is_the_same_after_a_restart_and_after_a_refusal() {
    let mut record = record(22);
    let first = sent(&mut record);
    assert_eq!(record.state(), State::InFlight);
    let mut record = reread(&record);
    assert_eq!(sent(&mut record), first);
    record
        .refuse(&Refusal::new("rate_limited", String::new()), NOW)
        .unwrap();
    assert_eq!(record.state(), State::Unspent);
    assert_eq!(sent(&mut record), first);
}

#[test]
fn a_running_relay_spends_the_voucher() {
    let mut record = record(23);
    let request = sent(&mut record);
    record
        .settle(&answer(&request, OrderState::Launching {}))
        .unwrap();
    assert_eq!(record.state(), State::InFlight);
    record.settle(&answer(&request, running())).unwrap();
    assert_eq!(record.state(), State::Spent);
    let again = record.begin_redeem(&mut generator(&[1; 32]), desk_key(), &name("stable"), NOW);
    assert_eq!(again.unwrap_err().reason(), "voucher_state");
}

#[test]
fn a_refund_gives_a_fresh_voucher_that_the_desk_accepts() {
    use voucher::RedemptionCheck;
    let mut record = record(24);
    let request = sent(&mut record);
    let token_response = small_key()
        .sign(&mut generator(&[2; 32]), &request.refund_request)
        .unwrap();
    let refunded = OrderState::Refunded {
        token_response: Box::new(token_response),
        reason: "launch_failed".to_owned(),
    };
    let mut record = reread(&record);
    let mut fresh = record.settle(&answer(&request, refunded)).unwrap().unwrap();
    assert_eq!(record.state(), State::Refunded);
    assert_ne!(fresh.id(), record.id());
    let request = sent(&mut fresh);
    acceptance().check(request, NOW).unwrap();
}

#[test]
fn another_order_s_answer_changes_nothing() {
    let mut record = record(25);
    sent(&mut record);
    let foreign = OrderStatus {
        order: OrderId([1; 32]),
        state: running(),
    };
    assert_eq!(
        record.settle(&foreign).unwrap_err().reason(),
        "order_mismatch"
    );
    assert_eq!(record.state(), State::InFlight);
}

#[test]
fn spent_is_believed_with_its_proof_only() {
    let mut record = record(26);
    let mine = sent(&mut record);
    let mut refusal = Refusal::new("spent", "it was spent before".to_owned());
    let lies = [
        None,
        Some({
            let mut other = self::record(27);
            sent(&mut other)
        }),
        Some({
            let mut unsigned = mine.clone();
            unsigned.channel = name("testing");
            unsigned
        }),
    ];
    for lie in lies {
        refusal.spent_by = lie.map(Box::new);
        let refused = record.refuse(&refusal, NOW).unwrap_err();
        assert_eq!(refused.reason(), "spent_proof_invalid");
        assert_eq!(record.state(), State::InFlight);
    }
    refusal.spent_by = Some(Box::new(mine));
    record.refuse(&refusal, NOW).unwrap();
    assert_eq!(record.state(), State::Spent);
}

#[test]
fn expiry_is_the_calendar_s_and_not_the_desk_s() {
    let mut record = record(28);
    sent(&mut record);
    let refusal = Refusal::new("voucher_expired", String::new());
    record.refuse(&refusal, NOW).unwrap();
    assert_eq!(record.state(), State::Unspent);
    record.expire(UnixMs(NOW.0 + 200 * 24 * 3_600_000));
    assert_eq!(record.state(), State::Expired);
}

#[test]
fn a_record_of_another_version_is_refused_by_name() {
    let mut value = serde_json::to_value(record(29)).unwrap();
    value["version"] = 2.into();
    let error = serde_json::from_value::<VoucherRecord>(value).unwrap_err();
    assert!(error.to_string().contains("version is not known"));
}

fn key_set() -> (KeySet, SignedKeySet) {
    let offer = |text: &str, key: usize| Offer {
        class: class(text),
        price: price(),
        key: keys()[key].public().clone(),
    };
    let set = KeySet::new(
        name("shop.example"),
        name("ledger.example"),
        desk_key(),
        vec![offer(SMALL, 0), offer(LARGE, 1)],
    )
    .unwrap();
    let secret = desk_secret();
    let signed = set.sign(secret.key()).unwrap();
    (set, signed)
}

#[test]
fn a_key_set_is_believed_under_the_pinned_key_only() {
    let (set, signed) = key_set();
    assert_eq!(signed.verify(&desk_uri()).unwrap(), set);
    let other = DeskUri::new("127.0.0.9", 7700, desk_key_hash(&PublicKey([4; 32]))).unwrap();
    assert_eq!(
        signed.verify(&other).unwrap_err().reason(),
        "key_set_invalid"
    );
}

#[test]
fn an_altered_key_set_is_refused() {
    let (_, signed) = key_set();
    let mut value = serde_json::to_value(&signed).unwrap();
    let body = value["body"].as_str().unwrap();
    let mut document = data_encoding::BASE64URL_NOPAD
        .decode(body.as_bytes())
        .unwrap();
    let at = document.windows(3).position(|w| w == b"410").unwrap();
    document[at] = b'1';
    value["body"] = data_encoding::BASE64URL_NOPAD.encode(&document).into();
    let altered: SignedKeySet = serde_json::from_value(value).unwrap();
    assert_eq!(
        altered.verify(&desk_uri()).unwrap_err().reason(),
        "key_set_invalid"
    );
    assert_ne!(altered.digest().unwrap(), signed.digest().unwrap());
}

#[test]
fn a_key_set_names_no_key_twice() {
    let (set, _) = key_set();
    let mut offers = set.offers.clone();
    offers[1].key = offers[0].key.clone();
    let refused = KeySet::new(set.shop, set.ledger, set.desk_key, offers).unwrap_err();
    assert_eq!(refused.reason(), "key_set_invalid");
}

#[test]
fn a_key_set_may_say_where_regions_are_measured_and_nothing_else_there() {
    let (set, _) = key_set();
    let probe = |region: &str, address: &str| RegionProbe {
        region: region.parse().unwrap(),
        address: address.to_owned(),
    };
    let good = vec![probe("eu", "eu.example:443"), probe("us", "192.0.2.7:443")];
    let named = set.clone().with_probes(good).unwrap();
    let signed = named.sign(desk_secret().key()).unwrap();
    assert_eq!(signed.verify(&desk_uri()).unwrap(), named);
    for bad in [
        vec![probe("eu", "eu.example")],
        vec![probe("eu", "eu.example:0")],
        vec![probe("eu", ":443")],
        vec![probe("eu", "two words:443")],
        vec![probe("eu", &format!("{}:1", "a".repeat(300)))],
        vec![probe("eu", "a:1"), probe("eu", "b:1")],
        (0..17).map(|n| probe(&format!("r{n}"), "a:1")).collect(),
    ] {
        let refused = set.clone().with_probes(bad).unwrap_err();
        assert_eq!(refused.reason(), "key_set_invalid");
    }
}
