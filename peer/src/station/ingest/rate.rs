//! The input's rate: read off a file beforehand, measured of what comes live.

use super::{READ_BYTES, unusable};
use crate::Error;
use media::rate::{Average, Recent};
use media::{Fragment, Fragmenter, Item};
use std::io::Read;
use std::path::Path;

/// How much of the stream a measurement looks back on, in media time.
const WINDOW_US: u64 = 10_000_000;
/// Media time between two measurements.
const EVERY_US: u64 = 2_000_000;

/// Measures what comes live.
#[derive(Debug)]
pub(super) struct Meter {
    recent: Recent,
    next_us: u64,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            recent: Recent::new(WINDOW_US),
            next_us: 0,
        }
    }

    /// Counts a fragment; now and then tells the rate in bit/s.
    pub(super) fn note(&mut self, fragment: &Fragment) -> Option<u64> {
        self.recent.add(fragment);
        let bps = self.recent.bps()?;
        let now_us = fragment.decode_time_us;
        if now_us < self.next_us && self.next_us - now_us <= EVERY_US {
            return None;
        }
        self.next_us = now_us.saturating_add(EVERY_US);
        Some(bps)
    }
}

/// The average rate of a fragmented MP4 file in bit/s; none if it takes no
/// time. Reads all of it, piece
/// by piece: a film is longer than memory.
pub(in crate::station) fn file_rate_bps(path: &Path) -> Result<Option<u64>, Error> {
    let mut file = std::fs::File::open(path).map_err(|e| unusable(path, e))?;
    let (mut fragmenter, mut average) = (Fragmenter::new(), Average::new());
    let mut buffer = vec![0u8; READ_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(|e| unusable(path, e))?;
        if read == 0 {
            fragmenter.finish()?;
            return Ok(average.bps());
        }
        fragmenter.push(buffer.get(..read).unwrap_or_default())?;
        while let Some(item) = fragmenter.next_item() {
            match item {
                Item::Init(init) => average.add_bytes(init.bytes.len()),
                Item::Fragment(fragment) => average.add(&fragment),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const CLIP: &[u8] = include_bytes!("../../../../tests/media/clip.mp4");

    #[test]
    fn a_film_over_64_mib_has_the_rate_of_its_parts() {
        let mut fragmenter = Fragmenter::new();
        fragmenter.push(CLIP).unwrap();
        let Some(Item::Init(init)) = fragmenter.next_item() else {
            panic!("the init segment comes first");
        };
        let mut looper = media::Looper::new(&init);
        let fragments: Vec<Fragment> = std::iter::from_fn(|| fragmenter.next_item())
            .filter_map(|item| match item {
                Item::Fragment(fragment) => Some(fragment),
                Item::Init(_) => None,
            })
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.mp4");
        let mut film = std::fs::File::create(&path).unwrap();
        film.write_all(&init.bytes).unwrap();
        let mut bytes = 0;
        while bytes <= media::limits::PARSE_ALL_BYTES_MAX {
            for fragment in &fragments {
                let fragment = looper.rewrite(fragment).unwrap();
                film.write_all(&fragment.bytes).unwrap();
                bytes += fragment.bytes.len();
            }
            looper.next_pass().unwrap();
        }
        let rate = file_rate_bps(&path).unwrap().unwrap();
        assert!((940_000..960_000).contains(&rate), "{rate} bit/s");
    }

    #[test]
    fn a_live_stream_is_measured_now_and_then() {
        let mut meter = Meter::new();
        let mut told = Vec::new();
        for at_s in 0..20u64 {
            let fragment = Fragment {
                bytes: vec![0; 125_000].into(),
                sequence: 1,
                decode_time_us: at_s * 1_000_000,
                duration_us: 1_000_000,
                keyframe: true,
                spans: Vec::new(),
            };
            told.extend(meter.note(&fragment).map(|bps| (at_s, bps)));
        }
        let expected = [9, 11, 13, 15, 17, 19].map(|at_s| (at_s, 1_000_000));
        assert_eq!(told, expected);
    }
}
