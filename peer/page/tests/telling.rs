//! What the page is told, and what it answers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{Answer, Page, page, read_head};
use page::{
    Answer as Decision, Cause, Choice, Invite, Kind, Prompt, Reply, Role, Round, Stop, Stopped,
    TreeNode, Verifier, View,
};
use tokio::{io::AsyncReadExt, time::timeout};

const HOSTILE: &str = "<img src=x onerror=alert(1)>\u{202e}\n\ndata: {}";

fn prompt(ask: &str) -> Prompt {
    Prompt {
        ask: ask.into(),
        step: "leaves".into(),
        cause: Cause::Join,
        deficit: "short 14 Mbit/s".into(),
        price_minor: 410,
        currency: "USD".into(),
        hours: 1,
        gigabytes: 45,
        cap: "one hour or 45 GB".into(),
        ends_at_ms: 0,
        answer_by_ms: 0,
        on_failure: "the voucher stays yours".into(),
        gets: "a place under your relay".into(),
    }
}

fn asked(ask: &str) -> View {
    View {
        prompt: Some(prompt(ask)),
        ..View::default()
    }
}

async fn post(page: &Page, path: &str, body: &str) -> Answer {
    let origin = format!("Origin: {}", page.origin());
    let json = "Content-Type: application/json";
    let headers = [&*page.host(), &page.cookie().await, &origin, json];
    page.post(path, &headers, body).await
}

#[tokio::test]
async fn answer_reaches_the_client_once() {
    let mut page = page().await;
    let mut answers = page.running.answers().unwrap();
    assert!(page.running.answers().is_none());
    page.running.set_view(asked("7")).unwrap();
    let body = r#"{"ask":"7","answer":"accept","show_name":true}"#;
    assert_eq!(post(&page, "/answer", body).await.status, 202);
    let expected = Reply::Answer(Decision {
        ask: "7".into(),
        answer: Choice::Accept,
        show_name: true,
    });
    assert_eq!(answers.recv().await, Some(expected));
    let again = post(&page, "/answer", body).await;
    assert_eq!((again.status, again.reason()), (409, "ask_not_open"));
}

#[tokio::test]
async fn answer_to_another_ask_is_refused() {
    let page = page().await;
    let body = r#"{"ask":"7","answer":"accept"}"#;
    assert_eq!(post(&page, "/answer", body).await.reason(), "ask_not_open");
    page.running.set_view(asked("8")).unwrap();
    assert_eq!(post(&page, "/answer", body).await.reason(), "ask_not_open");
}

#[tokio::test]
async fn malformed_answers_are_refused() {
    let page = page().await;
    page.running.set_view(asked("7")).unwrap();
    for body in [
        "",
        "[]",
        r#"{"ask":"7"}"#,
        r#"{"ask":"7","answer":"maybe"}"#,
        r#"{"ask":"7","answer":"accept","price_minor":1}"#,
    ] {
        let answer = post(&page, "/answer", body).await;
        assert_eq!(
            (answer.status, answer.reason()),
            (400, "reply_malformed"),
            "{body}"
        );
    }
    let long = format!(r#"{{"ask":"{}","answer":"accept"}}"#, "7".repeat(8_000));
    assert_eq!(post(&page, "/answer", &long).await.status, 413);
}

#[tokio::test]
async fn answer_must_be_declared_as_json() {
    let page = page().await;
    page.running.set_view(asked("7")).unwrap();
    let origin = format!("Origin: {}", page.origin());
    let headers = [
        &*page.host(),
        &page.cookie().await,
        &origin,
        "Content-Type: text/plain",
    ];
    let body = r#"{"ask":"7","answer":"accept"}"#;
    let answer = page.post("/answer", &headers, body).await;
    assert_eq!(
        (answer.status, answer.reason()),
        (415, "content_type_not_json")
    );
}

#[tokio::test]
async fn stop_needs_a_relay_of_ones_own() {
    let mut page = page().await;
    let mut answers = page.running.answers().unwrap();
    let body = r#"{"what":"relay"}"#;
    assert_eq!(post(&page, "/stop", body).await.reason(), "nothing_to_stop");
    let round = |mine| Round {
        sponsor: None,
        mine,
        verified: Verifier::Reported,
        ends_at_ms: 0,
        carries: 20,
        left_bytes: None,
    };
    let show = |rounds| View {
        rounds,
        ..View::default()
    };
    page.running.set_view(show(vec![round(false)])).unwrap();
    assert_eq!(post(&page, "/stop", body).await.reason(), "nothing_to_stop");
    page.running
        .set_view(show(vec![round(false), round(true)]))
        .unwrap();
    assert_eq!(post(&page, "/stop", body).await.status, 202);
    let expected = Reply::Stop(Stop {
        what: Stopped::Relay,
    });
    assert_eq!(answers.recv().await, Some(expected));
}

#[tokio::test]
async fn client_that_takes_no_replies_is_named() {
    let mut page = page().await;
    drop(page.running.answers());
    page.running.set_view(asked("7")).unwrap();
    let answer = post(&page, "/answer", r#"{"ask":"7","answer":"accept"}"#).await;
    assert_eq!((answer.status, answer.reason()), (503, "client_busy"));
}

#[tokio::test]
async fn hostile_name_travels_as_json_alone() {
    let page = page().await;
    let node = TreeNode {
        id: "1".into(),
        name: HOSTILE.into(),
        kind: Kind::Peer,
        parents: Vec::new(),
        slots: 0,
        children: 0,
        sponsor: None,
        verified: Verifier::Reported,
        delay_ms: None,
        upload_bps: None,
    };
    let view = View {
        stream: HOSTILE.into(),
        tree: vec![node],
        ..View::default()
    };
    page.running.set_view(view).unwrap();
    let (host, cookie) = (page.host(), page.cookie().await);
    let html = page.get("/", &[&host, &cookie]).await;
    assert!(!html.body.contains("onerror"));
    let json = page.get("/view.json", &[&host, &cookie]).await;
    assert_eq!(json.header("content-type"), Some("application/json"));
    let told: View = serde_json::from_str(&json.body).unwrap();
    assert_eq!(told.stream, HOSTILE);

    let mut events = page.open("GET", "/events", &[&host, &cookie], "").await;
    let head = read_head(&mut events).await;
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    let mut bytes = vec![0; 8192];
    let read = timeout(Duration::from_secs(5), events.read(&mut bytes)).await;
    bytes.truncate(read.unwrap().unwrap());
    let text = String::from_utf8(bytes).unwrap();
    let data: Vec<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix("data: "))
        .collect();
    let [data] = data.as_slice() else {
        panic!("one event of one line: {text}");
    };
    let told: View = serde_json::from_str(data).unwrap();
    assert_eq!(told.stream, HOSTILE);
}

#[tokio::test]
async fn invite_is_shown_at_a_station_only() {
    let page = page().await;
    let (host, cookie) = (page.host(), page.cookie().await);
    let view = |role| View {
        role,
        invite: Some(Invite::new("roundcast:secret".into())),
        ..View::default()
    };
    assert!(!format!("{:?}", view(Role::Station)).contains("secret"));
    page.running.set_view(view(Role::Viewer)).unwrap();
    let json = page.get("/view.json", &[&host, &cookie]).await;
    assert!(!json.body.contains("roundcast:secret"));
    page.running.set_view(view(Role::Station)).unwrap();
    let json = page.get("/view.json", &[&host, &cookie]).await;
    assert!(json.body.contains("roundcast:secret"));
}
