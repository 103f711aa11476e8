//! Where a round is needed: those who wait tell how far the regions are, and a
//! question carries the average, through the real station.

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

use common::{Program, clip, invite, roundcast};
use member::Member;
use wire::AskId;
use wire::codec::{List, Text};
use wire::message::control::{Answer, Choice, Up};
use wire::message::lines::{RegionRtt, Regions};

fn told(rtts: &[(&str, u64)]) -> Up {
    let regions = rtts.iter().map(|(region, rtt_ms)| RegionRtt {
        region: Text::new(*region).unwrap(),
        rtt_ms: *rtt_ms,
    });
    let regions = List::new(regions.collect()).unwrap();
    Up::Regions(Regions { regions })
}

fn declined(ask: AskId) -> Up {
    Up::Answer(Answer {
        ask,
        choice: Choice::Decline,
        show_name: false,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_carries_the_average_of_those_who_wait() {
    let folder = tempfile::tempdir().unwrap();
    // Room for one child.
    let mut command = roundcast(&["broadcast", "--loop", "--json", "--no-page"]);
    command
        .args(["--listen", "127.0.0.1:0", "--stripes", "1+0"])
        .args(["--upload-mbps", "1.5", "--stream-mbps", "1.1"])
        .arg("--input")
        .arg(clip())
        .arg("--data")
        .arg(folder.path());
    let station = Program::start(command);
    let invite = invite(&station);
    let mut placed = Member::join_as(&invite, None, false).await.unwrap();
    station.event("joined");
    placed.tell(&told(&[("eu", 900), ("us", 900)])).await;
    station.event("regions_told");
    let mut first = Member::join(&invite, None).await.unwrap();
    let question = placed.asked().await;
    assert!(question.regions.is_empty(), "nobody who waits has told");
    first.tell(&told(&[("eu", 20), ("us", 100)])).await;
    station.event("regions_told");
    let mut second = Member::join(&invite, None).await.unwrap();
    second.tell(&told(&[("eu", 60), ("us", 90)])).await;
    station.event("regions_told");
    let mut willing = Member::join_as(&invite, None, false).await.unwrap();
    placed.tell(&declined(question.ask)).await;
    let question = willing.asked().await;
    let regions = question.regions.iter();
    let regions: Vec<_> = regions.map(|r| (r.region.as_str(), r.rtt_ms)).collect();
    assert_eq!(regions, [("eu", 40), ("us", 95)]);
}
