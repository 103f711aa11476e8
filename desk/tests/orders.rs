//! From a redemption to exactly one relay or one refund, whenever the desk is
//! killed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::scripted::{Script, Scripted, relay};
use common::{Home, stable};
use desk::clock;
use desk::ledger::{Ledger, Transition};
use std::sync::Arc;
use std::time::Duration;
use voucher::{OrderState, RedemptionCheck, State};
use wire::OrderId;

async fn until(condition: impl AsyncFn() -> bool) {
    for _ in 0..200 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(condition().await, "it did not happen within 2 s");
}

#[tokio::test]
async fn a_voucher_buys_one_relay() {
    let home = Home::new();
    let provider = Arc::new(Scripted::good());
    let orders = home.orders(provider.clone());
    let mut record = home.buy();
    let status = orders.redeem(home.redemption(&mut record)).await.unwrap();
    assert_eq!(status.state, OrderState::Running { relay: relay() });
    record.settle(&status).unwrap();
    assert_eq!(record.state(), State::Spent);
    provider.end(&status.order, "relay_exited");
    let done = OrderState::Done {
        reason: "relay_exited".to_owned(),
    };
    until(async || orders.status(status.order).await.unwrap().state == done).await;
    until(async || home.events.all().len() == 3).await;
    assert_eq!(
        home.events.all(),
        ["voucher_redeemed", "relay_started", "relay_ended"]
    );
}

#[tokio::test]
async fn the_same_redemption_gets_the_same_answer_and_starts_once() {
    let home = Home::new();
    let provider = Arc::new(Scripted::good());
    let orders = home.orders(provider.clone());
    let mut record = home.buy();
    let request = home.redemption(&mut record);
    let asked: Vec<_> = (0..10)
        .map(|_| {
            let (orders, request) = (orders.clone(), request.clone());
            tokio::spawn(async move { orders.redeem(request).await.unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(answers[0].state, OrderState::Running { relay: relay() });
    assert_eq!(orders.redeem(request).await.unwrap(), answers[0]);
    assert_eq!(provider.starts(), 1);
}

#[tokio::test]
async fn a_double_spend_at_once_starts_one_relay_and_shows_the_other_why() {
    let home = Home::new();
    let provider = Arc::new(Scripted::good());
    let orders = home.orders(provider.clone());
    let record = home.buy();
    let rivals = [0, 1].map(|_| home.other_redemption(&record));
    let (a, b) = tokio::join!(
        orders.redeem(rivals[0].clone()),
        orders.redeem(rivals[1].clone())
    );
    let (won, lost) = if a.is_ok() { (a, b) } else { (b, a) };
    won.unwrap();
    let lost = lost.unwrap_err();
    assert_eq!(lost.reason(), "spent");
    let desk::Error::Spent(shown) = lost else {
        unreachable!("the reason says so")
    };
    shown.check_spent(record.voucher()).unwrap();
    assert_eq!(provider.starts(), 1);
}

#[tokio::test]
async fn a_failed_start_gives_the_voucher_back_once() {
    let home = Home::new();
    let orders = home.orders(Arc::new(Scripted::new(Script::Fail)));
    let mut record = home.buy();
    let request = home.redemption(&mut record);
    let status = orders.redeem(request.clone()).await.unwrap();
    let mut fresh = record.settle(&status).unwrap().unwrap();
    assert_eq!(record.state(), State::Refunded);
    assert_eq!(orders.redeem(request).await.unwrap(), status);
    assert_eq!(home.events.all(), ["voucher_redeemed", "voucher_refunded"]);
    // The refund is as good as any voucher.
    let next = home.orders(Arc::new(Scripted::good()));
    let status = next.redeem(home.redemption(&mut fresh)).await.unwrap();
    assert!(matches!(status.state, OrderState::Running { .. }));
}

#[tokio::test]
async fn who_hangs_up_cancels_nothing() {
    let home = Home::new();
    let provider = Arc::new(Scripted::good());
    let orders = home.orders(provider.clone());
    let mut record = home.buy();
    let request = home.redemption(&mut record);
    let id = certs::order::id(&request.order().unwrap());
    let asking = tokio::spawn({
        let orders = orders.clone();
        async move { orders.redeem(request).await }
    });
    provider.started.notified().await;
    asking.abort();
    let running = OrderState::Running { relay: relay() };
    until(async || orders.status(id).await.unwrap().state == running).await;
}

#[tokio::test]
async fn a_channel_that_is_not_there_costs_nothing() {
    let home = Home::new();
    let provider = Arc::new(Scripted::good());
    let orders = home.orders(provider.clone());
    let mut record = home.buy();
    let mut request = home.redemption(&mut record);
    request.channel = "testing".parse().unwrap();
    let refused = orders.redeem(request).await.unwrap_err();
    assert_eq!(refused.reason(), "channel_unknown");
    assert_eq!(provider.starts(), 0);
    orders.redeem(home.redemption(&mut record)).await.unwrap();
}

/// The stages at which a desk can be killed; each leaves what is written.
enum Killed {
    BeforeTheLaunch,
    DuringTheLaunch,
    WhileRunning,
}

/// A folder as a desk leaves it that was killed, and the order in it.
async fn killed(at: Killed) -> (Home, OrderId, voucher::VoucherRecord) {
    let home = Home::new();
    let mut record = home.buy();
    let request = home.redemption(&mut record);
    let id = certs::order::id(&request.order().unwrap());
    let now = clock::now().unwrap();
    match at {
        Killed::DuringTheLaunch => {
            let provider = Arc::new(Scripted::new(Script::Hang));
            let orders = home.orders(provider.clone());
            let asking = tokio::spawn(async move { orders.redeem(request).await });
            provider.started.notified().await;
            asking.abort();
        }
        Killed::BeforeTheLaunch | Killed::WhileRunning => {
            let redemption = home.shop.check(request, now).unwrap();
            home.ledger.redeem(&redemption, now).unwrap();
        }
    }
    if let Killed::WhileRunning = at {
        let step = Transition::Started(relay());
        home.ledger.advance(&id, step, now).unwrap();
    }
    (home.reopen(), id, record)
}

#[tokio::test]
async fn a_desk_killed_before_the_relay_ran_refunds() {
    for at in [Killed::BeforeTheLaunch, Killed::DuringTheLaunch] {
        let (home, id, mut record) = killed(at).await;
        let provider = Arc::new(Scripted::good());
        let orders = home.orders(provider.clone());
        orders.reconcile().await.unwrap();
        let status = orders.status(id).await.unwrap();
        assert!(record.settle(&status).unwrap().is_some());
        assert_eq!(provider.starts(), 0, "a refund and a relay, both");
        orders.reconcile().await.unwrap();
        assert_eq!(orders.status(id).await.unwrap(), status);
        assert_eq!(home.events.all(), ["voucher_refunded"]);
    }
}

#[tokio::test]
async fn a_relay_that_survived_its_desk_is_found_again() {
    for at in [Killed::BeforeTheLaunch, Killed::WhileRunning] {
        let (home, id, mut record) = killed(at).await;
        let provider = Arc::new(Scripted::surviving());
        let orders = home.orders(provider.clone());
        orders.reconcile().await.unwrap();
        let running = OrderState::Running { relay: relay() };
        until(async || orders.status(id).await.unwrap().state == running).await;
        assert!(
            record
                .settle(&orders.status(id).await.unwrap())
                .unwrap()
                .is_none()
        );
        assert_eq!(record.state(), State::Spent);
        orders.close().await;
        let done = OrderState::Done {
            reason: "desk_stopped".to_owned(),
        };
        assert_eq!(orders.status(id).await.unwrap().state, done);
    }
}

#[tokio::test]
async fn a_relay_that_ended_with_its_desk_is_done() {
    let (home, id, _) = killed(Killed::WhileRunning).await;
    let orders = home.orders(Arc::new(Scripted::good()));
    orders.reconcile().await.unwrap();
    let done = OrderState::Done {
        reason: "desk_restarted".to_owned(),
    };
    assert_eq!(orders.status(id).await.unwrap().state, done);
}

#[tokio::test]
async fn closing_ends_the_relays_and_writes_it_down() {
    let home = Home::new();
    let orders = home.orders(Arc::new(Scripted::good()));
    let mut record = home.buy();
    let status = orders.redeem(home.redemption(&mut record)).await.unwrap();
    orders.close().await;
    let done = OrderState::Done {
        reason: "desk_stopped".to_owned(),
    };
    assert_eq!(orders.status(status.order).await.unwrap().state, done);
}

#[test]
fn keys_and_key_set_outlive_the_desk() {
    let home = Home::new();
    let before = home.shop.key_set();
    let home = home.reopen();
    assert_eq!(home.shop.key_set(), before);
    assert_eq!(stable().to_string(), "stable");
}
