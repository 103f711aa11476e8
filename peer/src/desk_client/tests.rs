#![allow(clippy::unwrap_used)]

use super::test_desk::{Plan, Shown, TestDesk, class, desk_key};
use super::{DeskClient, http};
use crate::Error;
use certs::SigningKey;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use voucher::DeskUri;

fn other_key() -> SigningKey {
    SigningKey::from_seed([0x66; 32])
}

async fn keys_of(desk: &TestDesk) -> Result<voucher::KeySet, Error> {
    DeskClient::new(&desk.uri)?.keys().await
}

#[tokio::test]
async fn reads_the_key_set_of_the_pinned_desk() {
    let desk = TestDesk::start().await;
    let keys = keys_of(&desk).await.unwrap();
    assert_eq!(keys.desk_key, desk_key().public());
    assert!(keys.offer(&class("small", 45)).is_some());
}

#[tokio::test]
async fn refuses_another_key_before_anything_is_sent() {
    let impostor = Shown {
        certificate: other_key(),
        signature: other_key(),
    };
    let desk = TestDesk::start_as(impostor).await;
    assert!(matches!(keys_of(&desk).await, Err(Error::DeskKey)));
    assert!(desk.set(|script| script.requests.is_empty()));
}

#[tokio::test]
async fn refuses_the_desk_s_certificate_from_who_lacks_its_key() {
    let impostor = Shown {
        certificate: desk_key(),
        signature: other_key(),
    };
    let desk = TestDesk::start_as(impostor).await;
    assert!(matches!(keys_of(&desk).await, Err(Error::DeskKey)));
    assert!(desk.set(|script| script.requests.is_empty()));
}

#[tokio::test]
async fn refuses_an_answer_over_its_bound() {
    let desk = TestDesk::start().await;
    let client = DeskClient::new(&desk.uri).unwrap();
    let answer = http::get(&client, "ask", "/huge").await;
    let told = answer.err().unwrap().to_string();
    assert!(told.contains("length limit exceeded"), "{told}");
}

#[tokio::test]
async fn a_desk_that_does_not_speak_tls_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 16];
        stream.read_exact(&mut hello).await.unwrap();
    });
    let key = voucher::desk_uri::desk_key_hash(&desk_key().public());
    let uri = DeskUri::new("127.0.0.1", port, key).unwrap();
    let answer = DeskClient::new(&uri).unwrap().keys().await;
    assert_eq!(answer.unwrap_err().reason(), "desk_away");
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_trouble_is_none() {
    let desk = TestDesk::start().await;
    let client = DeskClient::new(&desk.uri).unwrap();
    let unknown = client.order(wire::OrderId([1; 32])).await.unwrap();
    assert_eq!(unknown.unwrap_err().reason, "order_unknown");
    let request = crate::wallet::tests::redemption(&desk).await;
    desk.set(|script| script.plan = Plan::Trouble);
    let answer = client.redeem(&request).await;
    assert_eq!(answer.unwrap_err().reason(), "desk_away");
}
