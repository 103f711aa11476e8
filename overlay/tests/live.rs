//! Who plays live does without what is late, unless somebody below wants it.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use bytes::Bytes;
use common::{RENDITION, Station, all, give, resume};
use overlay::forwarder::{Config, Forwarder};
use overlay::live::Live;
use wire::Sequence;

const CHILD: u32 = 1;

/// A node that has the first three chunks of eight.
fn behind() -> Forwarder<Bytes, u32> {
    let mut f = Forwarder::new(Config::default());
    let chunks = Station::new().evening(8, 3);
    // The init segment comes first.
    for chunk in chunks.iter().take(4) {
        give(&mut f, chunk);
    }
    f
}

fn next(f: &mut Forwarder<Bytes, u32>, live: Option<u64>) -> u64 {
    let resume = f.resume_live(RENDITION, all(), live.map(Sequence));
    resume.unwrap().next.0
}

#[test]
fn what_is_late_is_not_asked_for_and_without_a_limit_everything_is() {
    let mut f = behind();
    assert_eq!(next(&mut f, None), 3, "a recording");
    assert_eq!(next(&mut f, Some(2)), 3, "nothing is late");
    assert_eq!(next(&mut f, Some(6)), 6);
    // What was given up once stays so.
    assert_eq!(next(&mut f, None), 6);
}

#[test]
fn what_a_child_wants_is_asked_for_however_late_it_is() {
    let mut f = behind();
    f.add_child(CHILD, resume(Some(0), 0, &[]), all(), 0);
    assert_eq!(next(&mut f, Some(6)), 3);
    f.remove_child(CHILD);
    assert_eq!(next(&mut f, Some(6)), 6);
}

#[test]
fn the_limit_is_so_much_media_behind_the_head() {
    let f = behind();
    let chunk_us = f.chunk_us(RENDITION).unwrap();
    let live = Live::behind_ms(4 * chunk_us / 1_000);
    assert_eq!(live.plays_from(Sequence(7), chunk_us), Sequence(3));
    assert_eq!(live.resumes_from(Sequence(7), chunk_us), Sequence(5));
    // Playback can start at key frames alone.
    assert_eq!(f.start_from(RENDITION, Sequence(0)), Some(Sequence(0)));
    assert_eq!(f.start_from(RENDITION, Sequence(1)), None);
}
