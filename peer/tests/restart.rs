//! A station that is killed in the middle and takes its run up again, with
//! real programs: nobody joins anew, what flows among viewers goes on, and no
//! output misses a chunk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{Program, clip, invite, roundcast};
use media::{Fragmenter, Item, Looper};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wire::invite::Invite;

/// Between two fragments: a dozen of them take longer than a station waits until
/// it saves who is in.
const PAUSE_MS: u64 = 120;

/// The clip without end: its head, and fragment after fragment.
struct Film {
    head: Vec<u8>,
    fragments: Vec<media::Fragment>,
    looper: Looper,
    next: usize,
}

impl Film {
    fn open() -> Self {
        let mut fragmenter = Fragmenter::new();
        fragmenter.push(&std::fs::read(clip()).unwrap()).unwrap();
        let Some(Item::Init(init)) = fragmenter.next_item() else {
            panic!("the head comes first");
        };
        let fragments = std::iter::from_fn(|| fragmenter.next_item());
        let fragments = fragments.filter_map(|item| match item {
            Item::Fragment(fragment) => Some(fragment),
            Item::Init(_) => None,
        });
        Self {
            head: init.bytes.to_vec(),
            fragments: fragments.collect(),
            looper: Looper::new(&init),
            next: 0,
        }
    }

    fn fragment(&mut self) -> Vec<u8> {
        if self.next == self.fragments.len() {
            self.next = 0;
            self.looper.next_pass().unwrap();
        }
        let fragment = self.looper.rewrite(&self.fragments[self.next]).unwrap();
        self.next += 1;
        fragment.bytes.to_vec()
    }
}

/// A station that reads from a pipe, and feeds one viewer itself.
fn station(folder: &Path, more: &[&str]) -> Program {
    let mut command = roundcast(&["broadcast", "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args(["--json", "--trace-chunks", "--name", "S", "--input", "-"])
        .args(["--stripes", "1+0", "--upload-mbps", "1.5"])
        .args(["--stream-mbps", "1.1", "--data"])
        .arg(folder.join("station"))
        .args(more);
    Program::start(command)
}

struct Viewer {
    program: Program,
    out: PathBuf,
}

fn viewer(folder: &Path, invite: &str, name: &str) -> Viewer {
    let out = folder.join(format!("{name}.mp4"));
    let mut command = roundcast(&["watch", invite, "--listen", "127.0.0.1:0", "--no-page"]);
    command
        .args(["--json", "--trace-chunks", "--name", name])
        .args(["--share-mbps", "8", "--sponsor", "never", "--out"])
        .arg(&out)
        .arg("--data")
        .arg(folder.join(name));
    let program = Program::start(command);
    program.event("member");
    Viewer { program, out }
}

/// Feeds the head and then so many fragments; what was fed, without the head.
fn feed(station: &mut Program, film: &mut Film, count: usize) -> Vec<u8> {
    station.feed(&film.head);
    feed_on(station, film, count)
}

/// Feeds so many fragments, each when the one before was published.
fn feed_on(station: &mut Program, film: &mut Film, count: usize) -> Vec<u8> {
    let mut fed = Vec::new();
    for _ in 0..count {
        let fragment = film.fragment();
        station.feed(&fragment);
        while station.event("chunk_published")["init"] == true {}
        fed.extend(fragment);
        std::thread::sleep(Duration::from_millis(PAUSE_MS));
    }
    fed
}

/// Waits for this media chunk.
fn chunk(viewer: &Program, sequence: u64, mut pass: impl FnMut(&serde_json::Value)) {
    loop {
        let chunk = viewer.event_passing("chunk_received", &mut pass);
        if chunk["init"] == false && chunk["sequence"] == sequence {
            return;
        }
    }
}

#[test]
fn a_station_that_was_killed_takes_up_its_run_and_nobody_misses_a_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let mut film = Film::open();
    let mut first = station(folder.path(), &[]);
    let link = invite(&first);
    let names = ["one", "two", "three"];
    let viewers = names.map(|name| viewer(folder.path(), &link, name));
    let mut expected = film.head.clone();
    expected.extend(feed(&mut first, &mut film, 12));
    for viewer in &viewers {
        chunk(&viewer.program, 5, |_| {});
    }
    expected.extend({
        // The last one has been told of, and perhaps has not left.
        let fragment = film.fragment();
        first.feed(&fragment);
        while first.event("chunk_published")["sequence"] != 12 {}
        fragment
    });
    drop(first);

    let mut second = station(folder.path(), &["--resume"]);
    let ready = second.event("station_ready");
    assert_eq!(ready["invite"], *link, "the same run at the same address");
    let resumed = second.event("run_resumed");
    assert_eq!(
        (&resumed["members"], &resumed["lives"]),
        (&3.into(), &1.into())
    );
    for _ in &viewers {
        second.event("returned");
    }
    // What is kept is of an epoch that it cannot read.
    let late = viewer(folder.path(), &link, "late");
    expected.extend(feed(&mut second, &mut film, 12));
    second.close();
    chunk(&late.program, 24, |_| {});
    let report = late.program.event("viewer_report");
    assert!(report["chunks_due"].as_u64().unwrap() > 3, "{report}");
    assert_eq!(report["chunks_verified"], report["chunks_due"]);
    assert_eq!(late.program.end().0, Some(0));
    for (viewer, name) in viewers.into_iter().zip(names) {
        let mut rejoined = 0;
        chunk(&viewer.program, 24, |event| match event["kind"].as_str() {
            Some("rejoined") => {
                assert_eq!(event["place_kept"], true, "{name}");
                rejoined += 1;
            }
            Some("attack_refused" | "sender_equivocated" | "chunk_unusable") => {
                panic!("{name}: {event}")
            }
            // The station's edge has ended with it, and no other.
            Some("edge_down") if event["other"] != ready["spki"] => panic!("{name}: {event}"),
            _ => {}
        });
        assert_eq!(rejoined, 1, "{name} came back once");
        let report = viewer.program.event("viewer_report");
        assert_eq!(report["chunks_due"], 25, "{name}");
        assert_eq!(report["chunks_verified"], 25, "{name}");
        assert_eq!(viewer.program.end().0, Some(0), "{name}");
        let seen = std::fs::read(&viewer.out).unwrap();
        assert_eq!(seen.len(), expected.len(), "{name}");
        assert!(seen == expected, "{name} has what was published");
    }
    assert_eq!(second.end().0, Some(0));
    let again = station(folder.path(), &["--resume"]);
    let (code, text) = again.end();
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("no run of this station was cut short"),
        "{text}"
    );
}

/// The way to the station through a socket that can be closed to packets; it
/// carries one caller.
struct Way {
    open: Arc<AtomicBool>,
    invite: String,
}

impl Way {
    fn lay(link: &str) -> Self {
        let mut invite = Invite::parse(link).unwrap();
        let station = invite.addresses[0];
        let [near, far] = [(); 2].map(|()| Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap()));
        invite.addresses = vec![near.local_addr().unwrap()];
        far.connect(station).unwrap();
        let open = Arc::new(AtomicBool::new(true));
        let (in_near, in_far, in_open) = (near.clone(), far.clone(), open.clone());
        std::thread::spawn(move || {
            let mut packet = [0; 2_048];
            while let Ok((bytes, caller)) = in_near.recv_from(&mut packet) {
                in_near.connect(caller).unwrap();
                if in_open.load(Ordering::Relaxed) {
                    let _ = in_far.send(&packet[..bytes]);
                }
            }
        });
        let back_open = open.clone();
        std::thread::spawn(move || {
            let mut packet = [0; 2_048];
            loop {
                // Refused while the station is away.
                if let Ok(bytes) = far.recv(&mut packet)
                    && back_open.load(Ordering::Relaxed)
                {
                    let _ = near.send(&packet[..bytes]);
                }
            }
        });
        Self {
            open,
            invite: invite.to_uri().to_string(),
        }
    }

    fn cut(&self, cut: bool) {
        self.open.store(!cut, Ordering::Relaxed);
    }
}

#[test]
fn a_viewer_whose_line_to_the_coordinator_breaks_plays_on_and_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut film = Film::open();
    let mut station = station(folder.path(), &[]);
    let link = invite(&station);
    let above = viewer(folder.path(), &link, "above");
    let way = Way::lay(&link);
    let below = viewer(folder.path(), &way.invite, "below");
    feed(&mut station, &mut film, 3);
    chunk(&below.program, 2, |_| {});
    way.cut(true);
    // Both ends give a silent line up after eight seconds.
    let mut next = 3;
    let away = loop {
        feed_on(&mut station, &mut film, 5);
        next += 5;
        let mut away = false;
        chunk(&below.program, next - 1, |event| {
            assert_ne!(event["kind"], "edge_down", "{event}");
            away |= event["kind"] == "rejoining";
        });
        if away || next > 300 {
            break away;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(away, "the line has not broken");
    way.cut(false);
    let back = below.program.event_passing("rejoined", |event| {
        assert_ne!(event["kind"], "edge_down", "{event}");
    });
    assert_eq!(back["place_kept"], true);
    feed_on(&mut station, &mut film, 5);
    chunk(&below.program, next + 4, |event| {
        assert_ne!(event["kind"], "edge_down", "{event}");
    });
    station.close();
    for viewer in [above, below] {
        let report = viewer.program.event("viewer_report");
        assert_eq!(report["chunks_verified"], next + 5);
        assert_eq!(viewer.program.end().0, Some(0));
    }
    assert_eq!(station.end().0, Some(0));
}
