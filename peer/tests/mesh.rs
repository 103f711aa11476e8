//! Viewers that pull from each other: beside the trees, and without any.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{Program, invite, roundcast, station};
use serde_json::Value;
use std::path::Path;

/// About eleven seconds at 1.1 Mbit/s.
const BYTES: u32 = 1_500_000;
const VIEWERS: usize = 4;

fn input(folder: &Path) -> std::path::PathBuf {
    let input = folder.join("any.bin");
    let byte = |n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8;
    std::fs::write(&input, (0..BYTES).map(byte).collect::<Vec<u8>>()).unwrap();
    input
}

/// A station without trees that cannot send the stream twice.
fn mesh_station(folder: &Path) -> Program {
    let mut command = roundcast(&["broadcast", "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args([
            "--json",
            "--mesh",
            "--raw",
            "--name",
            "S",
            "--kept-ms",
            "4000",
        ])
        .args(["--upload-mbps", "1.8", "--stream-mbps", "1.1", "--input"])
        .arg(input(folder))
        .arg("--data")
        .arg(folder.join("station"));
    Program::start(command)
}

/// A viewer who shares so much; what he gets is in a file of his name.
fn sharing(folder: &Path, invite: &str, name: &str, share_mbps: &str) -> Program {
    let mut command = roundcast(&["watch", invite, "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args(["--json", "--name", name, "--share-mbps", share_mbps])
        .arg("--out")
        .arg(folder.join(format!("{name}.out")))
        .arg("--data")
        .arg(folder.join(name));
    Program::start(command)
}

/// What all viewers of a run without trees have at its end: whether nothing is
/// missing from where each began, and blocks that they gave to each other.
fn all_pull(share_mbps: &str) -> (bool, u64) {
    let folder = tempfile::tempdir().unwrap();
    let station = mesh_station(folder.path());
    let invite = invite(&station);
    let names: Vec<String> = (0..VIEWERS).map(|n| format!("V{n}")).collect();
    let viewers: Vec<Program> = names
        .iter()
        .map(|name| sharing(folder.path(), &invite, name, share_mbps))
        .collect();
    let mut given = 0;
    let mut whole = true;
    for viewer in viewers {
        let mut last = Value::Null;
        let report = viewer.event_passing("viewer_report", |event| {
            assert_ne!(event["kind"], "edge_up", "nobody pushes");
            if event["kind"] == "repairs" {
                last = event.clone();
            }
        });
        given += last["answered"].as_u64().unwrap_or(0);
        whole &= report["chunks_due"] == report["chunks_verified"];
        assert_eq!(viewer.end().0, Some(0));
    }
    assert_eq!(station.end().0, Some(0));
    let published = std::fs::read(folder.path().join("any.bin")).unwrap();
    for name in names {
        let received = std::fs::read(folder.path().join(format!("{name}.out"))).unwrap();
        whole &= received.len() > 700_000 && published.ends_with(&received);
    }
    (whole, given)
}

#[test]
fn without_trees_viewers_pull_all_of_it_from_each_other() {
    let (whole, given) = all_pull("6");
    assert!(whole, "from where each began nothing is missing");
    assert!(given > 100, "{given} blocks");
}

#[test]
fn where_nobody_gives_the_station_alone_is_not_enough() {
    assert_eq!(all_pull("0"), (false, 0));
}

#[test]
fn beside_the_trees_viewers_with_upload_are_given_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let input = input(folder.path());
    let mut station = station(folder.path(), &input, &["--raw"]);
    let invite = invite(&station);
    let first = sharing(folder.path(), &invite, "V0", "6");
    let second = sharing(folder.path(), &invite, "V1", "6");
    let ids = [&first, &second].map(|viewer| viewer.event("member")["spki"].clone());
    let up = |viewer: &Program, other: &Value| {
        // Each has a link each way.
        let mut ways = [false; 2];
        while ways != [true; 2] {
            let event = viewer.event("neighbour_up");
            assert_eq!(&event["other"], other);
            ways[usize::from(event["child"] == true)] = true;
        }
    };
    up(&first, &ids[1]);
    up(&second, &ids[0]);
    station.tell("quit");
}
