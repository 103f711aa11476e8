//! What users get wrong, and what the world does to them: a named error with
//! its fix and the right exit code, never a panic, and nothing lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{clip, finish, invite, roundcast, said, station, viewer};
use std::path::Path;

const BROADCAST: [&str; 6] = [
    "broadcast",
    "--listen",
    "127.0.0.1:0",
    "--upload-mbps",
    "5",
    "--no-page",
];

fn broadcast(folder: &Path, input: &Path, more: &[&str]) -> (Option<i32>, String) {
    let data = folder.join("data");
    let mut arguments = BROADCAST.to_vec();
    arguments.extend(["--data", data.to_str().unwrap()]);
    arguments.extend(["--input", input.to_str().unwrap()]);
    arguments.extend(more);
    said(&finish(&arguments))
}

#[test]
fn garbage_is_no_video_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("garbage.mp4");
    std::fs::write(&input, [0x5a; 4096]).unwrap();
    let (code, text) = broadcast(folder.path(), &input, &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("video") && text.contains("ffmpeg"), "{text}");
}

#[test]
fn a_missing_input_is_named_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("nowhere.mp4");
    let (code, text) = broadcast(folder.path(), &input, &["--stream-mbps", "1"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("nowhere.mp4") && text.contains("check"),
        "{text}"
    );
}

#[test]
fn truncated_video_ends_the_station_and_viewers_keep_what_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(clip()).unwrap();
    let input = folder.path().join("cut.mp4");
    std::fs::write(&input, &whole[..whole.len() / 3]).unwrap();
    let published = folder.path().join("published.mp4");
    let received = folder.path().join("received.mp4");
    let keep = ["--keep", published.to_str().unwrap()];
    let station = station(folder.path(), &input, &keep);
    let invite = invite(&station);
    let out = ["--out", received.to_str().unwrap()];
    let viewer = viewer(folder.path(), &invite, &out);
    viewer.event("first_chunk");
    let (code, text) = station.end();
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("truncated") || text.contains("ends inside"),
        "{text}"
    );
    let (code, text) = viewer.end();
    assert_eq!(
        code,
        Some(0),
        "the stream ended, the viewer did nothing wrong: {text}"
    );
    let (published, received) = (
        std::fs::read(published).unwrap(),
        std::fs::read(received).unwrap(),
    );
    assert!(!received.is_empty());
    assert!(
        published.ends_with(&received[received.len() / 2..]),
        "what was received is what was published, to the end"
    );
}

#[test]
fn a_port_in_use_is_named_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = folder.path().join("data");
    let input = clip();
    let output = finish(&[
        "broadcast",
        "--listen",
        &address,
        "--upload-mbps",
        "5",
        "--no-page",
        "--data",
        data.to_str().unwrap(),
        "--input",
        input.to_str().unwrap(),
    ]);
    let (code, text) = said(&output);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains(&address) && text.contains("--listen"),
        "{text}"
    );
}

#[test]
fn a_missing_folder_for_the_output_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let station = station(folder.path(), &clip(), &["--loop"]);
    let invite = invite(&station);
    let out = folder.path().join("no/such/folder/out.mp4");
    let (code, text) = viewer(folder.path(), &invite, &["--out", out.to_str().unwrap()]).end();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("no/such/folder"), "{text}");
}

#[test]
fn a_full_disk_is_named_and_the_others_watch_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut station = station(folder.path(), &clip(), &["--loop"]);
    let invite = invite(&station);
    let (code, text) = viewer(folder.path(), &invite, &["--out", "/dev/full"]).end();
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("/dev/full") && text.contains("disk"),
        "{text}"
    );
    let mut other = viewer(folder.path(), &invite, &[]);
    other.event("first_chunk");
    other.tell("quit");
    assert_eq!(other.end().0, Some(0));
    station.tell("quit");
    assert_eq!(station.end().0, Some(0));
}

#[test]
fn who_is_not_let_in_keeps_an_earlier_recording() {
    let folder = tempfile::tempdir().unwrap();
    let station = station(folder.path(), &clip(), &["--loop"]);
    let invite = invite(&station);
    let at = invite.find("?s=").unwrap() + 3;
    let other = if invite.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    let wrong = format!("{}{other}{}", &invite[..at], &invite[at + 1..]);
    let out = folder.path().join("earlier.mp4");
    std::fs::write(&out, "an evening").unwrap();
    let (code, text) = viewer(folder.path(), &wrong, &["--out", out.to_str().unwrap()]).end();
    assert_eq!(code, Some(3), "{text}");
    assert_eq!(std::fs::read(&out).unwrap(), b"an evening");
}

#[test]
fn options_that_exclude_each_other_are_usage_errors() {
    let key = "A".repeat(43);
    let invite = format!("roundcast:v1/{key}?s={key}&a=127.0.0.1:1");
    for (arguments, fix) in [
        (&["watch", &invite, "--out", "-", "--json"][..], "--json"),
        (
            &["broadcast", "--input", "-", "--loop", "--upload-mbps", "5"],
            "--loop",
        ),
    ] {
        let (code, text) = said(&finish(arguments));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("usage") && text.contains(fix), "{text}");
    }
}

#[test]
fn an_option_with_a_bad_value_is_a_usage_error_with_its_fix() {
    let folder = tempfile::tempdir().unwrap();
    let (data, input) = (folder.path().to_str().unwrap(), clip());
    let input = input.to_str().unwrap();
    for (option, value, fix) in [
        ("--stripes", "9+9", "such as 4+1"),
        ("--page", "0.0.0.0:0", "use 127.0.0.1"),
    ] {
        let begin = ["broadcast", "--input", input, "--data", data];
        let end = [
            "--listen",
            "127.0.0.1:0",
            "--upload-mbps",
            "5",
            option,
            value,
        ];
        let (code, text) = said(&finish(&[&begin[..], &end[..]].concat()));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(fix), "{text}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_panic() {
    use std::process::Stdio;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = roundcast(&["config", "check", "--config", "/dev/null"])
        .stdin(Stdio::null())
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(said(&output).0, Some(0));
}

#[test]
fn an_altered_invite_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let station = station(folder.path(), &clip(), &["--loop"]);
    let invite = invite(&station);
    let altered = |marker: &str| {
        let at = invite.find(marker).unwrap() + marker.len();
        let old = invite.as_bytes()[at];
        let new = if old == b'A' { "B" } else { "A" };
        format!("{}{new}{}", &invite[..at], &invite[at + 1..])
    };
    let (code, text) = viewer(folder.path(), &altered("?s="), &[]).end();
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("invite_invalid"), "{text}");
    let (code, text) = viewer(folder.path(), &altered("roundcast:v1/"), &[]).end();
    assert_eq!(code, Some(3), "another stream's key: {text}");
    assert!(text.contains("run"), "{text}");
}

#[test]
fn a_hostile_invite_is_a_usage_error_and_changes_nothing() {
    let key = "A".repeat(43);
    for hostile in [
        "https://example.invalid/",
        "roundcast:v1/short?s=x&a=127.0.0.1:1",
        &format!("roundcast:v1/{key}?s={key}&a=127.0.0.1:1&trust-root=/tmp/evil"),
        &format!("roundcast:v1/{key}?s={key}&a=127.0.0.1:1;reboot"),
        &format!("roundcast:v1/{key}?s={key}"),
    ] {
        let (code, text) = said(&finish(&["watch", hostile, "--no-page"]));
        assert_eq!(code, Some(2), "{hostile}: {text}");
        assert!(text.contains("invite"), "{text}");
    }
}

#[test]
fn an_unknown_field_in_the_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "name = \"x\"\ntrust_root = \"/tmp/evil\"\n").unwrap();
    let output = finish(&["config", "check", "--config", config.to_str().unwrap()]);
    let (code, text) = said(&output);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("trust_root"), "{text}");
}

#[test]
fn sponsoring_by_itself_needs_a_price() {
    let key = "A".repeat(43);
    let invite = format!("roundcast:v1/{key}?s={key}&a=127.0.0.1:1");
    let (code, text) = said(&finish(&[
        "watch",
        &invite,
        "--sponsor",
        "auto",
        "--no-page",
    ]));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--max-price"), "{text}");
}

#[test]
fn a_station_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let key = "A".repeat(43);
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let invite = format!(
        "roundcast:v1/{key}?s={key}&a={}",
        free.local_addr().unwrap()
    );
    drop(free);
    let (code, text) = viewer(folder.path(), &invite, &[]).end();
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("handshake") || text.contains("link"),
        "{text}"
    );
}

/// Debian's `faketime` sets the clock of one process. Where it is missing the
/// test says so; `tests/run` installs it, and CI requires it.
#[test]
fn a_clock_far_off_is_named_as_such() {
    let faketime = Path::new("/usr/bin/faketime");
    if !faketime.exists() {
        assert!(std::env::var_os("CI").is_none(), "install faketime");
        eprintln!("not run: faketime is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let station = station(folder.path(), &clip(), &["--loop"]);
    let invite = invite(&station);
    for offset in ["-3650d", "+2h", "+3d"] {
        let output = std::process::Command::new(faketime)
            .args([
                "-f",
                offset,
                env!("CARGO_BIN_EXE_roundcast"),
                "watch",
                &invite,
            ])
            .args(["--listen", "127.0.0.1:0", "--no-page", "--data"])
            .arg(folder.path().join("viewer"))
            .output()
            .unwrap();
        let (code, text) = said(&output);
        assert_ne!(code, Some(0), "{offset}: {text}");
        assert!(text.contains("clock:"), "{offset}: {text}");
    }
    let output = std::process::Command::new(faketime)
        .args(["-f", "-3650d", env!("CARGO_BIN_EXE_roundcast")])
        .args(BROADCAST)
        .args(["--input", clip().to_str().unwrap(), "--data"])
        .arg(folder.path().join("behind"))
        .output()
        .unwrap();
    let (code, text) = said(&output);
    assert_eq!(code, Some(1), "a station, too: {text}");
    assert!(text.contains("clock:"), "{text}");
}
