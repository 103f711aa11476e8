//! ISO BMFF in and out: boxes, fragments, codecs, looping.
//!
//! A broadcast is an init segment (`ftyp` + `moov`) and then fragments
//! (`moof` + `mdat`), as ISO/IEC 14496-12 and CMAF (ISO/IEC 23000-19) define
//! them. This crate cuts a byte stream into exactly those pieces and changes no
//! byte of them, so that what a viewer puts together is what was published.
//!
//! ```text
//! boxes    bytes -> Init, Fragment, Fragment, ...     (Fragmenter)
//! codec    sample entries -> RFC 6381 codecs string
//! looping  a file repeated n times -> one continuous stream
//! raw      any bytes -> pieces that travel as fragments do
//! gop      which group of pictures a fragment belongs to
//! rate     how fast a stream is, by its own clock
//! ```
//!
//! The input is hostile: containers are walked here, with bounds, and only leaf
//! boxes of bounded length are handed to `mp4-atom`. The crate has no clock, no
//! file and no socket.

#[cfg(feature = "ablation")]
mod ablation;
pub mod boxes;
pub mod codec;
mod error;
pub mod gop;
pub mod item;
pub mod limits;
pub mod looping;
pub mod rate;
pub mod raw;
mod time;

pub use boxes::{Fragmenter, Trailer, parse_all};
pub use error::{Error, Flaw, FourCc, Result};
pub use item::{Fragment, InitSegment, Item, Track, TrackKind, TrackSpan};
pub use looping::Looper;

/// Whether this build can be given a splitter without its bounds. A shipped
/// program asserts at compile time that it is false.
pub const ABLATION: bool = cfg!(feature = "ablation");
