//! `--raw`: the forwarding core does not know that it carries video. What
//! comes out is byte for byte what went in, from where the viewer began.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{Program, finish, invite, roundcast, said, station, viewer};
use std::path::Path;

/// About four seconds at the rate of [`station`].
const BYTES: u32 = 600_000;

fn any_bytes(count: u32) -> Vec<u8> {
    let byte = |n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8;
    (0..count).map(byte).collect()
}

/// What a viewer wrote is the end of what was published, and enough of it.
fn check_tail(published: &Path, received: &Path) {
    let published = std::fs::read(published).unwrap();
    let received = std::fs::read(received).unwrap();
    assert!(received.len() > 100_000, "{} bytes", received.len());
    assert!(
        published.ends_with(&received),
        "from where the viewer began nothing is missing, and nothing added"
    );
}

#[test]
fn any_bytes_arrive_whole() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("any.bin");
    std::fs::write(&input, any_bytes(BYTES)).unwrap();
    let published = folder.path().join("published.bin");
    let received = folder.path().join("received.bin");
    let keep = ["--raw", "--keep", published.to_str().unwrap()];
    let station = station(folder.path(), &input, &keep);
    let invite = invite(&station);
    let out = ["--out", received.to_str().unwrap()];
    let viewer = viewer(folder.path(), &invite, &out);
    viewer.event("first_chunk");
    assert_eq!(station.end().0, Some(0));
    assert_eq!(viewer.end().0, Some(0));
    assert!(
        std::fs::read(&published).unwrap() == any_bytes(BYTES),
        "what is kept is the input and nothing else"
    );
    check_tail(&published, &received);
}

#[test]
fn a_new_epoch_puts_nothing_between_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("any.bin");
    std::fs::write(&input, any_bytes(BYTES)).unwrap();
    let published = folder.path().join("published.bin");
    let received = folder.path().join("received.bin");
    let keep = ["--raw", "--keep", published.to_str().unwrap()];
    let mut station = station(folder.path(), &input, &keep);
    let invite = invite(&station);
    let out = ["--out", received.to_str().unwrap()];
    let stays = viewer(folder.path(), &invite, &out);
    stays.event("first_chunk");
    let mut command = roundcast(&["watch", &invite, "--listen", "127.0.0.1:0", "--no-page"]);
    command.args(["--json", "--name", "goes", "--data"]);
    command.arg(folder.path().join("goes"));
    let goes = Program::start(command);
    goes.event("first_chunk");
    station.tell("evict goes");
    assert_eq!(station.event("evicted")["epoch"], 1);
    assert_eq!(goes.end().0, Some(3));
    assert_eq!(station.end().0, Some(0));
    assert_eq!(stays.end().0, Some(0));
    assert!(std::fs::read(&published).unwrap() == any_bytes(BYTES));
    check_tail(&published, &received);
}

#[test]
fn what_a_slow_source_says_is_sent_before_a_block_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let received = folder.path().join("received.txt");
    let mut station = station(folder.path(), Path::new("-"), &["--raw"]);
    let invite = invite(&station);
    station.feed(b"good evening");
    let out = ["--out", received.to_str().unwrap()];
    let viewer = viewer(folder.path(), &invite, &out);
    viewer.event("first_chunk");
    station.close();
    assert_eq!(viewer.end().0, Some(0));
    assert_eq!(station.end().0, Some(0));
    assert_eq!(std::fs::read(&received).unwrap(), b"good evening");
}

#[test]
fn a_raw_file_without_a_rate_is_a_usage_error_with_its_fix() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("any.bin");
    std::fs::write(&input, any_bytes(100)).unwrap();
    let arguments = ["broadcast", "--raw", "--upload-mbps", "5", "--no-page"];
    let input = ["--input", input.to_str().unwrap()];
    let (code, text) = said(&finish(&[&arguments[..], &input].concat()));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--stream-mbps"), "{text}");
}
