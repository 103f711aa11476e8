//! The desk as its clients meet it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::client::{connect, connect_13, get, post, request, send};
use common::scripted::relay;
use common::{Home, Served};
use desk::http::Limits;
use hyper::StatusCode;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use voucher::protocol::REQUEST_BYTES_MAX;
use voucher::{
    IssueResponse, OrderState, OrderStatus, RedeemRequest, Refusal, SignedKeySet, State, Token,
};

fn reason(body: &[u8]) -> String {
    serde_json::from_slice::<Refusal>(body).unwrap().reason
}

#[tokio::test]
async fn a_voucher_is_bought_redeemed_and_asked_after() {
    let served = Served::start(Limits::default()).await;
    let (uri, home) = (&served.uri, &served.home);
    let keys: SignedKeySet = get(uri, "/v1/keys").await.unwrap();
    keys.verify(uri).unwrap();
    let purchase = home.purchase(home.code(1));
    let issued: IssueResponse = post(uri, "/v1/issue", &purchase.request()).await.unwrap();
    let mut record = purchase.finish(&issued).unwrap();
    let redemption = home.redemption(&mut record);
    let status: OrderStatus = post(uri, "/v1/redeem", &redemption).await.unwrap();
    assert_eq!(status.state, OrderState::Running { relay: relay() });
    let path = format!("/v1/order/{}", status.order.to_hex());
    assert_eq!(get::<OrderStatus>(uri, &path).await.unwrap(), status);
    record.settle(&status).unwrap();
    assert_eq!(record.state(), State::Spent);
}

#[tokio::test]
async fn everybody_gets_the_same_key_set() {
    let served = Served::start(Limits::default()).await;
    let ask = async || send(&served.uri, request(&served.uri, "GET", "/v1/keys", "")).await;
    assert_eq!(ask().await, ask().await);
}

#[tokio::test]
async fn a_desk_with_another_key_is_not_spoken_to() {
    let served = Served::start(Limits::default()).await;
    let other = Home::new();
    let address = served.uri.authority().parse().unwrap();
    let wrong = other.identity.uri(address).unwrap();
    let refused = connect_13(&wrong).await.unwrap_err();
    assert!(
        refused.to_string().contains("desk_key_mismatch"),
        "{refused}"
    );
}

#[tokio::test]
async fn older_tls_is_refused() {
    let served = Served::start(Limits::default()).await;
    let refused = connect(&served.uri, &[&rustls::version::TLS12]).await;
    assert!(refused.is_err());
}

async fn refused(served: &Served, redemption: &RedeemRequest) -> Refusal {
    post::<OrderStatus>(&served.uri, "/v1/redeem", redemption)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn bad_vouchers_are_refused_by_name_and_a_good_one_is_not_lost() {
    let served = Served::start(Limits::default()).await;
    let home = &served.home;
    let mut record = home.buy();
    let good = home.redemption(&mut record);

    let mut bytes = *good.token.as_bytes();
    bytes[300] ^= 1;
    let mut forged = good.clone();
    forged.token = Token::from_bytes(&bytes).unwrap();
    let mut foreign = good.clone();
    let set = home.key_set();
    let large = set.offers.iter().find(|o| o.class != good.class).unwrap();
    foreign.class = large.class.clone();
    let mut unknown = good.clone();
    unknown.class = "small.mars.1h.45gb.2026q4".parse().unwrap();
    let mut stolen = home.redemption(&mut home.buy());
    stolen.token = good.token;

    for (request, expected) in [
        (forged, "voucher_forged"),
        (foreign, "voucher_class_mismatch"),
        (unknown, "voucher_class_unknown"),
        (stolen, "holder_proof_invalid"),
    ] {
        let refusal = refused(&served, &request).await;
        assert_eq!(refusal.reason, expected);
        record
            .refuse(&refusal, desk::clock::now().unwrap())
            .unwrap();
        assert_eq!(record.state(), State::Unspent);
    }
    assert_eq!(served.provider.starts(), 0);
    let status: OrderStatus = post(&served.uri, "/v1/redeem", &good).await.unwrap();
    assert!(matches!(status.state, OrderState::Running { .. }));
}

#[tokio::test]
async fn a_second_redemption_is_shown_the_first() {
    let served = Served::start(Limits::default()).await;
    let home = &served.home;
    let mut record = home.buy();
    let other = home.other_redemption(&record);
    let first = home.redemption(&mut record);
    post::<OrderStatus>(&served.uri, "/v1/redeem", &first)
        .await
        .unwrap();
    let refusal = refused(&served, &other).await;
    assert_eq!(refusal.reason, "spent");
    assert_eq!(*refusal.spent_by.clone().unwrap(), first);
    record
        .refuse(&refusal, desk::clock::now().unwrap())
        .unwrap();
    assert_eq!(record.state(), State::Spent);
}

#[tokio::test]
async fn what_is_no_request_is_refused_by_name() {
    let served = Served::start(Limits::default()).await;
    let uri = &served.uri;
    let long = vec![b' '; REQUEST_BYTES_MAX + 1];
    for (method, path, body, status, expected) in [
        ("GET", "/v1/nothing", Vec::new(), 404, "not_found"),
        ("DELETE", "/v1/keys", Vec::new(), 404, "not_found"),
        ("GET", "/v1/order/abc", Vec::new(), 404, "order_unknown"),
        (
            "POST",
            "/v1/redeem",
            b"{".to_vec(),
            400,
            "request_malformed",
        ),
        (
            "POST",
            "/v1/issue",
            b"{}".to_vec(),
            400,
            "request_malformed",
        ),
        ("POST", "/v1/redeem", long.clone(), 413, "request_too_large"),
        ("POST", "/v1/issue", long, 413, "request_too_large"),
    ] {
        let (found, body) = send(uri, request(uri, method, path, body)).await;
        assert_eq!(found.as_u16(), status, "{method} {path}");
        assert_eq!(reason(&body), expected);
    }
    let mut plain = request(uri, "POST", "/v1/issue", "{}");
    plain.headers_mut().remove("content-type");
    let (status, body) = send(uri, plain).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(reason(&body), "request_malformed");
}

#[tokio::test]
async fn slow_clients_are_let_go_and_others_served() {
    let limits = Limits {
        connections_max: 3,
        handshake_ms_max: 200,
        head_ms_max: 200,
        request_ms_max: 300,
        ..Limits::default()
    };
    let served = Served::start(limits).await;
    let uri = &served.uri;
    let begun = Instant::now();
    // One stops in the handshake, one in the head, one in the body.
    let mut silent = tokio::net::TcpStream::connect(uri.authority())
        .await
        .unwrap();
    let mut head = connect_13(uri).await.unwrap();
    head.write_all(b"GET /v1/keys HTT").await.unwrap();
    let mut body = connect_13(uri).await.unwrap();
    let start = "POST /v1/issue HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                 content-length: 100\r\n\r\n{";
    body.write_all(start.as_bytes()).await.unwrap();
    // All three slots are taken: the next one waits until they are let go.
    let keys: SignedKeySet = get(uri, "/v1/keys").await.unwrap();
    keys.verify(uri).unwrap();
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).await.unwrap_or(0);
    head.read_to_end(&mut rest).await.unwrap_or(0);
    let mut answer = Vec::new();
    body.read_to_end(&mut answer).await.unwrap_or(0);
    assert!(String::from_utf8_lossy(&answer).contains("503"));
    assert!(begun.elapsed() < Duration::from_secs(5));
}
