//! `--raw`: the forwarding core does not know that it carries video. What
//! comes out is byte for byte what went in, through one viewer and through
//! the next.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{invite, station, viewer};

#[test]
fn any_bytes_arrive_whole() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0u32..600_000)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let input = folder.path().join("any.bin");
    std::fs::write(&input, &bytes).unwrap();
    let published = folder.path().join("published.bin");
    let received = folder.path().join("received.bin");
    let keep = ["--raw", "--keep", published.to_str().unwrap()];
    let station = station(folder.path(), &input, &keep);
    let invite = invite(&station);
    let viewer = viewer(
        folder.path(),
        &invite,
        &["--out", received.to_str().unwrap()],
    );
    viewer.event("first_chunk");
    assert_eq!(station.end().0, Some(0));
    assert_eq!(viewer.end().0, Some(0));
    let published = std::fs::read(published).unwrap();
    assert!(published.ends_with(&bytes), "every byte is published");
    let received = std::fs::read(received).unwrap();
    assert!(received.len() > 100_000, "{} bytes", received.len());
    let body = &received[3..];
    assert!(
        published.ends_with(body),
        "from where the viewer began, nothing is missing"
    );
}
