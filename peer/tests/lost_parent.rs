//! A viewer loses the only parent he has, and gets another one or its place. Who
//! plays live goes on with what can still be shown, at a key frame; who records
//! gets every chunk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{Program, clip, invite, roundcast};
use serde_json::Value;
use std::path::Path;

/// Chunks that a viewer plays before its parent dies, and after.
const CHUNKS: usize = 10;

fn station(folder: &Path, upload_mbps: &str) -> Program {
    let mut command = roundcast(&["broadcast", "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args(["--json", "--loop", "--stripes", "1+0", "--name", "S"])
        .args(["--upload-mbps", upload_mbps, "--stream-mbps", "1.1"])
        .arg("--input")
        .arg(clip())
        .arg("--data")
        .arg(folder.join("station"));
    Program::start(command)
}

fn viewer(folder: &Path, invite: &str, name: &str, more: &[&str]) -> Program {
    let mut command = roundcast(&["watch", invite, "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args(["--json", "--trace-chunks", "--sponsor", "never"])
        .args(["--name", name])
        .arg("--data")
        .arg(folder.join(name))
        .args(more);
    Program::start(command)
}

/// The next media chunks: their numbers, and whether playback can start there.
fn chunks(viewer: &Program, count: usize) -> Vec<(u64, bool)> {
    let mut chunks = Vec::new();
    while chunks.len() < count {
        let chunk = viewer.event("chunk_received");
        if chunk["init"] == Value::Bool(false) {
            let number = chunk["sequence"].as_u64().unwrap();
            chunks.push((number, chunk["key"] == Value::Bool(true)));
        }
    }
    chunks
}

/// What a viewer with these options puts out while the one above it dies.
fn evening(more: &[&str]) -> Vec<(u64, bool)> {
    let folder = tempfile::tempdir().unwrap();
    // Room for two children.
    let station = station(folder.path(), "2.5");
    let invite = invite(&station);
    let mut parents: Vec<(Program, String)> = ["P", "Q"]
        .into_iter()
        .map(|name| {
            let parent = viewer(folder.path(), &invite, name, &["--share-mbps", "10"]);
            let member = parent.event("member")["spki"].as_str().unwrap().to_owned();
            parent.event("first_chunk");
            (parent, member)
        })
        .collect();
    let more = [&["--share-mbps", "0"], more].concat();
    let mut child = viewer(folder.path(), &invite, "C", &more);
    let from = child.event("first_chunk")["from"].clone();
    let mut played = chunks(&child, CHUNKS);
    // Whoever feeds it is killed.
    let feeds = parents
        .iter()
        .position(|(_, member)| from == member.as_str());
    drop(parents.remove(feeds.expect("the station is full")));
    // Some may still have been on their way to the events.
    played.extend(chunks(&child, 3 * CHUNKS));
    child.tell("quit");
    assert_eq!(child.end().0, Some(0));
    played
}

/// Places where the next chunk is not the next number.
fn gaps(played: &[(u64, bool)]) -> Vec<&[(u64, bool)]> {
    let gap = |pair: &&[(u64, bool)]| pair[1].0 != pair[0].0 + 1;
    played.windows(2).filter(gap).collect()
}

#[test]
fn the_place_of_a_dead_parent_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    // Room for one child.
    let station = station(folder.path(), "1.5");
    let invite = invite(&station);
    let parent = viewer(folder.path(), &invite, "P", &["--share-mbps", "10"]);
    parent.event("first_chunk");
    let mut child = viewer(folder.path(), &invite, "C", &["--share-mbps", "0"]);
    let before = chunks(&child, CHUNKS);
    // It is killed. The station finds out later than the child does.
    drop(parent);
    let after = chunks(&child, 6 * CHUNKS);
    let played = [before, after].concat();
    assert!(gaps(&played).is_empty(), "{played:?}");
    child.tell("quit");
    assert_eq!(child.end().0, Some(0));
}

#[test]
fn who_plays_live_goes_on_at_a_key_frame() {
    let played = evening(&["--live-delay-ms", "400"]);
    let gaps = gaps(&played);
    assert_eq!(gaps.len(), 1, "{played:?}");
    let [before, after] = gaps[0] else {
        panic!("a pair")
    };
    assert!(after.0 > before.0, "{played:?}");
    assert!(after.1, "it begins where playback can start: {played:?}");
}

#[test]
fn who_records_gets_every_chunk() {
    let played = evening(&[]);
    assert!(gaps(&played).is_empty(), "{played:?}");
}
