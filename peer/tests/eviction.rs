//! Eviction with real programs: out at once, and out of what follows, while
//! the others do not miss a chunk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{Program, clip, invite, roundcast, station};
use std::path::Path;

fn named(folder: &Path, invite: &str, name: &str, more: &[&str]) -> Program {
    let mut command = roundcast(&["watch", invite, "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args(["--json", "--trace-chunks", "--name", name, "--data"])
        .arg(folder.join(name))
        .args(more);
    Program::start(command)
}

/// The sequences of the next `count` media chunks.
fn sequences(viewer: &Program, count: usize) -> Vec<u64> {
    let mut found = Vec::new();
    while found.len() < count {
        let chunk = viewer.event("chunk_received");
        if chunk["init"] == false {
            found.push(chunk["sequence"].as_u64().unwrap());
        }
    }
    found
}

#[test]
fn the_evicted_is_out_and_the_others_read_the_next_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let mut station = station(folder.path(), &clip(), &["--loop"]);
    let invite = invite(&station);
    let recording = folder.path().join("stays.mp4");
    let out = ["--out", recording.to_str().unwrap()];
    let mut stays = named(folder.path(), &invite, "stays", &out);
    let goes = named(folder.path(), &invite, "goes", &[]);
    let first = sequences(&stays, 3)[0];
    goes.event("first_chunk");

    station.tell("evict goes");
    let evicted = station.event("evicted");
    assert_eq!(evicted["who"], "goes");
    assert_eq!(evicted["epoch"], 1, "a new epoch has begun");
    let (code, text) = goes.end();
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("revoked"), "{text}");

    // Ten more chunks are past the change of the epoch's key.
    let last = *sequences(&stays, 10).last().unwrap();
    assert_eq!(last, first + 12, "nothing was missed at the change");
    let mut late = named(folder.path(), &invite, "late", &[]);
    assert!(
        sequences(&late, 3)[0] > first,
        "who joins now reads the new epoch, its init segment first"
    );
    late.tell("quit");
    stays.tell("quit");
    assert_eq!(late.end().0, Some(0));
    assert_eq!(stays.end().0, Some(0));
    let recorded = std::fs::read(&recording).unwrap();
    let items = media::parse_all(&recorded).expect("one stream with one head");
    assert!(items.len() > 13, "over the change of keys");
    station.tell("quit");
    assert_eq!(station.end().0, Some(0));
}
