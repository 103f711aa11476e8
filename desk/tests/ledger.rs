//! One row per voucher, one step at a time, and answers that can be given
//! again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::scripted::relay;
use common::{Home, random};
use desk::Error;
use desk::clock;
use desk::ledger::{Ledger, Redeemed, SqliteLedger, Transition};
use std::sync::Barrier;
use voucher::{Base64, OrderState, PurchaseCode, RedeemRequest, RedemptionCheck};
use voucher::{TokenResponse, VerifiedRedemption};
use wire::OrderId;

fn verified(home: &Home, request: RedeemRequest) -> VerifiedRedemption {
    home.shop.check(request, clock::now().unwrap()).unwrap()
}

fn redeem(home: &Home, redemption: &VerifiedRedemption) -> Result<Redeemed, Error> {
    home.ledger.redeem(redemption, clock::now().unwrap())
}

#[test]
fn of_two_redemptions_at_once_one_wins_and_is_shown_to_the_other() {
    let home = Home::new();
    for _ in 0..20 {
        let record = home.buy();
        let rivals = [0, 1].map(|_| verified(&home, home.other_redemption(&record)));
        let barrier = Barrier::new(2);
        let results = std::thread::scope(|scope| {
            let run = |rival| {
                let (barrier, home) = (&barrier, &home);
                scope.spawn(move || {
                    barrier.wait();
                    redeem(home, rival)
                })
            };
            let threads = [run(&rivals[0]), run(&rivals[1])];
            threads.map(|thread| thread.join().unwrap())
        });
        let winner = results.iter().position(Result::is_ok).unwrap();
        assert!(matches!(results[winner], Ok(Redeemed::Fresh)));
        let Err(Error::Spent(shown)) = &results[1 - winner] else {
            unreachable!("both were accepted, or one failed otherwise")
        };
        assert_eq!(**shown, *rivals[winner].request());
        shown.check_spent(record.voucher()).unwrap();
    }
}

#[test]
fn the_same_redemption_at_once_is_one_row() {
    let home = Home::new();
    let mut record = home.buy();
    let redemption = verified(&home, home.redemption(&mut record));
    let fresh = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| redeem(&home, &redemption).unwrap()))
            .collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        results.filter(|r| matches!(r, Redeemed::Fresh)).count()
    });
    assert_eq!(fresh, 1);
}

#[test]
fn a_redemption_outlives_the_desk() {
    let home = Home::new();
    let mut record = home.buy();
    let request = home.redemption(&mut record);
    let other = home.other_redemption(&record);
    let first = verified(&home, request.clone());
    redeem(&home, &first).unwrap();
    home.ledger
        .advance(
            &first.order_id(),
            Transition::Started(relay()),
            clock::now().unwrap(),
        )
        .unwrap();
    let home = home.reopen();
    let again = verified(&home, request);
    assert!(matches!(redeem(&home, &again).unwrap(), Redeemed::Replay));
    let stored = home.ledger.order(&again.order_id()).unwrap();
    assert_eq!(stored.state, OrderState::Running { relay: relay() });
    let refused = redeem(&home, &verified(&home, other)).unwrap_err();
    assert_eq!(refused.reason(), "spent");
}

fn steps() -> [Transition; 3] {
    [
        Transition::Started(relay()),
        Transition::Ended("relay_exited".to_owned()),
        Transition::Refunded(Box::new(Base64([1; 256])), "launch_timeout".to_owned()),
    ]
}

#[test]
fn steps_are_taken_in_order_and_once() {
    let home = Home::new();
    // Which of `steps` lead to a state, and which may follow in it.
    let states: [(&[usize], &[usize]); 4] =
        [(&[], &[0, 2]), (&[0], &[1]), (&[0, 1], &[]), (&[2], &[])];
    for (path, allowed) in states {
        for next in 0..3 {
            let mut record = home.buy();
            let redemption = verified(&home, home.redemption(&mut record));
            redeem(&home, &redemption).unwrap();
            let id = redemption.order_id();
            let take = |step: usize| {
                home.ledger
                    .advance(&id, steps()[step].clone(), clock::now().unwrap())
            };
            path.iter().for_each(|step| take(*step).unwrap());
            let before = home.ledger.order(&id).unwrap().state;
            let taken = take(next);
            assert_eq!(taken.is_ok(), allowed.contains(&next), "{path:?} {next}");
            if let Err(error) = taken {
                assert_eq!(error.reason(), "order_state");
                assert_eq!(home.ledger.order(&id).unwrap().state, before);
            }
        }
    }
}

#[test]
fn unfinished_orders_are_those_launching_or_running() {
    let home = Home::new();
    let mut ids = Vec::new();
    for path in [&[][..], &[0], &[0, 1], &[2]] {
        let mut record = home.buy();
        let redemption = verified(&home, home.redemption(&mut record));
        redeem(&home, &redemption).unwrap();
        let id = redemption.order_id();
        for step in path {
            let step = steps()[*step].clone();
            home.ledger
                .advance(&id, step, clock::now().unwrap())
                .unwrap();
        }
        ids.push(id);
    }
    let mut found: Vec<OrderId> = home
        .ledger
        .unfinished()
        .unwrap()
        .iter()
        .map(|o| o.id)
        .collect();
    found.sort();
    let mut expected = ids[..2].to_vec();
    expected.sort();
    assert_eq!(found, expected);
    let unknown = home.ledger.order(&OrderId([0; 32])).unwrap_err();
    assert_eq!(unknown.reason(), "order_unknown");
}

#[test]
fn a_code_buys_its_count_and_every_answer_can_be_had_again() {
    let home = Home::new();
    let code = home.code(2);
    let purchases = [0; 3].map(|_| home.purchase(code.clone()));
    let first = home.issue(&purchases[0].request()).unwrap();
    assert_eq!(home.issue(&purchases[0].request()).unwrap(), first);
    home.issue(&purchases[1].request()).unwrap();
    let refused = home.issue(&purchases[2].request()).unwrap_err();
    assert_eq!(refused.reason(), "code_used_up");
    assert_eq!(home.issue(&purchases[0].request()).unwrap(), first);
}

#[test]
fn requests_at_once_get_no_more_than_the_code_s_count() {
    let home = Home::new();
    let code = home.code(3);
    let purchases: Vec<_> = (0..12).map(|_| home.purchase(code.clone())).collect();
    let sold = std::thread::scope(|scope| {
        let threads: Vec<_> = purchases
            .iter()
            .map(|purchase| scope.spawn(|| home.issue(&purchase.request()).is_ok()))
            .collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        results.filter(|sold| *sold).count()
    });
    assert_eq!(sold, 3);
}

#[test]
fn codes_are_refused_by_name() {
    let home = Home::new();
    let unknown = home.purchase(PurchaseCode::from_random(random()));
    let refused = home.issue(&unknown.request()).unwrap_err();
    assert_eq!(refused.reason(), "code_unknown");
    let mut dearer = home.purchase(home.code(1)).request();
    let set = home.key_set();
    let large = set.offers.iter().find(|o| o.class != home.class()).unwrap();
    dearer.class = large.class.clone();
    assert_eq!(
        home.issue(&dearer).unwrap_err().reason(),
        "code_class_mismatch"
    );
}

#[test]
fn a_request_that_cannot_be_signed_costs_nothing() {
    let home = Home::new();
    let code = home.code(1);
    let good = home.purchase(code.clone());
    let mut bad = good.request();
    bad.token_request.key_id_truncated ^= 1;
    assert_eq!(
        home.issue(&bad).unwrap_err().reason(),
        "token_request_invalid"
    );
    home.issue(&good.request()).unwrap();
}

#[test]
fn the_ledger_holds_no_code_and_its_answer_no_token() {
    let home = Home::new();
    let code = home.code(1);
    let purchase = home.purchase(code.clone());
    let issued = home.issue(&purchase.request()).unwrap();
    let token = *purchase
        .finish(&issued)
        .unwrap()
        .voucher()
        .token()
        .as_bytes();
    let mut stored = Vec::new();
    for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
        stored.extend(std::fs::read(home.folder.path().join(name)).unwrap());
    }
    let holds = |needle: &[u8]| stored.windows(needle.len()).any(|w| w == needle);
    assert!(holds(&code.digest()), "the search finds what is there");
    assert!(!holds(code.to_string().as_bytes()));
    assert!(!holds(&token[2..34]) && !holds(&token[98..]));
}

#[test]
fn a_ledger_of_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert_eq!(
        SqliteLedger::open(&path).unwrap_err().reason(),
        "ledger_invalid"
    );
    std::fs::write(&path, [b'x'; 4096]).unwrap();
    assert_eq!(
        SqliteLedger::open(&path).unwrap_err().reason(),
        "ledger_unavailable"
    );
}

#[test]
fn a_stored_answer_is_the_one_that_was_signed() {
    let home = Home::new();
    let code = home.code(1);
    let request = home.purchase(code.clone()).request();
    let digest = code.digest();
    let issue = |answer: u8| -> TokenResponse {
        home.ledger
            .issue(&digest, &request.class, &request.token_request, &|| {
                Ok(Base64([answer; 256]))
            })
            .unwrap()
    };
    assert_eq!(issue(1), issue(2));
}
