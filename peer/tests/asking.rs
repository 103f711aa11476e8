//! What a viewer's words do, with the real program and a coordinator that the
//! test speaks for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code
)]

mod common;
#[path = "common/member.rs"]
mod member;

use common::viewer;
use link::Channel;
use member::Silent;
use wire::message::control::{Answer, Choice, Down, Up};

const LIFE_MS: u64 = 60_000;

/// The next answer, whatever else is said before it.
async fn answered(channel: &mut Channel) -> Answer {
    loop {
        if let Up::Answer(answer) = channel.expect("no answer").await.unwrap() {
            return answer;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_never_outlives_the_line_to_the_station() {
    let folder = tempfile::tempdir().unwrap();
    let silent = Silent::begin(LIFE_MS);
    let mut viewer = viewer(folder.path(), &silent.invite(), &[]);
    let (first, _channel, join) = silent.admit_hearing().await;
    assert!(!join.never_ask);
    viewer.event("member");
    viewer.tell("never");
    // The word has been taken when the next one is answered.
    viewer.tell("accept 1x");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    first.close(wire::Reason::PeerGone);
    let (second, mut channel, join) = silent.admit_hearing().await;
    assert!(join.never_ask, "the second admission says it, too");
    let ask = Down::Ask(silent.ask(second.peer, 9));
    channel.send(&ask).await.unwrap();
    let answer = answered(&mut channel).await;
    assert_eq!((answer.ask.0, answer.choice), (9, Choice::Never));
    viewer.tell("quit");
    let (code, said) = viewer.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("usage: accept [ID] [named]"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sees_the_address_and_what_is_given_is_said_before_the_join() {
    let folder = tempfile::tempdir().unwrap();
    let silent = Silent::begin(LIFE_MS);
    for (more, shown, hidden) in [
        (&[][..], "seen by other viewers too", false),
        (
            &["--relay-only", "--share-mbps", "3"][..],
            "relays alone",
            true,
        ),
    ] {
        let mut viewer = viewer(folder.path(), &silent.invite(), more);
        let ready = viewer.event("viewer_ready");
        assert_eq!(ready["relay_only"], hidden);
        assert_eq!(ready["banner"], serde_json::Value::Null);
        let (_link, _channel) = silent.admit().await;
        viewer.event("member");
        viewer.tell("quit");
        let (code, said) = viewer.end();
        assert_eq!(code, Some(0), "{said}");
        let first = said.lines().next().unwrap();
        assert!(first.contains(shown), "{first}");
        assert!(first.contains("Mbit/s for others"), "{first}");
    }
}
