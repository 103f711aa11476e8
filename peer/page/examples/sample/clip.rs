//! Cuts a fragmented MP4 file (ISO/IEC 14496-12) for the sample: just enough
//! of it for files that ffmpeg writes, video in the first track.

use bytes::Bytes;

/// A clip, cut at its fragments.
pub(crate) struct Clip {
    pub(crate) mime: String,
    pub(crate) init: Bytes,
    pub(crate) fragments: Vec<Fragment>,
}

/// One `moof` and its `mdat`.
pub(crate) struct Fragment {
    pub(crate) bytes: Bytes,
    pub(crate) keyframe: bool,
    pub(crate) duration_us: u64,
}

const NON_SYNC_SAMPLE: u32 = 0x0001_0000;
const FALLBACK_US: u64 = 200_000;

impl Clip {
    pub(crate) fn parse(file: Bytes) -> Result<Self, &'static str> {
        let mut start = None;
        let mut init = Bytes::new();
        let mut times = Vec::new();
        let mut cuts: Vec<(Bytes, bool)> = Vec::new();
        let mut at = 0;
        for (kind, body) in boxes(&file) {
            let end = at + body.len() + 8;
            match &kind {
                b"moof" => {
                    if init.is_empty() {
                        init = file.slice(..at);
                    }
                    start = Some((at, body));
                }
                b"mdat" => {
                    let (from, moof) = start.take().ok_or("an mdat before its moof")?;
                    let traf = child(moof, b"traf").ok_or("a moof without traf")?;
                    times.push(decode_time(traf).ok_or("a traf without time")?);
                    cuts.push((file.slice(from..end), keyframe(traf)));
                }
                _ => {}
            }
            at = end;
        }
        let timescale = timescale(&init).ok_or("no timescale in the first track")?;
        let mime = mime(&init).ok_or("no H.264 in the init segment")?;
        let durations = durations(&times, timescale);
        let fragments = cuts.into_iter().zip(durations);
        Ok(Self {
            mime,
            init,
            fragments: fragments
                .map(|((bytes, keyframe), duration_us)| Fragment {
                    bytes,
                    keyframe,
                    duration_us,
                })
                .collect(),
        })
    }
}

/// The boxes of a body, as far as they are whole; sizes of 32 bits only.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let size = usize::try_from(number(bytes, 0)?).ok()?;
        let kind = bytes.get(4..8)?.try_into().ok()?;
        let body = bytes.get(8..size)?;
        bytes = bytes.get(size..)?;
        Some((kind, body))
    })
}

fn child<'b>(body: &'b [u8], kind: &[u8; 4]) -> Option<&'b [u8]> {
    boxes(body).find(|(k, _)| k == kind).map(|(_, body)| body)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

fn decode_time(traf: &[u8]) -> Option<u64> {
    let tfdt = child(traf, b"tfdt")?;
    let low = u64::from(number(tfdt, 4)?);
    match tfdt.first()? {
        0 => Some(low),
        _ => Some(low << 32 | u64::from(number(tfdt, 8)?)),
    }
}

/// Whether the first sample is a key frame: by its own flags, the run's first
/// flags, or the fragment's default.
fn keyframe(traf: &[u8]) -> bool {
    let run = child(traf, b"trun").and_then(|trun| {
        let flags = number(trun, 0)?;
        let has = |bit: u32| flags & bit != 0;
        let first = 8 + 4 * usize::from(has(0x1));
        if has(0x4) {
            return number(trun, first);
        }
        let sample = first + 4 * usize::from(has(0x100)) + 4 * usize::from(has(0x200));
        has(0x400).then(|| number(trun, sample)).flatten()
    });
    let default = || {
        let tfhd = child(traf, b"tfhd")?;
        let flags = number(tfhd, 0)?;
        let before = [(0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4)];
        let skipped = before.iter().filter(|(bit, _)| flags & bit != 0);
        let at = 8 + skipped.map(|(_, length)| length).sum::<usize>();
        (flags & 0x20 != 0).then(|| number(tfhd, at)).flatten()
    };
    let flags = run.or_else(default);
    flags.is_some_and(|flags| flags & NON_SYNC_SAMPLE == 0)
}

fn timescale(init: &[u8]) -> Option<u64> {
    let media = child(child(child(init, b"moov")?, b"trak")?, b"mdia")?;
    let mdhd = child(media, b"mdhd")?;
    let at = if mdhd.first()? == &0 { 12 } else { 20 };
    number(mdhd, at).map(u64::from).filter(|scale| *scale > 0)
}

/// RFC 6381: the profile, constraints and level follow the version in `avcC`.
fn mime(init: &[u8]) -> Option<String> {
    let find = |name: &[u8]| init.windows(name.len()).position(|window| window == name);
    let profile = init.get(find(b"avcC")? + 5..)?.get(..3)?;
    let hex: String = profile.iter().map(|byte| format!("{byte:02x}")).collect();
    let audio = find(b"mp4a").map_or("", |_| ",mp4a.40.2");
    Some(format!("video/mp4; codecs=\"avc1.{hex}{audio}\""))
}

fn durations(times: &[u64], timescale: u64) -> Vec<u64> {
    let pairs = times.iter().zip(times.iter().skip(1));
    let known = pairs.map(|(a, b)| b.saturating_sub(*a).saturating_mul(1_000_000) / timescale);
    known.chain([FALLBACK_US]).collect()
}
