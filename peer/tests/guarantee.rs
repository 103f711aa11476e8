//! Each viewer is told whether any one node's end costs it a chunk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{Program, clip, invite, roundcast};
use std::path::Path;

fn viewer(folder: &Path, invite: &str, name: &str) -> Program {
    let mut command = roundcast(&["watch", invite, "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args(["--json", "--share-mbps", "8", "--sponsor", "never"])
        .args(["--name", name, "--data"])
        .arg(folder.join(name));
    Program::start(command)
}

#[test]
fn who_hangs_on_one_viewer_is_told_so_and_told_again_when_that_one_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = roundcast(&["broadcast", "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args(["--json", "--name", "S", "--loop", "--stripes", "1+0"])
        .args(["--upload-mbps", "1.5", "--stream-mbps", "1.1", "--input"])
        .arg(clip())
        .arg("--data")
        .arg(folder.path().join("station"));
    let mut station = Program::start(command);
    let link = invite(&station);
    let mut above = viewer(folder.path(), &link, "above");
    assert_eq!(above.event("guarantee")["guaranteed"], true);
    let mut below = viewer(folder.path(), &link, "below");
    assert_eq!(below.event("guarantee")["guaranteed"], false);
    let counted = loop {
        let told = station.event("guarantee");
        if told["viewers"] == 2 {
            break told["viewers_guaranteed"].clone();
        }
    };
    assert_eq!(counted, 1);
    above.tell("quit");
    assert_eq!(above.end().0, Some(0));
    assert_eq!(below.event("guarantee")["guaranteed"], true);
    below.tell("quit");
    assert_eq!(below.end().0, Some(0));
    station.tell("quit");
    assert_eq!(station.end().0, Some(0));
}
