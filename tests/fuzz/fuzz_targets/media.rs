//! The box parser, cut anywhere, and the looper on whatever it lets through.
//! Whole or in pieces, the same bytes give the same items, and items give
//! back the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::{Fragmenter, Item, Looper};

fn in_pieces(data: &[u8], piece_len: usize) -> (Vec<Item>, bool) {
    let mut fragmenter = Fragmenter::new();
    let mut items = Vec::new();
    let mut sound = true;
    for piece in data.chunks(piece_len) {
        sound &= fragmenter.push(piece).is_ok();
        while let Some(item) = fragmenter.next_item() {
            items.push(item);
        }
    }
    (items, sound && fragmenter.finish().is_ok())
}

/// Two passes of a clip.
fn looped(items: &[Item]) {
    let Some(Item::Init(init)) = items.first() else {
        return;
    };
    let _ = init.mime();
    let mut looper = Looper::new(init);
    for _ in 0..2 {
        for item in items {
            if let Item::Fragment(fragment) = item
                && let Ok(out) = looper.rewrite(fragment)
            {
                assert_eq!(
                    out.bytes.len(),
                    fragment.bytes.len(),
                    "a fragment changed its size"
                );
            }
        }
        if looper.next_pass().is_err() {
            break;
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, data)) = data.split_first() else {
        return;
    };
    let (whole, sound) = in_pieces(data, data.len().max(1));
    let (pieces, still_sound) = in_pieces(data, usize::from(cut).max(1));
    assert_eq!(sound, still_sound, "cutting the input changes the verdict");
    assert_eq!(whole, pieces, "cutting the input changes the items");
    let joined: Vec<u8> = whole
        .iter()
        .flat_map(|item| item.bytes().to_vec())
        .collect();
    assert!(data.starts_with(&joined), "the items are not the input");
    looped(&whole);
});
