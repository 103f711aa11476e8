//! How a run ends, and how a viewer leaves: in order, with the tail of the
//! stream, whether the input, the user, a signal or the run's keys end it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use clap::Parser;
use common::{PATIENCE, Program, clip, invite, roundcast, station, viewer};
use peer::cli::{Cli, Verb};
use peer::station::Station;
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;

fn signal(program: &Program, signal: Signal) {
    let process = Pid::from_raw(i32::try_from(program.id()).unwrap()).unwrap();
    kill_process(process, signal).unwrap();
}

/// Waits until the station has published this much of the clip.
fn published(station: &Program, time_us: u64) {
    loop {
        let chunk = station.event("chunk_published");
        if chunk["init"] == false && chunk["time_us"].as_u64().unwrap() >= time_us {
            return;
        }
    }
}

#[test]
fn a_viewer_that_is_behind_at_the_end_still_gets_the_last_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let received = folder.path().join("received.mp4");
    let station = station(folder.path(), &clip(), &["--trace-chunks"]);
    let invite = invite(&station);
    let out = ["--out", received.to_str().unwrap()];
    let viewer = viewer(folder.path(), &invite, &out);
    viewer.event("first_chunk");
    published(&station, 8_000_000);
    signal(&viewer, Signal::STOP);
    published(&station, 9_800_000);
    // The stream is over, and the viewer two seconds behind.
    std::thread::sleep(Duration::from_millis(1_000));
    signal(&viewer, Signal::CONT);
    viewer.event("stream_ended");
    assert_eq!(viewer.end().0, Some(0));
    let left = station.event("left");
    assert_eq!(
        (&left["who"], &left["graceful"]),
        (&"V".into(), &true.into())
    );
    assert_eq!(station.end().0, Some(0));
    let (clip, received) = (
        std::fs::read(clip()).unwrap(),
        std::fs::read(received).unwrap(),
    );
    let tail = &received[received.len() / 2..];
    assert!(clip.ends_with(tail), "the last chunks are there");
}

#[test]
fn a_parent_that_has_it_all_stays_for_a_child_that_is_behind() {
    let folder = tempfile::tempdir().unwrap();
    let received = folder.path().join("received.mp4");
    let clip = clip();
    // Room for one child: the second viewer hangs under the first.
    let mut command = roundcast(&["broadcast", "--listen", "127.0.0.1:0", "--no-page"]);
    command.args(["--json", "--trace-chunks", "--upload-mbps", "1.5"]);
    command.args(["--stripes", "1+0"]);
    command.args(["--stream-mbps", "1.1", "--input", clip.to_str().unwrap()]);
    command.arg("--data").arg(folder.path().join("station"));
    let station = Program::start(command);
    let invite = invite(&station);
    let parent = viewer(folder.path(), &invite, &["--share-mbps", "10"]);
    let parent_spki = parent.event("viewer_ready")["spki"].clone();
    parent.event("first_chunk");
    let mut command = roundcast(&["watch", &invite, "--listen", "127.0.0.1:0", "--no-page"]);
    command.args(["--json", "--name", "child", "--out"]);
    command.arg(&received).arg("--data");
    command.arg(folder.path().join("child"));
    let child = Program::start(command);
    assert_eq!(child.event("edge_up")["other"], parent_spki);
    child.event("first_chunk");
    published(&station, 8_000_000);
    signal(&child, Signal::STOP);
    parent.event("stream_ended");
    std::thread::sleep(Duration::from_millis(1_000));
    signal(&child, Signal::CONT);
    for ended in [child, parent, station] {
        assert_eq!(ended.end().0, Some(0));
    }
    let (clip, received) = (
        std::fs::read(clip).unwrap(),
        std::fs::read(received).unwrap(),
    );
    let tail = &received[received.len() / 2..];
    assert!(clip.ends_with(tail), "the last chunks are there");
}

#[test]
fn a_viewer_without_the_last_chunk_is_not_waited_for_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--trace-chunks", "--kept-ms", "2000"];
    let station = station(folder.path(), &clip(), &more);
    let invite = invite(&station);
    let viewer = viewer(folder.path(), &invite, &[]);
    viewer.event("first_chunk");
    published(&station, 9_000_000);
    signal(&viewer, Signal::STOP);
    assert_eq!(station.end().0, Some(0));
    signal(&viewer, Signal::CONT);
}

#[test]
fn a_station_ends_its_run_at_sigterm_and_the_viewer_has_it_all() {
    let folder = tempfile::tempdir().unwrap();
    let station = station(folder.path(), &clip(), &["--loop"]);
    let invite = invite(&station);
    let viewer = viewer(folder.path(), &invite, &[]);
    viewer.event("first_chunk");
    signal(&station, Signal::TERM);
    viewer.event("stream_ended");
    assert_eq!(viewer.end().0, Some(0));
    station.event("ended");
    assert_eq!(station.end().0, Some(0));
}

#[test]
fn a_second_interrupt_waits_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--loop", "--kept-ms", "60000"];
    let station = station(folder.path(), &clip(), &more);
    let invite = invite(&station);
    let viewer = viewer(folder.path(), &invite, &[]);
    viewer.event("first_chunk");
    signal(&viewer, Signal::STOP);
    signal(&station, Signal::INT);
    std::thread::sleep(Duration::from_millis(500));
    signal(&station, Signal::INT);
    let asked = std::time::Instant::now();
    assert_eq!(station.end().0, Some(0));
    assert!(asked.elapsed() < Duration::from_secs(5));
    signal(&viewer, Signal::CONT);
}

#[test]
fn a_viewer_says_goodbye_at_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    let mut station = station(folder.path(), &clip(), &["--loop"]);
    let invite = invite(&station);
    for interrupt in [Signal::INT, Signal::TERM] {
        let viewer = viewer(folder.path(), &invite, &[]);
        viewer.event("first_chunk");
        signal(&viewer, interrupt);
        assert_eq!(station.event("left")["graceful"], true);
        viewer.event("viewer_report");
        assert_eq!(viewer.end().0, Some(0));
    }
    station.tell("quit");
    assert_eq!(station.end().0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_by_name_before_its_keys_do() {
    /// The keys', of which the last ten seconds are for those who are behind.
    const RUN_MS: u64 = 14_000;
    let folder = tempfile::tempdir().unwrap();
    let (clip, data) = (clip(), folder.path().join("station"));
    let mut words = vec!["roundcast", "broadcast", "--no-page", "--loop"];
    words.extend(["--listen", "127.0.0.1:0", "--upload-mbps", "5"]);
    words.extend(["--input", clip.to_str().unwrap()]);
    words.extend(["--data", data.to_str().unwrap()]);
    let Verb::Broadcast(verb) = Cli::parse_from(words).verb else {
        panic!("another command");
    };
    let mut options = verb.resolve().unwrap();
    options.run_ms = RUN_MS;
    let station = Station::start(options).await.unwrap();
    let viewer = viewer(folder.path(), station.invite(), &[]);
    let broadcast = station.broadcast(std::future::pending());
    let ended = tokio::time::timeout(PATIENCE, broadcast).await.unwrap();
    let error = ended.unwrap_err();
    assert_eq!(error.reason(), "run_over");
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("new invite"), "{error}");
    viewer.event("stream_ended");
    assert_eq!(viewer.end().0, Some(0), "the viewer did nothing wrong");
}
