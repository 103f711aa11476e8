//! The streams as files: `--keep DIR` leaves them, and here they are compared
//! byte for byte.

use super::media::Stream;
use std::fs;
use std::path::Path;

/// Whether a viewer's file is the published one's init segment and, of its
/// chunks, those from the viewer's first to its last.
#[must_use]
pub fn same(published_file: &Path, file: &Path, published: &Stream, received: &Stream) -> bool {
    let (Ok(original), Ok(copy)) = (fs::read(published_file), fs::read(file)) else {
        return false;
    };
    expected(&original, published, received).is_some_and(|expected| expected == copy)
}

/// The bytes that a viewer's file has to have, cut out of the published file
/// by the lengths that the station told.
fn expected(original: &[u8], published: &Stream, received: &Stream) -> Option<Vec<u8>> {
    let (first, _) = received.chunks.first()?;
    let (last, _) = received.chunks.last()?;
    let init = usize::try_from(published.init.as_ref()?.bytes).ok()?;
    let length = |sequences: &dyn Fn(u64) -> bool| {
        let chunks = published.chunks.iter();
        let chosen = chunks.filter(|(sequence, _)| sequences(*sequence));
        usize::try_from(chosen.map(|(_, piece)| piece.bytes).sum::<u64>()).ok()
    };
    let start = init.checked_add(length(&|sequence| sequence < *first)?)?;
    let end = init.checked_add(length(&|sequence| sequence <= *last)?)?;
    let mut bytes = original.get(..init)?.to_vec();
    bytes.extend_from_slice(original.get(start..end)?);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::media::Piece;
    use super::*;

    fn stream(sequences: std::ops::Range<u64>) -> Stream {
        let piece = |bytes| Piece {
            sha256: String::new(),
            bytes,
            key: true,
            mono_us: 0,
        };
        Stream {
            init: Some(piece(2)),
            chunks: sequences.map(|n| (n, piece(n + 1))).collect(),
        }
    }

    #[test]
    fn compares_the_part_that_the_viewer_was_there_for() {
        let place = tempfile::tempdir().unwrap();
        let (original, copy) = (place.path().join("p"), place.path().join("A"));
        // Init of 2 bytes, then chunks of 1, 2, 3 and 4.
        fs::write(&original, b"iiabbcccdddd").unwrap();
        let (published, received) = (stream(0..4), stream(1..3));
        for (bytes, identical) in [
            (&b"iibbccc"[..], true),
            (b"iibbcc", false),
            (b"iibbcccd", false),
            (b"iibbxcc", false),
            (b"bbccc", false),
            (b"", false),
        ] {
            fs::write(&copy, bytes).unwrap();
            let found = same(&original, &copy, &published, &received);
            assert_eq!(found, identical, "{:?}", String::from_utf8_lossy(bytes));
        }
        assert!(!same(
            &original,
            &place.path().join("none"),
            &published,
            &received
        ));
    }
}
