//! The test clip, cut and looped.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use media::gop::Groups;
use media::{Fragment, InitSegment, Item, Looper, TrackKind, parse_all};

const CLIP: &[u8] = include_bytes!("../../../tests/media/clip.mp4");
const GROUP_US: u64 = 500_000;
const GROUPS: usize = 20;
const FRAGMENT_US_MAX: u64 = 200_000;
const CLIP_US: u64 = 10_000_000;

fn split(bytes: &[u8]) -> (InitSegment, Vec<Fragment>) {
    let mut items = parse_all(bytes).unwrap().into_iter();
    let Some(Item::Init(init)) = items.next() else {
        panic!("the first item is the init segment");
    };
    let fragments = items.map(|item| match item {
        Item::Fragment(fragment) => fragment,
        Item::Init(_) => panic!("one init segment only"),
    });
    (init, fragments.collect())
}

/// `passes` times the clip, as `broadcast --loop` sends it.
fn looped(passes: usize) -> (Vec<u8>, Vec<Fragment>) {
    let (init, fragments) = split(CLIP);
    let mut looper = Looper::new(&init);
    let mut out = Vec::new();
    for pass in 0..passes {
        if pass > 0 {
            looper.next_pass().unwrap();
        }
        for fragment in &fragments {
            out.push(looper.rewrite(fragment).unwrap());
        }
    }
    let mut bytes = init.bytes.to_vec();
    for fragment in &out {
        bytes.extend_from_slice(&fragment.bytes);
    }
    (bytes, out)
}

#[test]
fn is_its_items_and_nothing_else() {
    let (init, fragments) = split(CLIP);
    let mut joined = init.bytes.to_vec();
    for fragment in &fragments {
        joined.extend_from_slice(&fragment.bytes);
    }
    assert!(joined == CLIP, "concatenation differs from the clip");
}

#[test]
fn is_described_for_the_player() {
    let (init, _) = split(CLIP);
    assert_eq!(init.mime(), "video/mp4; codecs=\"avc1.42c01e,mp4a.40.2\"");
    let picture = init.video().map(|track| &track.kind);
    assert!(matches!(
        picture,
        Some(TrackKind::Video {
            width: 640,
            height: 360
        })
    ));
    let timescales: Vec<u32> = init.tracks.iter().map(|track| track.timescale).collect();
    assert_eq!(timescales, [15_360, 48_000]);
}

#[test]
fn has_a_keyframe_at_the_head_of_a_fragment_every_half_second() {
    let (_, fragments) = split(CLIP);
    let keyframes: Vec<u64> = fragments
        .iter()
        .filter(|fragment| fragment.keyframe)
        .map(|fragment| fragment.decode_time_us)
        .collect();
    let expected: Vec<u64> = (0..GROUPS as u64).map(|group| group * GROUP_US).collect();
    assert_eq!(keyframes, expected);
    let mut groups = Groups::new();
    for fragment in &fragments {
        assert!(fragment.duration_us > 0 && fragment.duration_us <= FRAGMENT_US_MAX);
        let place = groups.place(fragment).unwrap();
        assert_eq!(place.index == 0, fragment.keyframe);
    }
    assert!(!groups.too_long());
}

#[test]
fn first_pass_of_a_loop_is_the_clip_itself() {
    let (bytes, _) = looped(1);
    assert!(bytes == CLIP, "the first pass differs from the clip");
}

#[test]
fn loops_without_a_jump_or_a_drift() {
    const PASSES: usize = 3;
    let (bytes, sent) = looped(PASSES);
    let (init, read) = split(&bytes);
    assert!(read == sent, "what was said of a fragment is what it holds");
    assert_eq!(
        bytes.len(),
        init.bytes.len() + PASSES * (CLIP.len() - init.bytes.len())
    );

    for pair in read.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
    }
    for track in &init.tracks {
        let spans = read.iter().flat_map(|fragment| &fragment.spans);
        let spans: Vec<_> = spans.filter(|span| span.track == track.id).collect();
        for pair in spans.windows(2) {
            assert!(pair[1].decode_time >= pair[0].end(), "times go back");
            let gap = pair[1].decode_time - pair[0].end();
            // The sound is 16 ms shorter than the picture.
            assert!(
                gap * 1_000 <= 16 * u64::from(track.timescale),
                "gap of {gap}"
            );
        }
    }
    let keyframes = read.iter().filter(|fragment| fragment.keyframe);
    for (group, fragment) in keyframes.enumerate() {
        assert_eq!(fragment.decode_time_us, group as u64 * GROUP_US);
    }
}

#[test]
fn keeps_the_tracks_together_after_a_hundred_thousand_passes() {
    let (init, fragments) = split(CLIP);
    let mut looper = Looper::new(&init);
    for fragment in &fragments {
        looper.rewrite(fragment).unwrap();
    }
    for _ in 0..100_000 {
        looper.next_pass().unwrap();
    }
    let first = looper.rewrite(&fragments[0]).unwrap();
    assert_eq!(first.decode_time_us, 100_000 * CLIP_US);
    for (span, before) in first.spans.iter().zip(&fragments[0].spans) {
        let timescale = u64::from(init.track(span.track).unwrap().timescale);
        assert_eq!(span.decode_time - before.decode_time, 1_000_000 * timescale);
    }
}
