//! What a stream is made of, once it is cut.

use bytes::Bytes;

/// The next piece of a stream, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The head of the stream; always first, always alone.
    Init(InitSegment),
    /// A piece of the stream.
    Fragment(Fragment),
}

impl Item {
    /// The exact bytes of the input that this item covers.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Init(init) => &init.bytes,
            Self::Fragment(fragment) => &fragment.bytes,
        }
    }
}

/// Everything from the first byte through `moov`, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitSegment {
    /// The exact bytes.
    pub bytes: Bytes,
    /// The tracks in file order, at most [`crate::limits::TRACKS_MAX`].
    pub tracks: Vec<Track>,
}

impl InitSegment {
    /// The first picture track, whose key frames start groups.
    pub fn video(&self) -> Option<&Track> {
        video(&self.tracks)
    }

    /// The track with this `track_ID`.
    pub fn track(&self, id: u32) -> Option<&Track> {
        self.tracks.iter().find(|track| track.id == id)
    }

    /// The MIME type with its `codecs` parameter (RFC 6381), as Media Source
    /// Extensions take it: `video/mp4; codecs="avc1.42c01e,mp4a.40.2"`.
    pub fn mime(&self) -> String {
        crate::codec::mime(&self.tracks)
    }
}

/// The first picture track among `tracks`.
pub(crate) fn video(tracks: &[Track]) -> Option<&Track> {
    tracks
        .iter()
        .find(|track| matches!(track.kind, TrackKind::Video { .. }))
}

/// One track of the init segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// `track_ID`, unique and not zero.
    pub id: u32,
    /// What it carries.
    pub kind: TrackKind,
    /// Ticks per second of its times, not zero.
    pub timescale: u32,
    /// RFC 6381 codec, for example `avc1.42c01e`; empty for
    /// [`TrackKind::Other`].
    pub codec: String,
    pub(crate) defaults: SampleDefaults,
}

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackKind {
    /// Pictures.
    Video {
        /// Pixels across.
        width: u16,
        /// Pixels down.
        height: u16,
    },
    /// Sound.
    Audio {
        /// Channels as the sample entry counts them.
        channels: u16,
    },
    /// Captions, metadata: carried, not announced to the player.
    Other,
}

/// Sample values of a track where neither `tfhd` nor `trun` gives any (`trex`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SampleDefaults {
    pub(crate) duration: u32,
    pub(crate) size: u32,
    pub(crate) flags: u32,
}

/// Everything after the previous fragment through the last `mdat` of a `moof`:
/// `styp`, `sidx`, `prft`, `emsg` before it included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The exact bytes.
    pub bytes: Bytes,
    /// `mfhd` sequence number; for raw pieces, a counter from 1.
    pub sequence: u32,
    /// Decode time of the first sample of the picture track, or of the first
    /// track present, µs.
    pub decode_time_us: u64,
    /// Sum of that track's sample durations, µs.
    pub duration_us: u64,
    /// A decoder can start here: the picture track's first sample is a sync
    /// sample. In a stream without a picture every fragment is one.
    pub keyframe: bool,
    /// Times per track in that track's own ticks; empty for raw pieces.
    pub spans: Vec<TrackSpan>,
}

/// The time one track covers in one fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackSpan {
    /// `track_ID`.
    pub track: u32,
    /// `baseMediaDecodeTime`, ticks.
    pub decode_time: u64,
    /// Sum of the sample durations, ticks; `decode_time + duration` fits `u64`.
    pub duration: u64,
}

impl TrackSpan {
    /// Decode time just after the last sample, ticks.
    pub fn end(&self) -> u64 {
        self.decode_time.saturating_add(self.duration)
    }
}
