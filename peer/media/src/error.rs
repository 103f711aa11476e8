//! Why a stream was refused.

use std::fmt;
use std::sync::Arc;

use crate::limits;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The command that makes any file acceptable; it is part of several messages.
const REMUX: &str = "ffmpeg -i IN -c copy -f mp4 \
    -movflags +frag_keyframe+empty_moov+default_base_moof -frag_duration 200000 OUT.mp4";

/// A box type: four bytes, printed as ASCII with the rest escaped.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What exactly is wrong with a box that [`Error::Garbage`] refuses.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Flaw {
    /// The stream does not begin with `ftyp`.
    #[error("the stream does not begin with `ftyp`, so it is not MP4")]
    NotMp4,
    /// A size smaller than the header, or larger than the enclosing box.
    #[error("its size contradicts the box around it")]
    Size,
    /// Size zero ("to the end of the file"), which a live stream cannot have.
    #[error("its size is left open (0), which only works in a finished file")]
    OpenSize,
    /// A required child box is absent.
    #[error("it lacks {0}")]
    Missing(FourCc),
    /// The body does not follow its definition.
    #[error("it cannot be decoded: {0}")]
    Undecodable(Arc<mp4_atom::Error>),
    /// A codec configuration without content: written before the encoder had
    /// its headers.
    #[error(
        "it is empty, because it was written before the encoder had its headers; replace \
         +empty_moov by +delay_moov in the encoder's -movflags"
    )]
    ConfigEmpty,
    /// The body is shorter than its fixed fields.
    #[error("it ends before its fixed fields do")]
    Short,
    /// `mdat` with no `moof` that describes it.
    #[error("no `moof` describes it")]
    Stray,
    /// A box that may not stand between a `moof` and the last of its samples.
    #[error("it stands where samples of the fragment before it should be")]
    SamplesMissing,
    /// A fragment after `mfra`, the index that ends a finished file.
    #[error(
        "it stands after `mfra`, the index that ends a file; remove the index between the parts"
    )]
    AfterIndex,
    /// A track fragment names a track that the init segment does not define.
    #[error("it names track {0}, which the init segment does not define")]
    TrackUnknown(u32),
    /// Two tracks share an identifier, or the identifier is zero.
    #[error("track id {0} is zero or used twice")]
    TrackId(u32),
    /// A timescale of zero.
    #[error("its timescale is zero")]
    Timescale,
    /// Not exactly one sample entry: the codec of the track would be ambiguous.
    #[error("it has {0} sample entries instead of one")]
    SampleEntries(u32),
    /// A sample run that begins before its own `moof`.
    #[error("its data offset points before the fragment")]
    OffsetNegative,
}

/// Why the stream was refused. The parser stays at its first error; items that
/// were complete before it remain valid.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The input ended inside something.
    #[error(
        "reading video: the input ends inside or before {expected}, at least {missing_bytes} bytes \
         short; fetch the file again, or see why the encoder stopped"
    )]
    Truncated {
        /// The box that is incomplete or absent.
        expected: FourCc,
        /// Bytes that are known to be missing.
        missing_bytes: u64,
    },
    /// Ordinary MP4: samples are indexed by `moov`, not by fragments.
    #[error("reading video: this MP4 is not fragmented; convert it once with: {remux}",
        remux = REMUX)]
    NotFragmented,
    /// A fragment is addressed from the start of the file.
    #[error("reading video: fragments are addressed from the start of the file, so nobody could join \
         late; convert it once with: {remux}",
        remux = REMUX)]
    NotRelocatable,
    /// One box is larger than its limit.
    #[error(
        "reading video: box {kind} has {bytes} bytes, the limit is {max_bytes}; write shorter \
         fragments (-frag_duration 200000) or lower the bitrate"
    )]
    BoxTooLarge {
        /// The box.
        kind: FourCc,
        /// Its declared size in bytes.
        bytes: u64,
        /// The limit in bytes.
        max_bytes: u64,
    },
    /// The init segment exceeds [`limits::INIT_BYTES_MAX`].
    #[error(
        "reading video: the init segment has {bytes} bytes, the limit is {max}; if the \
         file was never fragmented, convert it with: {remux}",
        remux = REMUX,
        max = limits::INIT_BYTES_MAX
    )]
    InitTooLarge {
        /// Bytes up to the end of the offending box.
        bytes: u64,
    },
    /// A fragment exceeds [`limits::FRAGMENT_BYTES_MAX`].
    #[error(
        "reading video: a fragment has {bytes} bytes, the limit is {max}; write shorter fragments \
         (-frag_duration 200000) or lower the bitrate",
        max = limits::FRAGMENT_BYTES_MAX
    )]
    FragmentTooLarge {
        /// Bytes up to the end of the offending box.
        bytes: u64,
    },
    /// A fragment declares more than [`limits::FRAGMENT_SAMPLES_MAX`] samples.
    #[error(
        "reading video: a fragment declares {samples} samples, the limit is {max}; write shorter \
         fragments (-frag_duration 200000)",
        max = limits::FRAGMENT_SAMPLES_MAX
    )]
    TooManySamples {
        /// Samples declared so far.
        samples: u64,
    },
    /// More than [`limits::TRACKS_MAX`] tracks or track fragments.
    #[error(
        "reading video: more than {max} tracks; keep one picture and one sound \
         (-map 0:v:0 -map 0:a:0)",
        max = limits::TRACKS_MAX
    )]
    TooManyTracks,
    /// A box does not follow the format.
    #[error("reading video: box {kind} is damaged or out of place: {flaw}; check the file with \
         ffprobe, or convert it with: {remux}",
        remux = REMUX)]
    Garbage {
        /// The box.
        kind: FourCc,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A second `ftyp` or `moov`.
    #[error(
        "reading video: a second init segment ({kind}) in one stream; start a new broadcast when \
         the encoder's settings change"
    )]
    InitRepeated {
        /// The box that repeats.
        kind: FourCc,
    },
    /// A codec that browsers cannot be told about.
    #[error(
        "reading video: codec {entry} is not carried; encode as H.264 and AAC \
         (-c:v libx264 -pix_fmt yuv420p -c:a aac), VP9, AV1 or Opus"
    )]
    CodecUnknown {
        /// The sample entry's type.
        entry: FourCc,
    },
    /// A time does not fit its field.
    #[error("reading video: a time in box {kind} does not fit its field; restart the broadcast, or \
         convert the file with: {remux}",
        remux = REMUX)]
    TimeOverflow {
        /// The box that holds the time.
        kind: FourCc,
    },
    /// A clip of no duration was to be repeated.
    #[error(
        "looping video: the clip has no duration, so repeating it would never end; check it with \
         ffprobe -show_packets"
    )]
    LoopEmpty,
    /// [`crate::parse_all`] was given more than [`limits::PARSE_ALL_BYTES_MAX`].
    #[error(
        "reading video: {bytes} bytes at once, the limit is {max}; push them piece by piece",
        max = limits::PARSE_ALL_BYTES_MAX
    )]
    InputTooLarge {
        /// Bytes given.
        bytes: usize,
    },
    /// A raw piece size of zero or beyond [`limits::RAW_PIECE_BYTES_MAX`].
    #[error(
        "cutting raw bytes: pieces of {bytes} bytes; choose 1 to {max}",
        max = limits::RAW_PIECE_BYTES_MAX
    )]
    PieceSize {
        /// The size asked for.
        bytes: usize,
    },
}

impl Error {
    /// The stable name of this refusal, for machines and for exit reports.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "media_truncated",
            Self::NotFragmented => "media_not_fragmented",
            Self::NotRelocatable => "media_not_relocatable",
            Self::BoxTooLarge { .. } => "media_box_too_large",
            Self::InitTooLarge { .. } => "media_init_too_large",
            Self::FragmentTooLarge { .. } => "media_fragment_too_large",
            Self::TooManySamples { .. } => "media_too_many_samples",
            Self::TooManyTracks => "media_too_many_tracks",
            Self::Garbage { .. } => "media_garbage",
            Self::InitRepeated { .. } => "media_init_repeated",
            Self::CodecUnknown { .. } => "media_codec_unknown",
            Self::TimeOverflow { .. } => "media_time_overflow",
            Self::LoopEmpty => "media_loop_empty",
            Self::InputTooLarge { .. } => "media_input_too_large",
            Self::PieceSize { .. } => "media_piece_size",
        }
    }

    pub(crate) fn garbage(kind: [u8; 4], flaw: Flaw) -> Self {
        Self::Garbage {
            kind: FourCc(kind),
            flaw,
        }
    }

    pub(crate) fn missing(parent: [u8; 4], child: [u8; 4]) -> Self {
        Self::garbage(parent, Flaw::Missing(FourCc(child)))
    }
}
