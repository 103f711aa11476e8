//! Every bound of this crate, with its unit and its reason.
//!
//! There is no depth limit: the readers name the one path they follow
//! (`moov/trak/mdia/minf/stbl/stsd/entry/config`, `moof/traf/trun`) and never
//! recurse, so nesting deeper than that path is skipped as opaque bytes.

/// Longest init segment, bytes. ffmpeg writes 1 to 2 KiB; a `moov` of a megabyte
/// is the sample table of a file that was never fragmented.
pub const INIT_BYTES_MAX: u64 = 1 << 20;

/// Longest fragment with everything that precedes its `moof`, bytes. 200 ms at
/// 320 Mbit/s; one fragment is the most a splitter ever holds back.
pub const FRAGMENT_BYTES_MAX: u64 = 8 << 20;

/// Longest `moof`, bytes. Every `trun` sample takes at least four bytes where
/// its fields are explicit, so this bounds what decoding one can allocate.
pub const MOOF_BYTES_MAX: u64 = 256 << 10;

/// Most samples one fragment may declare over all tracks: ten seconds of 60 fps
/// video and 48 kHz Opus at 2.5 ms need under 5,000.
pub const FRAGMENT_SAMPLES_MAX: u64 = 65_536;

/// Most tracks in an init segment, and track fragments in a `moof`: a picture,
/// a few languages, captions.
pub const TRACKS_MAX: usize = 8;

/// Longest box handed to the decoder outside `trun`, bytes. Parameter sets and
/// headers are tens of bytes.
pub const LEAF_BYTES_MAX: usize = 4 << 10;

/// Longest `esds` box, bytes. Its descriptors nest and the decoder recurses into
/// them at five bytes a level, so its length is what bounds the stack.
pub const ESDS_BYTES_MAX: usize = 512;

/// Longest input of [`crate::parse_all`], bytes: it holds all items at once,
/// which only test clips and short files should.
pub const PARSE_ALL_BYTES_MAX: usize = 64 << 20;

/// Largest piece of a raw stream, bytes: the same bound as a fragment, since
/// both become one chunk.
pub const RAW_PIECE_BYTES_MAX: usize = FRAGMENT_BYTES_MAX as usize;

/// Longest distance between key frames before a broadcaster is told, µs: a late
/// viewer waits for the next one, so this is what joining costs.
pub const KEYFRAME_INTERVAL_US_ADVISED: u64 = 2_000_000;
