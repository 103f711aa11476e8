//! A station with two renditions and little upload: who finds no place gets the
//! smaller one, free riders make room, and room moves them up again. What comes
//! out is what was published, chunk by chunk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{Program, clip, finish, invite, roundcast, said, viewer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Stripes, and Mbit/s for two places of the best rendition and no third.
const SINGLE: [&str; 4] = ["--stripes", "1+0", "--upload-mbps", "2.5"];
const STRIPED: [&str; 4] = ["--stripes", "4+1", "--upload-mbps", "3.1"];
/// Places of the smaller one in one of the best.
const RATIO: usize = 4;
/// Two groups meet as well as their encoders made them.
const SEAM_US: u64 = 150_000;

fn small() -> PathBuf {
    clip().with_file_name("small.mp4")
}

fn station(folder: &Path, more: &[&str]) -> Program {
    let mut command = roundcast(&["broadcast", "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args(["--json", "--loop", "--trace-chunks", "--name", "S"])
        .arg("--input")
        .arg(clip())
        .arg("--input")
        .arg(small())
        .arg("--data")
        .arg(folder.join("station"))
        .args(more);
    Program::start(command)
}

struct Watcher {
    program: Program,
    out: PathBuf,
    /// Its events so far.
    told: Vec<Value>,
}

/// A free rider whom nobody asks.
fn rider(folder: &Path, invite: &str, number: usize) -> Watcher {
    let folder = folder.join(number.to_string());
    std::fs::create_dir(&folder).unwrap();
    let out = folder.join("out.mp4");
    let options = ["--trace-chunks", "--share-mbps", "0", "--sponsor", "never"];
    let options = [&options[..], &["--out", out.to_str().unwrap()]].concat();
    Watcher {
        program: viewer(&folder, invite, &options),
        out,
        told: Vec::new(),
    }
}

impl Watcher {
    fn event(&mut self, kind: &str) -> Value {
        let told = &mut self.told;
        let event = self
            .program
            .event_passing(kind, |event| told.push(event.clone()));
        self.told.push(event.clone());
        event
    }

    /// Waits until so many media chunks of this rendition have come.
    fn plays(&mut self, rendition: u64, chunks: usize) {
        let mut count = 0;
        while count < chunks {
            let chunk = self.event("chunk_received");
            count += usize::from(chunk["rendition"] == rendition && chunk["init"] == false);
        }
    }

    /// Ends it, and gives what came out, in order.
    fn end(mut self) -> Came {
        self.program.tell("quit");
        self.event("viewer_report");
        let (code, _) = self.program.end();
        assert_eq!(code, Some(0));
        let chunks = self.told.iter().filter(|e| e["kind"] == "chunk_received");
        Came {
            chunks: chunks.cloned().collect(),
            bytes: std::fs::read(&self.out).unwrap(),
        }
    }
}

struct Came {
    chunks: Vec<Value>,
    bytes: Vec<u8>,
}

type Published = BTreeMap<(u64, bool, u64), Value>;

fn key(chunk: &Value) -> (u64, bool, u64) {
    let number = |name: &str| chunk[name].as_u64().unwrap();
    let init = chunk["init"].as_bool().unwrap();
    (number("rendition"), init, number("sequence"))
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    data_encoding::HEXLOWER.encode(digest.as_ref())
}

/// Ends the station; everything that it has published.
fn all_published(mut station: Program) -> Published {
    station.tell("quit");
    let mut published = Published::new();
    station.event_passing("ended", |event| {
        if event["kind"] == "chunk_published" {
            published.insert(key(event), event.clone());
        }
    });
    published
}

impl Came {
    /// The file is what was published of each rendition, and its chunks follow
    /// each other in time.
    fn check(&self, published: &Published) {
        let (mut at, mut end_us) = (0, None);
        for chunk in &self.chunks {
            let original = &published[&key(chunk)];
            let next = at + usize::try_from(chunk["bytes"].as_u64().unwrap()).unwrap();
            assert_eq!(sha256(&self.bytes[at..next]), original["sha256"], "{chunk}");
            at = next;
            if chunk["init"] == false {
                let time_us = original["time_us"].as_u64().unwrap();
                if let Some(end_us) = end_us {
                    let gap_us = time_us.abs_diff(end_us);
                    assert!(gap_us <= SEAM_US, "{gap_us} us before {chunk}");
                }
                end_us = Some(time_us + original["duration_us"].as_u64().unwrap());
            }
        }
        assert_eq!(at, self.bytes.len());
    }

    /// The renditions, in the order in which they were played.
    fn renditions(&self) -> Vec<u64> {
        let mut played: Vec<u64> = self.chunks.iter().map(|c| key(c).0).collect();
        played.dedup();
        played
    }
}

#[test]
fn free_riders_are_degraded_rather_than_refused_and_move_up_again() {
    an_evening(&SINGLE);
}

#[test]
fn with_stripes_they_are_moved_all_the_same() {
    an_evening(&STRIPED);
}

fn an_evening(upload: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let options = [upload, &["--when-full", "degrade"]].concat();
    let station = station(folder.path(), &options);
    let invite = invite(&station);
    let mut riders = vec![rider(folder.path(), &invite, 0)];
    riders[0].plays(0, 5);
    // One place is kept for the smaller rendition: it serves so many of them.
    for number in 1..=RATIO {
        let mut next = rider(folder.path(), &invite, number);
        let degraded = next.event("degraded");
        assert_eq!(degraded["to"], 1);
        assert_eq!(degraded["cause"], "full");
        next.plays(1, 5);
        riders.push(next);
    }
    // For one more, who has the best one makes room.
    let mut last = rider(folder.path(), &invite, RATIO + 1);
    let degraded = riders[0].event("degraded");
    assert_eq!((&degraded["from"], &degraded["to"]), (&0.into(), &1.into()));
    assert_eq!(degraded["cause"], "made_room");
    last.event("degraded");
    last.plays(1, 5);
    riders[0].plays(1, 10);
    riders.push(last);
    // The others go, and there is room for who stays.
    let rest = riders.split_off(1);
    let mut gone: Vec<Came> = rest.into_iter().map(Watcher::end).collect();
    let mut first = riders.remove(0);
    let upgraded = first.event("upgraded");
    assert_eq!((&upgraded["from"], &upgraded["to"]), (&1.into(), &0.into()));
    first.plays(0, 5);
    let first = first.end();
    assert_eq!(first.renditions(), [0, 1, 0]);
    assert!(gone.iter().all(|came| came.renditions() == [1]));
    gone.push(first);
    let published = all_published(station);
    for came in &gone {
        came.check(&published);
    }
}

#[test]
fn without_degradation_the_same_audience_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let station = station(folder.path(), &SINGLE);
    let invite = invite(&station);
    let mut riders = Vec::new();
    for number in 0..2 {
        let mut next = rider(folder.path(), &invite, number);
        next.plays(0, 3);
        riders.push(next);
    }
    let mut third = rider(folder.path(), &invite, 2);
    assert_eq!(third.event("refused")["reason"], "no_capacity");
    let came: Vec<Came> = riders.into_iter().map(Watcher::end).collect();
    let published = all_published(station);
    for came in &came {
        assert_eq!(came.renditions(), [0]);
        came.check(&published);
    }
}

#[test]
fn inputs_that_make_no_ladder_are_refused_by_name() {
    let (best, small) = (clip(), small());
    let (best, small) = (best.to_str().unwrap(), small.to_str().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let two = ["--input", best, "--input", small];
    let cases: [(&[&str], &str); 7] = [
        (
            &["--input", best, "--when-full", "degrade"],
            "--when-full degrade needs",
        ),
        (&["--input", small, "--input", best], "is not smaller"),
        (&["--input", best, "--input", best], "is not smaller"),
        (
            &[&two[..], &["--raw", "--stream-mbps", "1"]].concat(),
            "no --raw",
        ),
        (&[&two[..], &["--input", "-"]].concat(), "no standard input"),
        (
            &[&two[..], &["--mesh"]].concat(),
            "neither --mesh nor --resume",
        ),
        (
            &[&two[..], &two[..], &two[..1], &[small]].concat(),
            "four times",
        ),
    ];
    for (options, named) in cases {
        let always = [
            "broadcast",
            "--no-page",
            "--upload-mbps",
            "5",
            "--data",
            data,
        ];
        let (code, text) = said(&finish(&[&always[..], options].concat()));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(named), "{named}: {text}");
    }
}
