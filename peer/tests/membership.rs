//! Memberships of a few seconds, over an evening of several: real sockets,
//! real viewers, and a station whose one setting differs from the shipped one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;
#[path = "common/member.rs"]
mod member;

use clap::Parser;
use common::{PATIENCE, Program, clip, roundcast};
use member::{Member, Silent, closed, now};
use peer::cli::{Cli, Verb};
use peer::station::{Remote, Station};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wire::Reason;

/// The life of the evening's memberships: room for a busy machine between
/// a renewal, due after two thirds at the latest, and the end.
const LIFE_MS: u64 = 4_000;

/// A station with short memberships and room for one child.
struct OnAir {
    invite: String,
    remote: Remote,
    quit: oneshot::Sender<()>,
    ended: JoinHandle<Result<u8, peer::Error>>,
}

impl OnAir {
    async fn start(folder: &Path) -> Self {
        let (clip, data) = (clip(), folder.join("station"));
        let mut words = vec!["roundcast", "broadcast", "--no-page", "--loop"];
        words.extend(["--listen", "127.0.0.1:0", "--name", "S"]);
        words.extend(["--upload-mbps", "1.5", "--stream-mbps", "1.1"]);
        words.extend(["--stripes", "1+0"]);
        words.extend(["--input", clip.to_str().unwrap()]);
        words.extend(["--data", data.to_str().unwrap()]);
        let Verb::Broadcast(verb) = Cli::parse_from(words).verb else {
            panic!("another command");
        };
        let mut options = verb.resolve().unwrap();
        options.membership_ms = LIFE_MS;
        let station = Station::start(options).await.unwrap();
        let (invite, remote) = (station.invite().to_owned(), station.remote());
        let (quit, asked) = oneshot::channel::<()>();
        let broadcast = station.broadcast(async {
            let _ = asked.await;
        });
        Self {
            invite,
            remote,
            quit,
            ended: tokio::spawn(broadcast),
        }
    }

    async fn end(self) {
        self.quit.send(()).unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.ended).await;
        assert_eq!(ended.unwrap().unwrap().unwrap(), 0);
    }
}

fn viewer(folder: &Path, invite: &str, name: &str) -> Program {
    let mut command = roundcast(&["watch", invite, "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args(["--json", "--trace-chunks", "--share-mbps", "10"])
        .args(["--name", name, "--data"])
        .arg(folder.join(name));
    Program::start(command)
}

/// What a viewer told while it watched: chunks in order, and no trouble.
#[derive(Default)]
struct Seen {
    next: Option<u64>,
    chunks: u64,
}

impl Seen {
    fn note(&mut self, event: &Value) {
        match event["kind"].as_str().unwrap() {
            "chunk_received" if event["init"] == false => {
                let sequence = event["sequence"].as_u64().unwrap();
                assert!(self.next.is_none_or(|next| next == sequence), "{event}");
                self.next = Some(sequence + 1);
                self.chunks += 1;
            }
            "edge_down" | "rejoining" | "membership_ended" | "membership_not_renewed" => {
                panic!("{event}")
            }
            _ => {}
        }
    }

    /// Watches until `lives` more lives have been added to the membership.
    fn lives(&mut self, viewer: &Program, lives: u64) {
        let mut renewed = || viewer.event_passing("membership_renewed", |e| self.note(e));
        let first_ms = renewed()["ends_ms"].as_u64().unwrap();
        while renewed()["ends_ms"].as_u64().unwrap() < first_ms + lives * LIFE_MS {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_play_over_several_lives_and_link_with_renewed_memberships() {
    let folder = tempfile::tempdir().unwrap();
    let station = OnAir::start(folder.path()).await;
    let mut early = viewer(folder.path(), &station.invite, "early");
    let spki = early.event("viewer_ready")["spki"].clone();
    early.event("first_chunk");
    let mut seen = Seen::default();
    seen.lives(&early, 1);
    // The station is full: the edge is between two viewers, and the parent's
    // first membership has ended.
    let mut late = viewer(folder.path(), &station.invite, "late");
    let edge = late.event("edge_up");
    assert_eq!((&edge["other"], &edge["child"]), (&spki, &true.into()));
    let mut seen_late = Seen::default();
    seen_late.lives(&late, 2);
    seen.lives(&early, 1);
    assert!(seen.chunks > 20 && seen_late.chunks > 10);
    late.tell("quit");
    assert_eq!(late.end().0, Some(0));
    early.tell("quit");
    assert_eq!(early.end().0, Some(0));
    station.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_renewed_until_it_is_evicted_and_its_last_membership_ends() {
    let folder = tempfile::tempdir().unwrap();
    let station = OnAir::start(folder.path()).await;
    let mut guest = Member::join(&station.invite, None).await.ok().unwrap();
    guest.renewed().await;
    guest.renewed().await;
    assert!(guest.ends.is_sorted_by(|one, next| one < next));

    station.remote.evict("guest");
    assert_eq!(guest.put_out().await, Reason::Revoked);
    let ca_key = &guest.run.ca_key;
    let valid = |at| certs::x509::verify_member(&guest.certificate, ca_key, at);
    assert!(valid(now()).is_ok(), "what it holds is good for the moment");
    let after_one_life = now().plus_ms(LIFE_MS + 1_000);
    let refusal = valid(after_one_life).unwrap_err();
    assert_eq!(refusal.reason(), "certificate_expired");
    let again = Member::join(&station.invite, Some(guest.identity.clone())).await;
    assert_eq!(again.err(), Some(Reason::Revoked));
    station.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_slept_longer_than_its_membership_joins_again_and_plays_on() {
    /// Longer than a membership, and than the station waits for a silent link.
    const SLEEP_MS: u64 = 12_000;
    let folder = tempfile::tempdir().unwrap();
    let station = OnAir::start(folder.path()).await;
    let mut sleeper = viewer(folder.path(), &station.invite, "sleeper");
    sleeper.event("first_chunk");
    let process = Pid::from_raw(i32::try_from(sleeper.id()).unwrap()).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    tokio::time::sleep(Duration::from_millis(SLEEP_MS)).await;
    kill_process(process, Signal::CONT).unwrap();
    sleeper.event("rejoined");
    let edge = sleeper.event("edge_up");
    assert_eq!(edge["child"], true, "it has a parent again");
    sleeper.event("chunk_received");
    sleeper.event("membership_renewed");
    sleeper.tell("quit");
    assert_eq!(sleeper.end().0, Some(0));
    station.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_renewal_a_viewer_keeps_its_membership_to_the_end_and_then_joins_again() {
    let folder = tempfile::tempdir().unwrap();
    let silent = Silent::begin(LIFE_MS);
    let mut viewer = viewer(folder.path(), &silent.invite(), "patient");
    let (first, mut channel) = silent.admit().await;
    let claimed = channel.expect("no claim").await.unwrap();
    assert!(matches!(claimed, wire::message::control::Up::Claim(_)));
    let joined = now();
    assert_eq!(closed(&first).await, Reason::Timeout);
    assert!(
        now().since_ms(joined) + 1_000 > LIFE_MS,
        "not before the end"
    );
    viewer.event("membership_ended");
    let (second, _channel) = silent.admit().await;
    assert_eq!(second.peer, first.peer, "as the same member");
    viewer.event("rejoined");
    viewer.tell("quit");
    assert_eq!(viewer.end().0, Some(0));
}
