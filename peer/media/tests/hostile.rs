//! Damaged and hostile input: named errors, no panic, however it is cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use media::{Error, Fragmenter, Item, Looper, limits, parse_all};
use proptest::collection::vec;
use proptest::prelude::*;

const CLIP: &[u8] = include_bytes!("../../../tests/media/clip.mp4");

/// A box of `kind` around `body`.
fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes()[..], kind, body].concat()
}

/// The header of a box of `kind` that claims `bytes` in all.
fn header(kind: &[u8; 4], bytes: u64) -> Vec<u8> {
    [&1u32.to_be_bytes()[..], kind, &bytes.to_be_bytes()].concat()
}

/// The clip's init segment and its first fragments.
fn pieces(fragments: usize) -> Vec<Vec<u8>> {
    let items = parse_all(CLIP).unwrap();
    let items = items.iter().take(fragments + 1);
    items.map(|item| item.bytes().to_vec()).collect()
}

fn prefix(fragments: usize) -> Vec<u8> {
    pieces(fragments).concat()
}

fn refused(bytes: &[u8]) -> &'static str {
    parse_all(bytes).unwrap_err().reason()
}

/// Where the only box of `kind` in `bytes` has its type.
fn find(bytes: &[u8], kind: &[u8; 4]) -> usize {
    bytes.windows(4).position(|window| window == kind).unwrap()
}

/// Everything a stream gave before its end or its first error.
fn run(chunks: &[&[u8]]) -> (Vec<Item>, Option<&'static str>) {
    let mut fragmenter = Fragmenter::new();
    let mut items = Vec::new();
    let mut refusal = None;
    for chunk in chunks {
        refusal = fragmenter.push(chunk).err();
        items.extend(std::iter::from_fn(|| fragmenter.next_item()));
        if refusal.is_some() {
            break;
        }
    }
    let refusal = refusal.or(fragmenter.finish().err());
    (items, refusal.map(|error| error.reason()))
}

#[test]
fn names_every_truncation() {
    let whole = prefix(2);
    let complete = [prefix(1).len(), whole.len()];
    for end in (0..whole.len()).step_by(97).chain(0..2_000) {
        if !complete.contains(&end) {
            assert_eq!(refused(&whole[..end]), "media_truncated", "cut at {end}");
        }
    }
}

#[test]
fn keeps_what_was_complete_before_the_flaw() {
    let mut bytes = prefix(2);
    bytes.extend_from_slice(b"\0\0\0\x04junk");
    let (items, refusal) = run(&[&bytes]);
    assert_eq!(items.len(), 3);
    assert_eq!(refusal, Some("media_garbage"));
}

#[test]
fn stays_at_its_first_error() {
    let mut fragmenter = Fragmenter::new();
    let first = fragmenter.push(b"not a film at all").unwrap_err();
    assert_eq!(first.reason(), "media_garbage");
    assert_eq!(fragmenter.push(CLIP).unwrap_err().reason(), "media_garbage");
    assert_eq!(fragmenter.finish().unwrap_err().reason(), "media_garbage");
}

#[test]
fn refuses_mp4_that_is_not_fragmented_before_reading_its_samples() {
    let ftyp = boxed(b"ftyp", b"isom\0\0\x02\0");
    let mdat_first = [ftyp.clone(), header(b"mdat", 4 << 30)].concat();
    let moov_first = [ftyp, boxed(b"moov", &boxed(b"mvhd", &[0; 100]))].concat();
    for bytes in [mdat_first, moov_first] {
        let mut fragmenter = Fragmenter::new();
        let error = fragmenter.push(&bytes).unwrap_err();
        assert_eq!(error.reason(), "media_not_fragmented");
        assert!(error.to_string().contains("+frag_keyframe+empty_moov"));
    }
}

#[test]
fn refuses_large_boxes_from_their_header_alone() {
    let ftyp = boxed(b"ftyp", b"isom\0\0\x02\0");
    let init = prefix(0);
    let fragment = pieces(1).remove(1);
    let moof = &fragment[..u32::from_be_bytes(fragment[..4].try_into().unwrap()) as usize];
    let cases = [
        (
            [&ftyp[..], &header(b"moov", 2 << 20)].concat(),
            "media_init_too_large",
        ),
        (
            [&ftyp[..], &header(b"moov", u64::MAX)].concat(),
            "media_init_too_large",
        ),
        (
            [&init[..], &header(b"moof", 1 << 20)].concat(),
            "media_box_too_large",
        ),
        (
            [&init[..], &header(b"free", 9 << 20)].concat(),
            "media_fragment_too_large",
        ),
        (
            [&init[..], moof, &header(b"mdat", u64::MAX)].concat(),
            "media_fragment_too_large",
        ),
    ];
    for (bytes, reason) in cases {
        let mut fragmenter = Fragmenter::new();
        assert_eq!(fragmenter.push(&bytes).unwrap_err().reason(), reason);
    }
}

#[test]
fn refuses_boxes_out_of_place() {
    let whole = pieces(1);
    let (init, fragment) = (&whole[0], &whole[1]);
    let moof = &fragment[..u32::from_be_bytes(fragment[..4].try_into().unwrap()) as usize];
    let cases = [
        ([&init[..], init].concat(), "media_init_repeated"),
        (
            [&init[..], fragment, &boxed(b"mdat", b"x")].concat(),
            "media_garbage",
        ),
        ([&init[..], moof, moof].concat(), "media_garbage"),
        (
            [&init[..], moof, &boxed(b"mdat", b"x"), moof].concat(),
            "media_garbage",
        ),
        ([&init[..], moof, b"\0\0\0\0mdat"].concat(), "media_garbage"),
        (fragment.clone(), "media_garbage"),
    ];
    for (bytes, reason) in cases {
        assert_eq!(refused(&bytes), reason);
    }
}

#[test]
fn refuses_a_sample_count_that_no_fragment_has() {
    let mut bytes = prefix(1);
    let trun = find(&bytes, b"trun");
    bytes[trun + 8..trun + 12].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(refused(&bytes), "media_too_many_samples");
}

#[test]
fn refuses_fragments_addressed_from_the_start_of_the_file() {
    // Flag 1: `base-data-offset` follows the track's id.
    let tfhd = [0u32, 1, 0, 0].map(u32::to_be_bytes).concat();
    let tfhd = boxed(b"tfhd", &[&[0, 0, 0, 1], &tfhd[4..]].concat());
    let traf = boxed(b"traf", &[tfhd, boxed(b"tfdt", &[0; 8])].concat());
    let moof = boxed(b"moof", &[boxed(b"mfhd", &[0; 8]), traf].concat());
    assert_eq!(
        refused(&[prefix(0), moof].concat()),
        "media_not_relocatable"
    );
}

#[test]
fn refuses_times_that_do_not_fit() {
    let mut bytes = prefix(1);
    let tfdt = find(&bytes, b"tfdt");
    assert_eq!(bytes[tfdt + 4], 1, "the clip's decode times have 64 bits");
    bytes[tfdt + 8..tfdt + 16].copy_from_slice(&u64::MAX.to_be_bytes());
    assert_eq!(refused(&bytes), "media_time_overflow");
}

#[test]
fn attaches_what_precedes_a_fragment_to_it() {
    let whole = pieces(2);
    let styp = boxed(b"styp", b"msdh\0\0\0\0");
    let free = boxed(b"free", &[0; 30]);
    let input = [&whole[0], &styp, &free, &whole[1], &styp, &whole[2]];
    let input = input.map(|piece| &piece[..]).concat();
    let items = parse_all(&input).unwrap();
    let joined: Vec<u8> = items
        .iter()
        .flat_map(|item| item.bytes().to_vec())
        .collect();
    assert_eq!(items.len(), 3);
    assert!(joined == input);
    assert!(items[1].bytes().starts_with(&styp));
}

#[test]
fn reports_a_trailer_and_attaches_it_to_nothing() {
    let stream = prefix(2);
    let free = boxed(b"free", &[0; 9]);
    let mfra = boxed(b"mfra", &vec![0; 300_000]);
    let input = [&stream[..], &free, &mfra, &free].concat();
    let mut fragmenter = Fragmenter::new();
    for chunk in input.chunks(1_000) {
        fragmenter.push(chunk).unwrap();
    }
    let trailer = fragmenter.finish().unwrap();
    let items: Vec<Item> = std::iter::from_fn(|| fragmenter.next_item()).collect();
    let joined: Vec<u8> = items
        .iter()
        .flat_map(|item| item.bytes().to_vec())
        .collect();
    assert!(joined == stream);
    assert_eq!(trailer.bytes as usize, input.len() - stream.len());
}

#[test]
fn refuses_an_index_in_the_middle() {
    let whole = pieces(3);
    let mfra = boxed(b"mfra", &[0; 64]);
    for at in [2, 3] {
        let mut parts = whole.clone();
        parts.insert(at, mfra.clone());
        let error = parse_all(&parts.concat()).unwrap_err().to_string();
        assert!(error.contains("after `mfra`"), "{error}");
    }
    let stream = whole.concat();
    let moov = stream.windows(4).position(|w| w == b"moov").unwrap() - 4;
    let input = [&stream[..moov], &mfra, &stream[moov..]].concat();
    let error = parse_all(&input).unwrap_err().to_string();
    assert!(error.contains("moov"), "{error}");
}

#[test]
fn moves_every_absolute_time_of_a_loop() {
    let whole = pieces(60);
    let be = |value: u32| value.to_be_bytes();
    let sidx = [be(0), be(1), be(1_000), be(7), be(0), be(0)].concat();
    let prft = [be(1 << 24), be(1), be(5), be(0), be(0), be(3)].concat();
    let emsg = [be(1 << 24), be(10), be(0), be(2), be(0), be(0), be(0)].concat();
    let relative = [be(0), be(0), be(10), be(2), be(0), be(0)].concat();
    let mut input = whole[0].clone();
    input.extend(boxed(b"sidx", &sidx));
    input.extend(boxed(b"prft", &prft));
    input.extend(boxed(b"emsg", &emsg));
    input.extend(boxed(b"emsg", &relative));
    input.extend(whole[1..].concat());

    let mut items = parse_all(&input).unwrap().into_iter();
    let Some(Item::Init(init)) = items.next() else {
        panic!("the first item is the init segment");
    };
    let mut looper = Looper::new(&init);
    let fragments: Vec<_> = items
        .filter_map(|item| match item {
            Item::Fragment(fragment) => Some(looper.rewrite(&fragment).unwrap()),
            Item::Init(_) => None,
        })
        .collect();
    looper.next_pass().unwrap();
    let second = looper.rewrite(&fragments[0]).unwrap();
    // The clip lasts exactly 10 s.
    let sidx = [be(0), be(1), be(1_000), be(10_007), be(0), be(0)].concat();
    let prft = [be(1 << 24), be(1), be(15), be(0), be(0), be(3 + 153_600)].concat();
    let emsg = [be(1 << 24), be(10), be(0), be(102), be(0), be(0), be(0)].concat();
    let head = [
        boxed(b"sidx", &sidx),
        boxed(b"prft", &prft),
        boxed(b"emsg", &emsg),
        boxed(b"emsg", &relative),
    ];
    assert!(second.bytes.starts_with(&head.concat()));
    assert_eq!(second.bytes.len(), fragments[0].bytes.len());
}

#[test]
fn refuses_to_loop_a_clip_without_duration() {
    let Some(Item::Init(init)) = parse_all(CLIP).unwrap().into_iter().next() else {
        panic!("the first item is the init segment");
    };
    let error = Looper::new(&init).next_pass().unwrap_err();
    assert_eq!(error.reason(), "media_loop_empty");
}

#[test]
fn refuses_more_at_once_than_it_may_hold() {
    let bytes = vec![0; limits::PARSE_ALL_BYTES_MAX + 1];
    let error = parse_all(&bytes).unwrap_err();
    assert!(matches!(error, Error::InputTooLarge { .. }));
}

#[test]
fn travels_between_threads() {
    fn travels<T: Send + Sync + 'static>() {}
    travels::<Fragmenter>();
    travels::<Looper>();
    travels::<Error>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..2_000)) {
        let _ = parse_all(&bytes);
    }

    #[test]
    fn arbitrary_boxes_after_an_init_never_panic(body in vec(any::<u8>(), 0..400), kind in 0usize..6) {
        let kinds = [b"moof", b"traf", b"sidx", b"emsg", b"mdat", b"mfra"];
        let _ = parse_all(&[prefix(0), boxed(kinds[kind], &body)].concat());
    }

    #[test]
    fn flipped_bytes_never_panic_and_never_invent_any(
        flips in vec((0usize..3_000, any::<u8>()), 1..6),
    ) {
        let mut bytes = prefix(2);
        for (at, value) in flips {
            bytes[at] = value;
        }
        let (items, _) = run(&[&bytes]);
        let joined: Vec<u8> = items.iter().flat_map(|item| item.bytes().to_vec()).collect();
        prop_assert!(bytes.starts_with(&joined));
        if let Some(Item::Init(init)) = items.first() {
            let mut looper = Looper::new(init);
            for item in &items {
                if let Item::Fragment(fragment) = item {
                    let _ = looper.rewrite(fragment);
                }
            }
            let _ = looper.next_pass();
        }
    }

    #[test]
    fn chunked_pushes_equal_one_push(cuts in vec(1usize..9_000, 0..40), flip in any::<Option<(u16, u8)>>()) {
        let mut bytes = prefix(4);
        if let Some((at, value)) = flip {
            bytes[usize::from(at)] = value;
        }
        let mut chunks = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        chunks.push(rest);
        prop_assert!(run(&chunks) == run(&[&bytes]));
    }
}

#[test]
fn one_byte_at_a_time_equals_one_push() {
    let bytes = prefix(1);
    let chunks: Vec<&[u8]> = bytes.chunks(1).collect();
    assert!(run(&chunks) == run(&[&bytes]));
}
