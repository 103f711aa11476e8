//! A file repeated for ever as one continuous stream.
//!
//! Each pass is the same bytes with later times: `tfdt`, `sidx`, `prft` and
//! `emsg` move by the clip's length, `mfhd` keeps counting. Box sizes do not
//! change, so the sample data needs no new offsets.

use bytes::BytesMut;

use crate::boxes::walk::{BoxRef, Boxes, u8_at, u32_at, u64_at};
use crate::error::{Error, Flaw, Result};
use crate::item::{Fragment, InitSegment, Track, TrackSpan};
use crate::time;

/// Units per second of the 32.32 fixed-point NTP time in `prft`.
const NTP_UNITS_PER_S: u64 = 1 << 32;

/// Rewrites the fragments of pass after pass.
///
/// The shift of pass `n` is `n` times the clip's length, the span of its
/// longest track as an exact fraction `ticks / timescale`; other time bases
/// round it up. So no track ever overlaps itself (its own span is a whole number
/// of ticks and not longer than the clip, and consecutive shifts are never
/// closer than the clip's length rounded down), the longest has no gap, and tracks stay together
/// to within one tick after any number of passes: nothing accumulates.
#[derive(Debug)]
pub struct Looper {
    clocks: Vec<Clock>,
    /// The track whose times a fragment is known by.
    video: Option<u32>,
    pass: u64,
    /// Length of the clip; zero ticks during the first pass.
    length: Length,
    sequence: Option<u32>,
}

/// What the first pass tells about one track.
#[derive(Debug, Clone, Copy)]
struct Clock {
    track: u32,
    timescale: u32,
    /// First decode time and end of the last sample, ticks.
    extent: Option<(u64, u64)>,
}

/// A length of time as an exact fraction of a second.
#[derive(Debug, Clone, Copy)]
struct Length {
    ticks: u64,
    timescale: u32,
}

impl Length {
    const ZERO: Self = Self {
        ticks: 0,
        timescale: 1,
    };

    fn exceeds(self, other: Self) -> bool {
        u128::from(self.ticks) * u128::from(other.timescale)
            > u128::from(other.ticks) * u128::from(self.timescale)
    }
}

/// A number to be put in the place of one of the same width.
#[derive(Debug, Clone, Copy)]
enum Value {
    U32(u32),
    U64(u64),
}

#[derive(Debug, Clone, Copy)]
struct Patch {
    at: usize,
    value: Value,
}

impl Looper {
    /// A looper in its first pass over the stream that `init` begins.
    pub fn new(init: &InitSegment) -> Self {
        let clock = |track: &Track| Clock {
            track: track.id,
            timescale: track.timescale,
            extent: None,
        };
        Self {
            clocks: init.tracks.iter().map(clock).collect(),
            video: init.video().map(|track| track.id),
            pass: 0,
            length: Length::ZERO,
            sequence: None,
        }
    }

    /// Passes completed, from zero.
    pub fn pass(&self) -> u64 {
        self.pass
    }

    /// Declares the end of a pass: the next fragment is again the first.
    ///
    /// # Errors
    /// [`Error::LoopEmpty`] if the first pass lasted no time at all: repeating
    /// it would never end; [`Error::TimeOverflow`] after 2^64 passes.
    pub fn next_pass(&mut self) -> Result<()> {
        if self.pass == 0 {
            self.length = self.longest();
            if self.length.ticks == 0 {
                return Err(Error::LoopEmpty);
            }
        }
        let next = self.pass.checked_add(1);
        self.pass = next.ok_or(time::overflow(*b"tfdt"))?;
        Ok(())
    }

    /// The fragment as it goes out in this pass: of the same size, with later
    /// times and the next sequence number. Other boxes stay as they are.
    ///
    /// # Errors
    /// [`Error::TimeOverflow`] if a time no longer fits its field (a 32-bit
    /// `tfdt` lasts 13 hours at 90 kHz; ffmpeg writes 64-bit ones).
    pub fn rewrite(&mut self, fragment: &Fragment) -> Result<Fragment> {
        if self.pass == 0 {
            self.learn(&fragment.spans);
        }
        let sequence = match self.sequence {
            None => fragment.sequence,
            Some(previous) => previous.wrapping_add(1),
        };
        let mut bytes = BytesMut::from(fragment.bytes.as_ref());
        for patch in self.patches(&fragment.bytes, sequence)? {
            patch.apply(&mut bytes)?;
        }
        let spans = fragment.spans.iter().map(|span| self.moved(span));
        let spans = spans.collect::<Result<Vec<_>>>()?;
        self.sequence = Some(sequence);
        Ok(Fragment {
            bytes: bytes.freeze(),
            sequence,
            decode_time_us: self.decode_time_us(&spans)?,
            duration_us: fragment.duration_us,
            keyframe: fragment.keyframe,
            spans,
        })
    }

    fn learn(&mut self, spans: &[TrackSpan]) {
        for span in spans {
            for clock in &mut self.clocks {
                if clock.track == span.track {
                    let (start, end) = clock.extent.unwrap_or((u64::MAX, 0));
                    let extent = (start.min(span.decode_time), end.max(span.end()));
                    clock.extent = Some(extent);
                }
            }
        }
    }

    fn longest(&self) -> Length {
        let mut longest = Length::ZERO;
        for clock in &self.clocks {
            let (start, end) = clock.extent.unwrap_or_default();
            let length = Length {
                ticks: end.saturating_sub(start),
                timescale: clock.timescale,
            };
            if length.exceeds(longest) {
                longest = length;
            }
        }
        longest
    }

    /// How far this pass is moved, in a time base of `units_per_s`, rounded up.
    fn shift(&self, units_per_s: u64, kind: [u8; 4]) -> Result<u64> {
        u128::from(self.pass)
            .checked_mul(u128::from(self.length.ticks))
            .and_then(|ticks| ticks.checked_mul(u128::from(units_per_s)))
            .map(|units| units.div_ceil(u128::from(self.length.timescale)))
            .and_then(|units| u64::try_from(units).ok())
            .ok_or(time::overflow(kind))
    }

    fn timescale(&self, track: u32, kind: [u8; 4]) -> Result<u32> {
        self.clocks
            .iter()
            .find(|clock| clock.track == track)
            .map(|clock| clock.timescale)
            .ok_or(Error::garbage(kind, Flaw::TrackUnknown(track)))
    }

    fn moved(&self, span: &TrackSpan) -> Result<TrackSpan> {
        let timescale = self.timescale(span.track, *b"tfdt")?;
        let shift = self.shift(u64::from(timescale), *b"tfdt")?;
        let moved = TrackSpan {
            decode_time: span.decode_time.saturating_add(shift),
            ..*span
        };
        // The end must stay exact: see `TrackSpan`.
        match moved.decode_time.checked_add(moved.duration) {
            Some(end) if end < u64::MAX => Ok(moved),
            _ => Err(time::overflow(*b"tfdt")),
        }
    }

    /// From the moved ticks and not by moving µs: rounding happens once.
    fn decode_time_us(&self, spans: &[TrackSpan]) -> Result<u64> {
        let video = spans.iter().find(|span| Some(span.track) == self.video);
        let lead = video
            .or(spans.first())
            .ok_or(Error::missing(*b"moof", *b"traf"))?;
        let timescale = self.timescale(lead.track, *b"tfdt")?;
        time::us(lead.decode_time, timescale, *b"tfdt")
    }

    fn patches(&self, bytes: &[u8], sequence: u32) -> Result<Vec<Patch>> {
        let mut patches = Vec::new();
        for top in Boxes::new(*b"moof", bytes) {
            let top = top?;
            match &top.kind {
                b"moof" => self.moof(&top, sequence, &mut patches)?,
                b"sidx" => self.sidx(&top, &mut patches)?,
                b"prft" => self.prft(&top, &mut patches)?,
                b"emsg" => self.emsg(&top, &mut patches)?,
                _ => {}
            }
        }
        Ok(patches)
    }

    fn moof(&self, moof: &BoxRef<'_>, sequence: u32, patches: &mut Vec<Patch>) -> Result<()> {
        let mfhd = moof.child(*b"mfhd")?;
        patches.push(Patch::new(&mfhd, 4, Value::U32(sequence)));
        for child in moof.children(0)? {
            let traf = child?;
            if traf.kind != *b"traf" {
                continue;
            }
            let tfhd = traf.child(*b"tfhd")?;
            let track = tfhd.field(u32_at(tfhd.body, 4))?;
            let timescale = self.timescale(track, tfhd.kind)?;
            let tfdt = traf.child(*b"tfdt")?;
            patches.push(self.later(&tfdt, 4, u64::from(timescale))?);
        }
        Ok(())
    }

    /// `earliest_presentation_time`, ISO/IEC 14496-12 section 8.16.3.
    fn sidx(&self, sidx: &BoxRef<'_>, patches: &mut Vec<Patch>) -> Result<()> {
        let timescale = sidx.field(u32_at(sidx.body, 8))?;
        patches.push(self.later(sidx, 12, u64::from(timescale))?);
        Ok(())
    }

    /// `media_time` and the wall clock it stands for, section 8.16.5.
    fn prft(&self, prft: &BoxRef<'_>, patches: &mut Vec<Patch>) -> Result<()> {
        let track = prft.field(u32_at(prft.body, 4))?;
        let timescale = self.timescale(track, prft.kind)?;
        patches.push(self.later(prft, 16, u64::from(timescale))?);
        let ntp = prft.field(u64_at(prft.body, 8))?;
        let shift = self.shift(NTP_UNITS_PER_S, prft.kind)?;
        patches.push(Patch::new(prft, 8, Value::U64(ntp.wrapping_add(shift))));
        Ok(())
    }

    /// `presentation_time` of version 1 (ISO/IEC 23009-1 section 5.10.3.3);
    /// version 0 counts from its own fragment and needs no change.
    fn emsg(&self, emsg: &BoxRef<'_>, patches: &mut Vec<Patch>) -> Result<()> {
        if emsg.field(u8_at(emsg.body, 0))? == 1 {
            let timescale = emsg.field(u32_at(emsg.body, 4))?;
            patches.push(self.later(emsg, 8, u64::from(timescale))?);
        }
        Ok(())
    }

    /// Moves the time at `at` in the body of a full box: 32 bits wide in
    /// version 0, 64 in version 1.
    fn later(&self, full: &BoxRef<'_>, at: usize, units_per_s: u64) -> Result<Patch> {
        let shift = self.shift(units_per_s, full.kind)?;
        let value = if full.field(u8_at(full.body, 0))? == 0 {
            let now = full.field(u32_at(full.body, at))?;
            let shift = u32::try_from(shift).ok();
            Value::U32(
                shift
                    .and_then(|shift| now.checked_add(shift))
                    .ok_or(time::overflow(full.kind))?,
            )
        } else {
            let now = full.field(u64_at(full.body, at))?;
            Value::U64(now.checked_add(shift).ok_or(time::overflow(full.kind))?)
        };
        Ok(Patch::new(full, at, value))
    }
}

impl Patch {
    /// A patch `at` bytes into the body of `target`.
    fn new(target: &BoxRef<'_>, at: usize, value: Value) -> Self {
        Self {
            at: target.body_at.saturating_add(at),
            value,
        }
    }

    fn apply(&self, bytes: &mut [u8]) -> Result<()> {
        let written = match self.value {
            Value::U32(value) => self.put(bytes, value.to_be_bytes()),
            Value::U64(value) => self.put(bytes, value.to_be_bytes()),
        };
        // Positions come from these very bytes, so this is a short box at worst.
        written.ok_or(Error::garbage(*b"moof", Flaw::Short))
    }

    fn put<const N: usize>(&self, bytes: &mut [u8], value: [u8; N]) -> Option<()> {
        *bytes.get_mut(self.at..)?.first_chunk_mut()? = value;
        Some(())
    }
}
