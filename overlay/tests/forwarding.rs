//! What crosses an edge, and in which order.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod common;

use bytes::Bytes;
use common::{
    BLOCKS, RENDITION, Sent, Station, all, drain, give, give_block, give_header, headers, resume,
    start, whole, whole_init,
};
use overlay::forwarder::{Begin, Config, Forwarder};
use wire::statement::ChunkFlags;
use wire::{Reason, Sequence};

const CHILD: u32 = 1;

fn forwarder() -> Forwarder<Bytes, u32> {
    Forwarder::new(Config::default())
}

#[test]
fn a_late_joiner_starts_at_the_newest_key_frame_with_the_init_segment_first() {
    let mut f = forwarder();
    for chunk in Station::new().evening(8, 3) {
        give(&mut f, &chunk);
    }
    assert_eq!(
        f.add_child(CHILD, start(), all(), 0),
        Begin::At(Sequence(6))
    );
    let mut expected = vec![Sent::Group(6)];
    expected.extend(whole_init(0));
    expected.extend(whole(6));
    expected.extend(whole(7));
    assert_eq!(drain(&mut f, CHILD), expected);
}

#[test]
fn who_comes_before_the_first_key_frame_waits_for_it() {
    let mut station = Station::new();
    let mut f = forwarder();
    assert_eq!(f.add_child(CHILD, start(), all(), 0), Begin::AtNextKey);
    give(&mut f, &station.init());
    give(&mut f, &station.media(false));
    assert_eq!(drain(&mut f, CHILD), []);
    give(&mut f, &station.media(true));
    let mut expected = vec![Sent::Group(1)];
    expected.extend(whole_init(0));
    expected.extend(whole(1));
    assert_eq!(drain(&mut f, CHILD), expected);
}

#[test]
fn a_block_goes_out_before_its_chunk_is_complete() {
    let mut station = Station::new();
    let mut f = forwarder();
    give(&mut f, &station.init());
    f.add_child(CHILD, start(), all(), 0);
    let chunk = station.media(true);
    give_header(&mut f, &chunk);
    give_block(&mut f, &chunk, 2);
    let sent = drain(&mut f, CHILD);
    assert_eq!(sent[sent.len() - 2..], [Sent::Header(0), Sent::Block(0, 2)]);
    // A child in the middle of the chunk gets what is here, then what comes.
    f.add_child(2, start(), all(), 0);
    give_block(&mut f, &chunk, 0);
    let sent = drain(&mut f, 2);
    let tail = [Sent::Header(0), Sent::Block(0, 2), Sent::Block(0, 0)];
    assert_eq!(sent[sent.len() - 3..], tail);
    assert_eq!(drain(&mut f, CHILD), [Sent::Block(0, 0)]);
}

#[test]
fn a_group_begins_at_every_key_frame_and_ends_with_the_run() {
    let mut station = Station::new();
    let mut f = forwarder();
    f.add_child(CHILD, start(), all(), 0);
    for chunk in station.evening(4, 2) {
        give(&mut f, &chunk);
    }
    let end = station.publish(ChunkFlags {
        end: true,
        ..ChunkFlags::default()
    });
    give(&mut f, &end);
    let marks: Vec<Sent> = drain(&mut f, CHILD)
        .into_iter()
        .filter(|s| matches!(s, Sent::Group(_) | Sent::End))
        .collect();
    assert_eq!(
        marks,
        [Sent::Group(0), Sent::End, Sent::Group(2), Sent::End]
    );
}

#[test]
fn a_block_that_comes_after_the_next_group_began_brings_its_header_again() {
    let mut station = Station::new();
    let mut f = forwarder();
    give(&mut f, &station.init());
    f.add_child(CHILD, start(), all(), 0);
    give(&mut f, &station.media(true));
    drain(&mut f, CHILD);
    // A parent dies within chunk 1; the next one sends 2 beside the rest.
    let (late, next) = (station.media(false), station.media(true));
    give_header(&mut f, &late);
    give_header(&mut f, &next);
    give_block(&mut f, &late, 0);
    give_block(&mut f, &late, 1);
    let sent = drain(&mut f, CHILD);
    let stream = sent.iter().position(|s| *s == Sent::Group(2)).unwrap();
    // Streams overtake each other: whatever a block needs is in its own.
    assert_eq!(
        sent[stream..],
        [
            Sent::Group(2),
            Sent::Header(2),
            Sent::Header(1),
            Sent::Block(1, 0),
            Sent::Block(1, 1)
        ]
    );
}

#[test]
fn a_resumed_child_gets_neither_hole_nor_duplicate() {
    let mut f = forwarder();
    let chunks = Station::new().evening(8, 4);
    for chunk in &chunks {
        give(&mut f, chunk);
    }
    // It has the init segment, all up to 4, and two blocks of 5.
    let begin = f.add_child(CHILD, resume(Some(0), 5, &[1, 3]), all(), 0);
    assert_eq!(begin, Begin::At(Sequence(5)));
    let mut expected = vec![
        Sent::Group(5),
        Sent::Header(5),
        Sent::Block(5, 0),
        Sent::Block(5, 2),
    ];
    expected.extend(whole(6));
    expected.extend(whole(7));
    assert_eq!(drain(&mut f, CHILD), expected);
}

#[test]
fn a_child_that_is_ahead_gets_nothing_twice() {
    let mut station = Station::new();
    let mut f = forwarder();
    for chunk in station.evening(4, 2) {
        give(&mut f, &chunk);
    }
    let ahead = [station.media(true), station.media(false)];
    f.add_child(CHILD, resume(Some(0), 5, &[0]), all(), 0);
    give(&mut f, &ahead[0]);
    assert_eq!(drain(&mut f, CHILD), []);
    give(&mut f, &ahead[1]);
    let sent = drain(&mut f, CHILD);
    assert_eq!(headers(&sent), [5]);
    assert!(!sent.contains(&Sent::Block(5, 0)));
}

#[test]
fn resuming_before_the_kept_window_is_told_as_dropped() {
    let config = Config {
        kept_ms_max: 1_000,
        ..Config::default()
    };
    let mut f: Forwarder<Bytes, u32> = Forwarder::new(config);
    for chunk in Station::new().evening(20, 4) {
        give(&mut f, &chunk);
    }
    let kept = f.kept(RENDITION);
    assert_eq!(kept[0].0, Sequence(14));
    f.add_child(CHILD, resume(Some(0), 3, &[]), all(), 0);
    let sent = drain(&mut f, CHILD);
    assert_eq!(sent[..2], [Sent::Group(3), Sent::Dropped(3, 16)]);
    assert_eq!(headers(&sent), [16, 17, 18, 19]);
}

#[test]
fn who_lacks_what_has_left_the_window_learns_where_to_go_on() {
    let config = Config {
        kept_ms_max: 1_000,
        ..Config::default()
    };
    let mut f: Forwarder<Bytes, u32> = Forwarder::new(config);
    let chunks = Station::new().evening(20, 4);
    for chunk in &chunks {
        give(&mut f, chunk);
    }
    assert_eq!(f.passed(RENDITION, Sequence(3)), Some(Sequence(16)));
    // Another parent brings it after all: too late, it is forgotten again.
    give(&mut f, &chunks[4]);
    assert_eq!(f.kept(RENDITION)[0].0, Sequence(14));
    for kept in [14, 19, 20] {
        assert_eq!(f.passed(RENDITION, Sequence(kept)), None);
    }
}

#[test]
fn the_kept_window_is_bounded_in_time_and_bytes() {
    let mut station = Station::new();
    let config = Config {
        kept_ms_max: 2_000,
        kept_bytes_max: 60_000,
        ..Config::default()
    };
    let mut f: Forwarder<Bytes, u32> = Forwarder::new(config);
    for chunk in station.evening(200, 2) {
        give(&mut f, &chunk);
        assert!(f.kept(RENDITION).len() <= 12);
        // One chunk may come on top while it comes in.
        assert!(f.kept_bytes() <= 60_000 + 10_000);
    }
    // Without key frames the bytes alone bound the newest group.
    for _ in 0..200 {
        give(&mut f, &station.media(false));
        assert!(f.kept_bytes() <= 60_000 + 10_000);
    }
}

#[test]
fn two_parents_duplicates_are_told_and_not_forwarded() {
    let mut station = Station::new();
    let mut f = forwarder();
    f.add_child(CHILD, start(), all(), 0);
    give(&mut f, &station.init());
    let chunk = station.media(true);
    assert!(give_header(&mut f, &chunk).fresh);
    assert!(!give_header(&mut f, &chunk).fresh);
    for index in 0..BLOCKS {
        let first = give_block(&mut f, &chunk, index);
        assert!(first.fresh);
        assert_eq!(first.complete, index == BLOCKS - 1);
        assert!(!give_block(&mut f, &chunk, index).fresh);
    }
    let mut expected = vec![Sent::Group(0)];
    expected.extend(whole_init(0));
    expected.extend(whole(0));
    assert_eq!(drain(&mut f, CHILD), expected);
    let (header, payloads) = f.chunk(chunk.header.key()).unwrap();
    let payloads: Vec<_> = payloads.into_iter().map(|kept| kept.payload).collect();
    assert_eq!(payloads, chunk.blocks);
    assert_eq!(header.digest(), chunk.header.digest());
}

#[test]
fn a_block_without_its_header_is_not_taken() {
    let mut station = Station::new();
    let mut f = forwarder();
    let chunk = station.media_after_init();
    assert!(!give_block(&mut f, &chunk, 0).fresh);
    assert!(f.chunk(chunk.header.key()).is_none());
}

#[test]
fn a_slow_child_loses_whole_chunks_and_goes_on_at_a_key_frame() {
    let config = Config {
        // Room for about three chunks.
        queue_bytes_max: 13_000,
        ..Config::default()
    };
    let mut f: Forwarder<Bytes, u32> = Forwarder::new(config);
    f.add_child(CHILD, start(), all(), 0);
    let chunks = Station::new().evening(16, 4);
    give(&mut f, &chunks[0]);
    give(&mut f, &chunks[1]);
    // It reads init, header and one block of chunk 0, then stalls.
    let mut sent: Vec<Sent> = Vec::new();
    while !sent.contains(&Sent::Block(0, 0)) {
        sent.push(common::short(f.poll(CHILD).unwrap()));
    }
    for chunk in &chunks[2..] {
        give(&mut f, chunk);
        assert!(f.stats(CHILD).unwrap().queued_bytes <= 13_000 + 4_100);
    }
    sent.extend(drain(&mut f, CHILD));
    let got = headers(&sent);
    assert_eq!(got[0], 0);
    for sequence in &got {
        let blocks: Vec<&Sent> = sent
            .iter()
            .filter(|s| matches!(s, Sent::Block(q, _) if q == sequence))
            .collect();
        assert_eq!(
            blocks.len(),
            usize::from(BLOCKS),
            "chunk {sequence} is whole"
        );
    }
    // Every gap is told, and after it comes a key frame.
    for pair in got.windows(2) {
        if pair[1] != pair[0] + 1 {
            assert_eq!(pair[1] % 4, 0);
            assert!(sent.contains(&Sent::Dropped(pair[0] + 1, pair[1])));
        }
    }
    let stats = f.stats(CHILD).unwrap();
    let left_out = f.left_out();
    f.remove_child(CHILD);
    assert_eq!(f.left_out(), left_out, "it is not forgotten with the child");
    assert_eq!(
        (left_out.chunks, left_out.times),
        (stats.dropped_chunks, stats.drops)
    );
    assert!(stats.drops > 0);
    assert_eq!(stats.dropped_chunks + got.len() as u64, 16);
}

#[test]
fn a_slow_child_without_a_key_frame_in_its_queue_waits_for_the_next() {
    let mut station = Station::new();
    let config = Config {
        queue_bytes_max: 9_000,
        ..Config::default()
    };
    let mut f: Forwarder<Bytes, u32> = Forwarder::new(config);
    give(&mut f, &station.init());
    give(&mut f, &station.media(true));
    f.add_child(CHILD, start(), all(), 0);
    drain(&mut f, CHILD);
    for _ in 0..6 {
        give(&mut f, &station.media(false));
    }
    give(&mut f, &station.media(true));
    let sent = drain(&mut f, CHILD);
    let got = headers(&sent);
    assert_eq!(*got.last().unwrap(), 7);
    let before = got.len().checked_sub(2).map_or(0, |i| got[i]);
    assert!(sent.contains(&Sent::Dropped(before + 1, 7)), "{sent:?}");
}

#[test]
fn catching_up_is_not_slowness() {
    let config = Config {
        queue_bytes_max: 5_000,
        ..Config::default()
    };
    let mut f: Forwarder<Bytes, u32> = Forwarder::new(config);
    for chunk in Station::new().evening(10, 10) {
        give(&mut f, &chunk);
    }
    f.add_child(CHILD, resume(Some(0), 0, &[]), all(), 0);
    assert_eq!(headers(&drain(&mut f, CHILD)).len(), 10);
    assert_eq!(f.stats(CHILD).unwrap().drops, 0);
}

#[test]
fn an_earlier_start_on_the_same_edge_sends_only_what_was_not_sent() {
    let mut station = Station::new();
    let chunks = station.evening(8, 2);
    let mut parent = forwarder();
    for chunk in &chunks {
        give(&mut parent, chunk);
    }
    // A new relay started at the newest key frame; then a child of its own
    // resumes further back.
    parent.add_child(CHILD, start(), all(), 0);
    assert_eq!(headers(&drain(&mut parent, CHILD)), [6, 7]);
    let mut relay = forwarder();
    for chunk in [&chunks[0], &chunks[7], &chunks[8]] {
        give(&mut relay, chunk);
    }
    let begin = relay.add_child(9, resume(Some(0), 3, &[2]), all(), 0);
    assert_eq!(begin, Begin::Awaiting(Sequence(3)));
    assert_eq!(headers(&drain(&mut relay, 9)), [6, 7]);
    let wanted = relay.resume(RENDITION, all()).unwrap();
    assert_eq!(wanted.next, Sequence(3));
    let again = wire::message::edge::Start {
        rendition: RENDITION,
        stripes: all(),
        resume: Some(wanted),
    };
    parent.add_child(CHILD, again, all(), 0);
    assert_eq!(headers(&drain(&mut parent, CHILD)), [3, 4, 5]);
    for chunk in &chunks[4..7] {
        give(&mut relay, chunk);
    }
    let sent = drain(&mut relay, 9);
    assert_eq!(headers(&sent), [3, 4, 5]);
    assert!(!sent.contains(&Sent::Block(3, 2)));
    assert_eq!(relay.resume(RENDITION, all()).unwrap().next, Sequence(8));
}

#[test]
fn what_a_parent_left_out_is_told_to_the_children_and_not_asked_again() {
    let mut station = Station::new();
    let chunks = station.evening(6, 2);
    let mut f = forwarder();
    f.add_child(CHILD, start(), all(), 0);
    for chunk in &chunks[..3] {
        give(&mut f, chunk);
    }
    f.dropped(
        RENDITION,
        (Sequence(2), Sequence(4)),
        all(),
        Reason::SlowReader,
    );
    give(&mut f, &chunks[5]);
    let sent = drain(&mut f, CHILD);
    assert!(sent.contains(&Sent::Dropped(2, 4)));
    assert_eq!(headers(&sent), [0, 1, 4]);
    assert_eq!(f.resume(RENDITION, all()).unwrap().next, Sequence(5));
}

#[test]
fn resume_names_the_first_chunk_that_is_not_whole() {
    let mut f = forwarder();
    assert_eq!(f.resume(RENDITION, all()), None);
    let chunks = Station::new().evening(4, 2);
    for chunk in &chunks[..3] {
        give(&mut f, chunk);
    }
    give_header(&mut f, &chunks[3]);
    give_block(&mut f, &chunks[3], 3);
    give(&mut f, &chunks[4]);
    let resume = f.resume(RENDITION, all()).unwrap();
    assert_eq!(resume.init, Some(Sequence(0)));
    assert_eq!(resume.next, Sequence(2));
    assert_eq!(*resume.have, [3]);
}
