//! What players get.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{INIT, MIME, Page, Socket, feed_fragment, feed_init, page, read_head};
use tokio::{io::AsyncReadExt, time::timeout};

async fn socket(page: &Page) -> Socket {
    let origin = format!("Origin: {}", page.origin());
    let headers = [&*page.host(), &page.cookie().await, &origin];
    let Ok(socket) = page.socket(&headers).await else {
        panic!("the socket was refused");
    };
    socket
}

async fn assert_starts(socket: &mut Socket) {
    let (opcode, text) = socket.message().await;
    assert_eq!(opcode, 1);
    let head: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(head, serde_json::json!({ "mime": MIME }));
    assert_eq!(socket.message().await, (2, INIT.to_vec()));
}

#[tokio::test]
async fn late_browser_gets_init_then_the_latest_key_frame() {
    let page = page().await;
    feed_init(&page.feed);
    feed_fragment(&page.feed, "key 1", true, 0);
    feed_fragment(&page.feed, "more", false, 200_000);
    feed_fragment(&page.feed, "key 2", true, 400_000);
    let mut socket = socket(&page).await;
    assert_starts(&mut socket).await;
    assert_eq!(socket.message().await, (2, b"key 2".to_vec()));
    feed_fragment(&page.feed, "next", false, 600_000);
    assert_eq!(socket.message().await, (2, b"next".to_vec()));
}

#[tokio::test]
async fn early_browser_waits_for_the_first_key_frame() {
    let page = page().await;
    let mut socket = socket(&page).await;
    feed_init(&page.feed);
    assert_starts(&mut socket).await;
    feed_fragment(&page.feed, "no key", false, 0);
    feed_fragment(&page.feed, "key", true, 200_000);
    assert_eq!(socket.message().await, (2, b"key".to_vec()));
}

#[tokio::test]
async fn slow_browser_is_moved_to_a_key_frame() {
    let page = page().await;
    feed_init(&page.feed);
    let mut socket = socket(&page).await;
    assert_starts(&mut socket).await;
    // Far more than socket buffers and the store hold: 200 MB in 200 s of video.
    let body = vec![0_u8; 1_000_000];
    for second in 0..200_u64 {
        let keyframe = second % 2 == 0;
        let mut bytes = vec![u8::from(keyframe)];
        bytes.extend_from_slice(&second.to_be_bytes());
        bytes.extend_from_slice(&body);
        let pushed = page
            .feed
            .push_fragment(bytes.into(), keyframe, second * 1_000_000);
        pushed.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(page.feed.stats().kept_bytes < 40_000_000);
    let mut skips = 0;
    let mut expected = None;
    loop {
        let (_, bytes) = socket.message().await;
        let second = u64::from_be_bytes(bytes[1..9].try_into().unwrap());
        if expected.is_some_and(|e| e != second) {
            skips += 1;
            assert_eq!(bytes[0], 1, "a skip must end at a key frame");
        }
        if second == 199 {
            break;
        }
        expected = Some(second + 1);
    }
    assert!(skips > 0);
    assert!(page.feed.stats().fragments_skipped > 100);
}

#[tokio::test]
async fn live_file_begins_with_ftyp_and_goes_on() {
    let page = page().await;
    feed_init(&page.feed);
    feed_fragment(&page.feed, "key", true, 0);
    let path = page
        .running
        .live_link()
        .reveal()
        .replace(&page.origin(), "");
    let mut stream = page.open("GET", &path, &[&page.host()], "").await;
    let head = read_head(&mut stream).await;
    assert!(head.contains("content-type: video/mp4"), "{head}");
    let mut first = [0; 40];
    let expected = format!(
        "10\r\n{}\r\n3\r\nkey\r\n",
        std::str::from_utf8(INIT).unwrap()
    );
    let first = &mut first[..expected.len()];
    timeout(Duration::from_secs(5), stream.read_exact(first))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first, expected.as_bytes());
    feed_fragment(&page.feed, "next", false, 200_000);
    let mut next = [0; 9];
    timeout(Duration::from_secs(5), stream.read_exact(&mut next))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&next, b"4\r\nnext\r\n");
}

#[tokio::test]
async fn live_file_ends_when_the_stream_changes_its_form() {
    let page = page().await;
    feed_init(&page.feed);
    let path = page
        .running
        .live_link()
        .reveal()
        .replace(&page.origin(), "");
    let mut stream = page.open("GET", &path, &[&page.host()], "").await;
    read_head(&mut stream).await;
    let mut init = vec![0; 4 + INIT.len() + 2];
    stream.read_exact(&mut init).await.unwrap();
    let other = Bytes::from_static(b"\0\0\0\x08ftypother");
    page.feed.push_init(MIME.into(), other).unwrap();
    let mut rest = Vec::new();
    let end = timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
    end.unwrap().unwrap();
    assert_eq!(rest, b"0\r\n\r\n");
}

#[tokio::test]
async fn players_beyond_the_limit_are_refused_by_name() {
    let page = page().await;
    let path = page
        .running
        .live_link()
        .reveal()
        .replace(&page.origin(), "");
    let mut open = Vec::new();
    for _ in 0..32 {
        let mut stream = page.open("GET", &path, &[&page.host()], "").await;
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
        open.push(stream);
    }
    let answer = page.get(&path, &[&page.host()]).await;
    assert_eq!((answer.status, answer.reason()), (503, "too_many_players"));
}

#[tokio::test]
async fn stop_ends_players_and_frees_the_port() {
    let page = page().await;
    feed_init(&page.feed);
    let mut socket = socket(&page).await;
    assert_starts(&mut socket).await;
    let (address, feed) = (page.address(), page.feed.clone());
    timeout(Duration::from_secs(5), page.running.stop())
        .await
        .unwrap();
    assert!(socket.closed().await);
    tokio::net::TcpListener::bind(address).await.unwrap();
    assert_eq!(feed.stats().players, 0);
}
