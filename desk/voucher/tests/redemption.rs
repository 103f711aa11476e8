//! What a desk refuses before it looks into its ledger, each for its reason.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use blind_rsa_signatures::{Deterministic, PSS, PublicKey as RsaPublicKey, Sha384, Signature};
use common::*;
use voucher::{
    Acceptance, Base64, Error, RedeemRequest, RedemptionCheck, Token, TokenRequest, Voucher,
};
use wire::{PublicKey, UnixMs};

fn request(voucher: &Voucher) -> RedeemRequest {
    RedeemRequest::sign(voucher, &name("stable"), desk_key(), begin(90).request()).unwrap()
}

fn reason(request: RedeemRequest) -> &'static str {
    acceptance().check(request, NOW).unwrap_err().reason()
}

#[test]
fn accepts_a_good_voucher_and_places_its_order() {
    let voucher = buy(1);
    let verified = acceptance().check(request(&voucher), NOW).unwrap();
    let order = verified.order();
    assert_eq!(order.holder_key, voucher.holder_key());
    assert_eq!(order.voucher_nonce.0, voucher.token().nonce());
    assert_eq!(order.class.as_str(), SMALL);
    assert_eq!(order.desk_key, desk_key());
    assert_eq!(
        (order.lease_ms, order.byte_cap),
        (3_600_000, 45_000_000_000)
    );
    assert_eq!(verified.nonce(), voucher.token().nonce());
}

#[test]
fn refuses_every_single_byte_change_of_a_token() {
    let voucher = buy(2);
    let good = *voucher.token().as_bytes();
    for at in 0..good.len() {
        let mut bytes = good;
        bytes[at] ^= 1;
        let Ok(token) = Token::from_bytes(&bytes) else {
            assert!(at < 2, "only another type does not decode");
            continue;
        };
        let mut altered = request(&voucher);
        altered.token = token;
        let found = reason(altered);
        let key_id = (66..98).contains(&at);
        let expected = if key_id {
            "voucher_class_mismatch"
        } else {
            "voucher_forged"
        };
        assert_eq!(found, expected, "byte {at}");
    }
}

#[test]
fn refuses_a_stolen_voucher_under_the_thief_s_key() {
    let victim = buy(3);
    let thief = buy(4);
    let mut stolen = request(&thief);
    stolen.token = *victim.token();
    assert_eq!(reason(stolen.clone()), "holder_proof_invalid");
    // Nor does it help to name the victim's key beside the thief's signature.
    stolen.holder_key = victim.holder_key();
    assert_eq!(reason(stolen), "holder_proof_invalid");
}

#[test]
fn refuses_a_request_whose_signed_fields_were_changed() {
    let voucher = buy(5);
    let good = request(&voucher);
    let mut channel = good.clone();
    channel.channel = name("testing");
    let mut desk = good.clone();
    desk.desk_key = PublicKey([8; 32]);
    let mut refund = good.clone();
    refund.refund_request.blinded[255] ^= 1;
    let mut proof = good;
    proof.proof.0[0] ^= 1;
    for changed in [channel, desk, refund, proof] {
        assert_eq!(reason(changed), "holder_proof_invalid");
    }
}

#[test]
fn refuses_a_request_signed_for_another_desk() {
    let voucher = buy(5);
    let other = PublicKey([8; 32]);
    let signed =
        RedeemRequest::sign(&voucher, &name("stable"), other, begin(91).request()).unwrap();
    assert_eq!(reason(signed), "holder_proof_invalid");
}

#[test]
fn refuses_other_classes_by_name() {
    let voucher = buy(6);
    let mut dearer = request(&voucher);
    dearer.class = class(LARGE);
    assert_eq!(reason(dearer), "voucher_class_mismatch");
    let mut unknown = request(&voucher);
    unknown.class = class("small.local.2h.45gb.2026q4");
    assert_eq!(reason(unknown), "voucher_class_unknown");
}

#[test]
fn refuses_an_expired_voucher() {
    let later = UnixMs(NOW.0 + 200 * 24 * 3_600_000);
    let refused = acceptance().check(request(&buy(7)), later).unwrap_err();
    assert_eq!(refused.reason(), "voucher_expired");
}

#[test]
fn refuses_a_voucher_of_another_ledger() {
    let elsewhere = Acceptance::new(
        name("shop.example"),
        name("other.example"),
        desk_key(),
        class_keys(),
    );
    let refused = elsewhere.check(request(&buy(8)), NOW).unwrap_err();
    assert_eq!(refused.reason(), "holder_proof_invalid");
}

#[test]
fn refuses_a_refund_for_another_class() {
    let voucher = buy(9);
    let mut refund = begin(92).request();
    refund.key_id_truncated = keys()[1].public().id_truncated();
    let signed = RedeemRequest::sign(&voucher, &name("stable"), desk_key(), refund).unwrap();
    assert_eq!(reason(signed), "token_request_invalid");
}

#[test]
fn ring_agrees_with_the_reference_on_good_and_bad_signatures() {
    let token = *buy(10).token();
    let key = small_key().public();
    let reference = RsaPublicKey::<Sha384, PSS, Deterministic>::from_spki(key.spki()).unwrap();
    for at in [None, Some(98), Some(200), Some(353), Some(10), Some(40)] {
        let mut bytes = *token.as_bytes();
        if let Some(at) = at {
            bytes[at] ^= 0x40;
        }
        let token = Token::from_bytes(&bytes).unwrap();
        let signature = Signature(token.authenticator().to_vec());
        let theirs = reference.verify(&signature, None, token.input()).is_ok();
        assert_eq!(key.verify(&token).is_ok(), theirs, "{at:?}");
        assert_eq!(theirs, at.is_none());
    }
}

#[test]
fn the_issuer_signs_for_its_own_key_and_below_the_modulus_only() {
    let mut rng = voucher::generator(&[3; 32]);
    let mut foreign = begin(11).request();
    foreign.key_id_truncated ^= 1;
    let above = TokenRequest {
        key_id_truncated: small_key().public().id_truncated(),
        blinded: [0xff; 256],
    };
    for request in [foreign, above] {
        let refused = small_key().sign(&mut rng, &request).unwrap_err();
        assert_eq!(refused.reason(), "token_request_invalid");
    }
}

#[test]
fn a_request_s_json_is_strict() {
    let good = serde_json::to_value(request(&buy(12))).unwrap();
    serde_json::from_value::<RedeemRequest>(good.clone()).unwrap();
    let mut unknown = good.clone();
    unknown["amount"] = 5.into();
    let mut padded = good.clone();
    padded["proof"] = format!("{}=", good["proof"].as_str().unwrap()).into();
    let mut long = good.clone();
    long["token"] = "A".repeat(10_000).into();
    let mut upper = good.clone();
    upper["holder_key"] = good["holder_key"].as_str().unwrap().to_uppercase().into();
    for bad in [unknown, padded, long, upper] {
        assert!(serde_json::from_value::<RedeemRequest>(bad).is_err());
    }
}

#[test]
fn secrets_are_not_shown() {
    let voucher = buy(13);
    let seed = Base64(*voucher.holder().key().seed()).to_string();
    let token = Base64(*voucher.token().as_bytes()).to_string();
    let shown = format!(
        "{voucher:?} {:?} {:?} {:?}",
        begin(13),
        record(13),
        request(&voucher)
    );
    assert!(shown.contains("[redacted]"));
    assert!(!shown.contains(&seed[..16]) && !shown.contains(&token[..16]));
}

#[test]
fn a_key_of_another_form_is_refused() {
    let good = small_key().public().spki();
    let mut salt = good.to_vec();
    salt[66] = 32;
    for bad in [&good[..good.len() - 1], &salt, &[0x30; 500], &[]] {
        let refused = voucher::ClassKey::from_spki(bad).unwrap_err();
        assert!(matches!(refused, Error::ClassKey(_)));
    }
}
