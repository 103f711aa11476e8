//! What a movie fragment says about its samples.

use mp4_atom::{Mfhd, Tfdt, Tfhd, Trun, TrunEntry};

use super::leaf;
use super::walk::BoxRef;
use crate::error::{Error, Flaw, Result};
use crate::item::{self, SampleDefaults, Track, TrackSpan};
use crate::{limits, time};

/// `sample_is_non_sync_sample`, ISO/IEC 14496-12 section 8.8.3.1.
const FLAG_NON_SYNC: u32 = 0x0001_0000;

/// A decoded `moof`.
#[derive(Debug)]
pub(crate) struct Moof {
    pub(crate) sequence: u32,
    pub(crate) decode_time_us: u64,
    pub(crate) duration_us: u64,
    pub(crate) keyframe: bool,
    pub(crate) spans: Vec<TrackSpan>,
    /// Where the last sample ends, in bytes from the start of the `moof`: the
    /// fragment is complete when its `mdat` boxes reach this far.
    pub(crate) data_end: u64,
}

/// One `traf`, and what of it the fragment needs.
struct TrackFragment {
    span: TrackSpan,
    /// Whether the first sample is a sync sample; `None` without samples.
    sync: Option<bool>,
    /// End of its sample data, bytes from the start of the `moof`.
    data_end: u64,
    samples: u64,
}

/// Sample data cursor of one `traf`.
struct Runs {
    defaults: SampleDefaults,
    base: u64,
    samples: u64,
    duration: u64,
    sync: Option<bool>,
    data_at: u64,
    data_end: u64,
}

/// Reads `moof` against the tracks of the init segment.
pub(crate) fn read(moof: &BoxRef<'_>, tracks: &[Track]) -> Result<Moof> {
    let sequence = leaf::decode::<Mfhd>(&moof.child(*b"mfhd")?)?.sequence_number;
    let mut spans = Vec::new();
    let mut syncs = Vec::new();
    let mut samples_left = limits::FRAGMENT_SAMPLES_MAX;
    let mut data_end = 0;
    let mut base = 0;
    for child in moof.children(0)? {
        let traf = child?;
        if traf.kind != *b"traf" {
            continue;
        }
        if spans.len() == limits::TRACKS_MAX {
            return Err(Error::TooManyTracks);
        }
        let read = track_fragment(&traf, tracks, base, samples_left)?;
        samples_left = samples_left.saturating_sub(read.samples);
        base = read.data_end;
        data_end = data_end.max(read.data_end);
        spans.push(read.span);
        syncs.push(read.sync);
    }
    let video = item::video(tracks).map(|track| track.id);
    let place = spans.iter().position(|span| Some(span.track) == video);
    let keyframe = match (video, place) {
        (None, _) => true,
        (Some(_), place) => place.and_then(|at| syncs.get(at).copied().flatten()) == Some(true),
    };
    let lead = spans
        .get(place.unwrap_or(0))
        .ok_or(Error::missing(*b"moof", *b"traf"))?;
    let timescale = timescale(tracks, lead.track)?;
    Ok(Moof {
        sequence,
        decode_time_us: time::us(lead.decode_time, timescale, *b"tfdt")?,
        duration_us: time::us(lead.duration, timescale, *b"trun")?,
        keyframe,
        spans,
        data_end,
    })
}

fn timescale(tracks: &[Track], id: u32) -> Result<u32> {
    Ok(find(tracks, id)?.timescale)
}

fn find(tracks: &[Track], id: u32) -> Result<&Track> {
    tracks
        .iter()
        .find(|track| track.id == id)
        .ok_or(Error::garbage(*b"tfhd", Flaw::TrackUnknown(id)))
}

fn track_fragment(
    traf: &BoxRef<'_>,
    tracks: &[Track],
    previous_end: u64,
    samples_max: u64,
) -> Result<TrackFragment> {
    let tfhd = leaf::decode::<Tfhd>(&traf.child(*b"tfhd")?)?;
    if tfhd.base_data_offset.is_some() {
        return Err(Error::NotRelocatable);
    }
    let track = find(tracks, tfhd.track_id)?;
    let tfdt = leaf::decode::<Tfdt>(&traf.child(*b"tfdt")?)?;
    // Section 8.8.7: without `default-base-is-moof` a later track's data follows
    // the previous track's.
    let base = if tfhd.default_base_is_moof {
        0
    } else {
        previous_end
    };
    let mut runs = Runs::new(&tfhd, &track.defaults, base);
    for child in traf.children(0)? {
        let child = child?;
        if child.kind == *b"trun" {
            let left = samples_max.saturating_sub(runs.samples);
            runs.add(&leaf::trun(&child, left)?)?;
        }
    }
    let decode_time = tfdt.base_media_decode_time;
    // Checked once here, so that a span's end is always exact.
    decode_time
        .checked_add(runs.duration)
        .ok_or(time::overflow(*b"tfdt"))?;
    Ok(TrackFragment {
        span: TrackSpan {
            track: tfhd.track_id,
            decode_time,
            duration: runs.duration,
        },
        sync: runs.sync,
        data_end: runs.data_end,
        samples: runs.samples,
    })
}

impl Runs {
    fn new(tfhd: &Tfhd, trex: &SampleDefaults, base: u64) -> Self {
        Self {
            defaults: SampleDefaults {
                duration: tfhd.default_sample_duration.unwrap_or(trex.duration),
                size: tfhd.default_sample_size.unwrap_or(trex.size),
                flags: tfhd.default_sample_flags.unwrap_or(trex.flags),
            },
            base,
            samples: 0,
            duration: 0,
            sync: None,
            data_at: base,
            data_end: base,
        }
    }

    /// Adds a run; at most [`limits::FRAGMENT_SAMPLES_MAX`] samples of 32-bit
    /// values, so the sums stay below 2^48.
    fn add(&mut self, trun: &Trun) -> Result<()> {
        if let Some(offset) = trun.data_offset {
            self.data_at = self
                .base
                .checked_add_signed(i64::from(offset))
                .ok_or(Error::garbage(*b"trun", Flaw::OffsetNegative))?;
        }
        for sample in trun.samples.iter() {
            self.sample(&sample);
        }
        self.data_end = self.data_end.max(self.data_at);
        Ok(())
    }

    fn sample(&mut self, sample: &TrunEntry) {
        let flags = sample.flags.unwrap_or(self.defaults.flags);
        self.sync.get_or_insert(flags & FLAG_NON_SYNC == 0);
        let duration = sample.duration.unwrap_or(self.defaults.duration);
        let size = sample.size.unwrap_or(self.defaults.size);
        self.samples = self.samples.saturating_add(1);
        self.duration = self.duration.saturating_add(u64::from(duration));
        self.data_at = self.data_at.saturating_add(u64::from(size));
    }
}
