#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::quote::{chosen, quote};
use super::super::region::Rtts;
use super::{redeem, resume_in_flight};
use crate::desk_client::test_desk::{Plan, TestDesk, desk_key, relay};
use crate::wallet::tests::{add_one, wallet_with_one};
use crate::wallet::{Contents, Wallet};
use std::path::Path;
use tempfile::tempdir;
use voucher::{RedeemRequest, State};

fn states(data: &Path) -> Vec<State> {
    let vouchers = Contents::read(data).unwrap().vouchers;
    let mut states: Vec<_> = vouchers.iter().map(|record| record.state()).collect();
    states.sort_by_key(|state| state.name());
    states
}

#[tokio::test]
async fn a_voucher_buys_the_relay_that_was_ordered() {
    let desk = TestDesk::start().await;
    let (data, record) = wallet_with_one(&desk, 1).await;
    let ordered = redeem(&desk.uri, data.path(), &Rtts::new()).await.unwrap();
    assert_eq!(ordered.holder.public(), record.id());
    assert_eq!(ordered.order.holder_key, record.id());
    assert_eq!(ordered.order.desk_key, desk_key().public());
    assert_eq!(ordered.order_id, certs::order::id(&ordered.order));
    assert_eq!(
        (ordered.address, ordered.relay),
        (relay().address, relay().spki)
    );
    assert_eq!(states(data.path()), [State::Spent]);
    let none = redeem(&desk.uri, data.path(), &Rtts::new())
        .await
        .unwrap_err();
    assert_eq!(none.reason(), "no_voucher");
}

#[tokio::test]
async fn a_launch_is_asked_about_until_the_relay_runs() {
    let desk = TestDesk::start().await;
    let (data, _) = wallet_with_one(&desk, 2).await;
    desk.set(|script| script.plan = Plan::Launch(3));
    let ordered = redeem(&desk.uri, data.path(), &Rtts::new()).await.unwrap();
    let asked = desk.sent(&format!("/v1/order/{}", ordered.order_id));
    assert_eq!((asked.len(), desk.sent("/v1/redeem").len()), (3, 1));
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_with_the_same_request() {
    let desk = TestDesk::start().await;
    let (data, _) = wallet_with_one(&desk, 3).await;
    desk.set(|script| script.lost_replies = 2);
    redeem(&desk.uri, data.path(), &Rtts::new()).await.unwrap();
    let sent = desk.sent("/v1/redeem");
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|body| Some(body) == sent.first()));
}

#[tokio::test]
async fn a_voucher_in_flight_is_resumed_and_no_other_is_spent() {
    let desk = TestDesk::start().await;
    let (data, _) = wallet_with_one(&desk, 4).await;
    add_one(data.path(), &desk, 5).await;
    desk.set(|script| script.lost_replies = 4);
    let broken = redeem(&desk.uri, data.path(), &Rtts::new())
        .await
        .unwrap_err();
    assert_eq!(broken.reason(), "desk_away");
    assert_eq!(states(data.path()), [State::InFlight, State::Unspent]);

    let resumed = resume_in_flight(&desk.uri, data.path()).await.unwrap();
    assert_eq!(resumed.len(), 1);
    assert_eq!(states(data.path()), [State::Spent, State::Unspent]);
    assert_eq!(desk.set(|script| script.spent.len()), 1);
    let again = resume_in_flight(&desk.uri, data.path()).await.unwrap();
    assert!(again.is_empty());
}

#[tokio::test]
async fn the_next_redemption_takes_up_the_one_in_flight() {
    let desk = TestDesk::start().await;
    let (data, _) = wallet_with_one(&desk, 6).await;
    add_one(data.path(), &desk, 7).await;
    desk.set(|script| script.lost_replies = 4);
    redeem(&desk.uri, data.path(), &Rtts::new())
        .await
        .unwrap_err();
    redeem(&desk.uri, data.path(), &Rtts::new()).await.unwrap();
    assert_eq!(states(data.path()), [State::Spent, State::Unspent]);
}

#[tokio::test]
async fn the_request_is_on_the_disk_before_it_is_sent() {
    let desk = TestDesk::start().await;
    let (data, _) = wallet_with_one(&desk, 8).await;
    desk.set(|script| script.plan = Plan::Trouble);
    redeem(&desk.uri, data.path(), &Rtts::new())
        .await
        .unwrap_err();
    let mut record = Contents::read(data.path()).unwrap().vouchers.pop().unwrap();
    let channel = "stable".parse().unwrap();
    let rng = &mut voucher::generator(&[1; 32]);
    let saved = record
        .begin_redeem(rng, desk_key().public(), &channel, crate::wallet::now())
        .unwrap();
    for body in desk.sent("/v1/redeem") {
        let sent: RedeemRequest = serde_json::from_slice(&body).unwrap();
        assert_eq!(sent, saved);
    }
}

#[tokio::test]
async fn a_refused_voucher_is_not_lost() {
    let desk = TestDesk::start().await;
    let (data, _) = wallet_with_one(&desk, 9).await;
    desk.set(|script| script.plan = Plan::Refuse("channel_unknown"));
    let refused = redeem(&desk.uri, data.path(), &Rtts::new())
        .await
        .unwrap_err();
    assert_eq!(refused.reason(), "channel_unknown");
    assert_eq!(refused.exit_code(), 5);
    assert_eq!(states(data.path()), [State::Unspent]);
    desk.set(|script| script.plan = Plan::Run);
    redeem(&desk.uri, data.path(), &Rtts::new()).await.unwrap();
}

#[tokio::test]
async fn a_refund_is_a_fresh_voucher() {
    let desk = TestDesk::start().await;
    let (data, first) = wallet_with_one(&desk, 10).await;
    desk.set(|script| script.plan = Plan::Refund);
    let refunded = redeem(&desk.uri, data.path(), &Rtts::new())
        .await
        .unwrap_err();
    assert_eq!(refunded.reason(), "launch_spawn_failed");
    assert_eq!(states(data.path()), [State::Refunded, State::Unspent]);
    desk.set(|script| script.plan = Plan::Run);
    let ordered = redeem(&desk.uri, data.path(), &Rtts::new()).await.unwrap();
    assert_ne!(ordered.holder.public(), first.id());
    assert_eq!(states(data.path()), [State::Refunded, State::Spent]);
}

#[tokio::test]
async fn a_relay_that_ended_at_once_takes_no_second_voucher() {
    let desk = TestDesk::start().await;
    let (data, _) = wallet_with_one(&desk, 11).await;
    add_one(data.path(), &desk, 12).await;
    desk.set(|script| script.plan = Plan::End);
    let ended = redeem(&desk.uri, data.path(), &Rtts::new())
        .await
        .unwrap_err();
    assert_eq!(ended.reason(), "relay_lost");
    assert_eq!(states(data.path()), [State::Spent, State::Unspent]);
}

#[tokio::test]
async fn spent_is_believed_with_its_proof_and_another_voucher_taken() {
    let desk = TestDesk::start().await;
    let (data, _) = wallet_with_one(&desk, 13).await;
    let backup = tempdir().unwrap();
    let copied = Contents::read(data.path()).unwrap().vouchers.pop().unwrap();
    let wallet = Wallet::open(backup.path()).unwrap();
    wallet.save(&copied).await.unwrap();
    drop(wallet);
    redeem(&desk.uri, data.path(), &Rtts::new()).await.unwrap();

    let refused = redeem(&desk.uri, backup.path(), &Rtts::new())
        .await
        .unwrap_err();
    assert_eq!(refused.reason(), "spent");
    assert_eq!(states(backup.path()), [State::Spent]);

    wallet_again(backup.path(), &desk).await;
}

async fn wallet_again(data: &Path, desk: &TestDesk) {
    add_one(data, desk, 14).await;
    redeem(&desk.uri, data, &Rtts::new()).await.unwrap();
    assert_eq!(states(data), [State::Spent, State::Spent]);
}

#[tokio::test]
async fn spent_without_its_proof_is_named_a_lie() {
    let desk = TestDesk::start().await;
    let (data, _) = wallet_with_one(&desk, 15).await;
    desk.set(|script| script.plan = Plan::Refuse("spent"));
    let lie = redeem(&desk.uri, data.path(), &Rtts::new())
        .await
        .unwrap_err();
    assert_eq!(lie.reason(), "spent_proof_invalid");
    assert_eq!(states(data.path()), [State::InFlight]);
}

#[tokio::test]
async fn a_voucher_of_another_desk_is_not_offered_to_this_one() {
    let desk = TestDesk::start().await;
    let (data, _) = wallet_with_one(&desk, 16).await;
    let key = wire::SpkiHash([9; 32]);
    let other = voucher::DeskUri::new("127.0.0.1", desk.uri.port(), key).unwrap();
    let contents = Contents::read(data.path()).unwrap();
    assert!(contents.next(&other, crate::wallet::now()).is_none());
}

#[tokio::test]
async fn a_price_is_quoted_with_and_without_a_voucher() {
    let desk = TestDesk::start().await;
    let empty = tempdir().unwrap();
    let cheapest = quote(&desk.uri, empty.path(), Rtts::new()).await.unwrap();
    assert!(!cheapest.voucher);
    assert_eq!(cheapest.price_text(), "4.05 USD");
    let (data, record) = wallet_with_one(&desk, 17).await;
    let waiting = Rtts::from([("local".parse().unwrap(), 31)]);
    let held = quote(&desk.uri, data.path(), waiting.clone())
        .await
        .unwrap();
    assert!(held.voucher);
    assert_eq!(held.counts(), &waiting, "those who wait have told");
    assert_eq!(held.waiting_rtt_ms(), Some(31));
    assert_eq!(held.class, *record.class());
    assert_eq!((held.hours, held.gigabytes), (1, 45));
}

#[tokio::test]
async fn a_round_is_offered_where_it_is_near_and_without_measuring_where_it_is_cheap() {
    let desk = TestDesk::start().await;
    let client = crate::desk_client::DeskClient::new(&desk.uri).unwrap();
    let (mut keys, now) = (client.keys().await.unwrap(), crate::wallet::now());
    let cheap = keys
        .offers
        .iter_mut()
        .min_by_key(|o| o.price.amount_minor());
    let cheap = cheap.unwrap();
    cheap.class = cheap
        .class
        .to_string()
        .replace(".local.", ".far.")
        .parse()
        .unwrap();
    let region = |rtts: &Rtts| chosen(&keys, now, rtts).unwrap().class.region().to_string();
    assert_eq!(region(&Rtts::new()), "far");
    let rtts = Rtts::from([("local".parse().unwrap(), 9), ("far".parse().unwrap(), 140)]);
    assert_eq!(region(&rtts), "local");
    let rtts = Rtts::from([("far".parse().unwrap(), 140)]);
    assert_eq!(region(&rtts), "far", "the other one does not answer");
}
