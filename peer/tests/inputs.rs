//! What people give a station to send: recordings, live streams of any rate,
//! and streams that not every viewer can play.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{PATIENCE, Program, clip, invite, roundcast, station, viewer};
use media::{Fragment, Item};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const CLIP: &[u8] = include_bytes!("../../tests/media/clip.mp4");

fn fragments() -> (Vec<u8>, Vec<Fragment>) {
    let mut init = Vec::new();
    let mut fragments = Vec::new();
    for item in media::parse_all(CLIP).unwrap() {
        match item {
            Item::Init(segment) => init = segment.bytes.to_vec(),
            Item::Fragment(fragment) => fragments.push(fragment),
        }
    }
    (init, fragments)
}

/// A station with exactly these options besides folder and listening.
fn bare_station(folder: &Path, more: &[&str]) -> Program {
    let mut command = roundcast(&["broadcast", "--listen", "127.0.0.1:0", "--json"]);
    command.args(["--upload-mbps", "20", "--name", "S", "--data"]);
    command.arg(folder.join("station")).args(more);
    Program::start(command)
}

#[test]
fn a_recording_of_a_late_viewer_is_sent_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("late.mp4");
    let mut first = station(folder.path(), &clip(), &["--loop", "--trace-chunks"]);
    let invite = invite(&first);
    while first.event("chunk_published")["time_us"].as_u64() < Some(4_000_000) {}
    let out = ["--out", recording.to_str().unwrap()];
    let mut late = viewer(folder.path(), &invite, &out);
    late.event("first_chunk");
    while first.event("chunk_published")["time_us"].as_u64() < Some(6_000_000) {}
    late.tell("quit");
    assert_eq!(late.end().0, Some(0));
    first.tell("quit");
    assert_eq!(first.end().0, Some(0));

    let input = ["--no-page", "--trace-chunks", "--input"];
    let input = [&input[..], &[recording.to_str().unwrap()]].concat();
    let second = bare_station(folder.path(), &input);
    let ready_us = second.event("station_ready")["mono_us"].as_u64().unwrap();
    let mut chunk = second.event("chunk_published");
    while chunk["init"] == true {
        chunk = second.event("chunk_published");
    }
    assert!(chunk["time_us"].as_u64() >= Some(3_000_000), "{chunk}");
    let waited_us = chunk["mono_us"].as_u64().unwrap() - ready_us;
    assert!(waited_us < 2_000_000, "silent for {waited_us} us");
    assert_eq!(second.end().0, Some(0));
}

/// What a station tells that measured the clip on its standard input.
fn measured(more: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let one_tree = ["--no-page", "--stripes", "1+0", "--input", "-"];
    let options = [&one_tree[..], more].concat();
    let mut station = bare_station(folder.path(), &options);
    station.feed(CLIP);
    let measured = station.event("stream_rate_measured");
    station.close();
    assert_eq!(station.end().0, Some(0));
    measured
}

#[test]
fn the_rate_of_a_live_stream_is_measured_and_planned_with() {
    let told = measured(&[]);
    let bps = told["measured_bps"].as_u64().unwrap();
    assert!((900_000..1_000_000).contains(&bps), "{told}");
    assert_eq!(told["planned_bps"], 5_000_000, "what was assumed");
    assert_eq!(told["slot_bps"], bps * 125 / 100);
    assert_eq!(told["slots"], 20_000_000 / (bps * 125 / 100));
}

#[test]
fn a_rate_that_was_said_stays_the_plan_and_is_told_to_be_wrong() {
    let told = measured(&["--stream-mbps", "0.5"]);
    assert!(told["measured_bps"].as_u64() > Some(900_000), "{told}");
    assert_eq!(told["slot_bps"], 625_000, "by what was said: {told}");
}

#[test]
fn rare_key_frames_are_told_to_the_broadcaster() {
    let folder = tempfile::tempdir().unwrap();
    let (mut film, fragments) = fragments();
    // Key frames at 0 and at 3 s, nothing in between.
    let first = |f: &&Fragment| f.decode_time_us < 500_000;
    let second = |f: &&Fragment| (3_000_000..3_500_000).contains(&f.decode_time_us);
    for fragment in fragments.iter().filter(|f| first(f) || second(f)) {
        film.extend_from_slice(&fragment.bytes);
    }
    let input = folder.path().join("rare.mp4");
    std::fs::write(&input, film).unwrap();
    let station = station(folder.path(), &input, &[]);
    assert_eq!(station.event("key_frames_rare")["interval_ms"], 3_000);
    let (code, text) = station.end();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("-g"), "with the fix: {text}");
}

#[test]
fn a_stream_that_the_page_cannot_play_is_broadcast_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    // More in front of `moov` than the page takes, and less than the format
    // allows.
    let ftyp = u32::from_be_bytes(CLIP[..4].try_into().unwrap()) as usize;
    let mut film = CLIP[..ftyp].to_vec();
    let free = 300 * 1024u32;
    film.extend_from_slice(&free.to_be_bytes());
    film.extend_from_slice(b"free");
    film.resize(ftyp + free as usize, 0);
    film.extend_from_slice(&CLIP[ftyp..]);
    let input = folder.path().join("padded.mp4");
    std::fs::write(&input, film).unwrap();
    let page = ["--page", "127.0.0.1:0", "--loop", "--input"];
    let page = [&page[..], &[input.to_str().unwrap()]].concat();
    let mut station = bare_station(folder.path(), &page);
    let invite = invite(&station);
    station.event("page_refused");
    let mut viewer = viewer(folder.path(), &invite, &[]);
    viewer.event("first_chunk");
    viewer.tell("quit");
    assert_eq!(viewer.end().0, Some(0));
    station.tell("quit");
    assert_eq!(station.end().0, Some(0));
}

#[test]
fn the_address_for_other_players_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let clip = clip();
    let page = ["--page", "127.0.0.1:0", "--loop", "--input"];
    let page = [&page[..], &[clip.to_str().unwrap()]].concat();
    let mut station = bare_station(folder.path(), &page);
    let ready = station.event("station_ready");
    let live = ready["live"].as_str().unwrap();
    assert!(live.contains("/live.mp4?token="), "{live}");
    assert_ne!(ready["live"], ready["page"]);
    station.tell("quit");
    assert_eq!(station.end().0, Some(0));
}

/// `script`, which is part of every Debian, gives a program a terminal.
#[test]
fn who_sends_from_standard_input_types_in_the_terminal() {
    let script = Path::new("/usr/bin/script");
    if !script.exists() {
        assert!(std::env::var_os("CI").is_none(), "install bsdutils");
        eprintln!("not run: script is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live");
    // The station has both ends of its input: it never ends by itself.
    let line = format!(
        "mkfifo {live}; exec 3<>{live}; exec {program} broadcast --input - --json --no-page \
         --listen 127.0.0.1:0 --upload-mbps 5 --data {data} <&3",
        live = live.display(),
        program = env!("CARGO_BIN_EXE_roundcast"),
        data = folder.path().join("station").display(),
    );
    let mut command = Command::new(script);
    command.args(["-qec", &line, "/dev/null"]);
    let mut station = Program::start(command);
    station.event("station_ready");
    station.tell("quit");
    station.event("ended");
    assert_eq!(station.end().0, Some(0));
}

#[test]
fn a_budget_that_is_spent_is_renewed_with_the_same_parent() {
    /// More than a permit is good for at the rate that was said.
    const MEGABYTES: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let raw = ["--no-page", "--input", "-", "--raw"];
    let wrong = ["--stream-mbps", "0.1", "--upload-mbps", "200"];
    let mut command = roundcast(&["broadcast", "--listen", "127.0.0.1:0", "--json"]);
    command.args(raw).args(wrong).arg("--data");
    command.arg(folder.path().join("station"));
    let mut station = Program::start(command);
    let invite = invite(&station);
    let mut viewer = viewer(folder.path(), &invite, &[]);
    station.feed(&vec![1; 64 * 1024]);
    viewer.event("edge_up");
    let mut pipe = station.stdin();
    let feeding = std::thread::spawn(move || {
        for _ in 0..MEGABYTES {
            pipe.write_all(&vec![1; 1024 * 1024]).unwrap();
            std::thread::sleep(Duration::from_millis(200));
        }
        pipe
    });
    let spent = viewer.event("edge_down");
    assert_eq!(spent["reason"], "budget_spent");
    let again = Instant::now();
    viewer.event("edge_up");
    assert!(again.elapsed() < PATIENCE / 2);
    let pipe = feeding.join().unwrap();
    viewer.tell("quit");
    assert_eq!(viewer.end().0, Some(0));
    drop(pipe);
    assert_eq!(station.end().0, Some(0));
}
