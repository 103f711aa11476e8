//! The splitter: bytes in, init segment and fragments out.

pub(crate) mod leaf;
mod moof;
mod moov;
pub(crate) mod walk;

use std::collections::VecDeque;

use bytes::BytesMut;

use self::moof::Moof;
use self::walk::{BoxRef, Boxes, Header};
use crate::error::{Error, Flaw, FourCc, Result};
use crate::item::{Fragment, InitSegment, Item, Track};
use crate::limits;

/// Cuts a byte stream into [`Item`]s, however it arrives.
///
/// The items' bytes, one after the other, are the input, but for the
/// [`Trailer`]. Memory: one unfinished item
/// ([`limits::FRAGMENT_BYTES_MAX`]), the slice last pushed, and the items not
/// yet taken; so take them all after each push, and push slices of bounded size.
/// A fragment is ready as soon as the last sample its `moof` declares is there.
#[derive(Debug, Default)]
pub struct Fragmenter {
    /// The item under construction, then bytes not looked at yet.
    buffer: BytesMut,
    /// Where in `buffer` the next top-level box begins.
    scanned: usize,
    stage: Stage,
    tracks: Vec<Track>,
    fragments: u64,
    ready: VecDeque<Item>,
    /// Bytes of a trailer still to be let go.
    skip: u64,
    trailer: Trailer,
    failed: Option<Error>,
    #[cfg(feature = "ablation")]
    unbounded: bool,
}

/// Bytes of the input that no item holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trailer {
    /// Length of `mfra` (an index of byte offsets, meaningless in a live
    /// stream) and of whatever followed the last fragment, bytes.
    pub bytes: u64,
}

#[derive(Debug, Default)]
enum Stage {
    /// Nothing but perhaps part of the first header.
    #[default]
    Start,
    /// `ftyp` was there, `moov` was not.
    Head,
    /// Between fragments; boxes here belong to the next one.
    Between,
    /// After a `moof` that begins `at` in the buffer, before its last sample.
    Samples { moof: Moof, at: usize },
    /// After `mfra`, which a finished file ends with: no fragment may follow.
    Trailing,
}

/// Whether [`Fragmenter::step`] got anywhere.
enum Progress {
    Advanced,
    NeedsBytes,
}

impl Fragmenter {
    /// An empty splitter.
    pub fn new() -> Self {
        Self::default()
    }

    /// A splitter that buffers whatever a box's header claims.
    #[cfg(feature = "ablation")]
    pub fn dangerously_unbounded() -> Self {
        crate::ablation::marker();
        Self {
            unbounded: true,
            ..Self::default()
        }
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// The first flaw found, named. It is final: every later call returns it
    /// again. Items completed before it can still be taken.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.buffer.extend_from_slice(bytes);
        loop {
            match self.step() {
                Ok(Progress::Advanced) => {}
                Ok(Progress::NeedsBytes) => return Ok(()),
                Err(error) => {
                    self.buffer = BytesMut::new();
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
    }

    /// The next complete item, in stream order.
    pub fn next_item(&mut self) -> Option<Item> {
        self.ready.pop_front()
    }

    /// Declares the input finished.
    ///
    /// # Errors
    /// [`Error::Truncated`] if it ended inside a box or a fragment, before the
    /// init segment or before the first fragment; the error of an earlier push.
    pub fn finish(&self) -> Result<Trailer> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let truncated = |kind: [u8; 4], missing_bytes| Error::Truncated {
            expected: FourCc(kind),
            missing_bytes,
        };
        if self.skip > 0 {
            return Err(truncated(*b"mfra", self.skip));
        }
        let partial = self.buffer.len().saturating_sub(self.scanned) as u64;
        if let Some(header) = Header::peek(self.unscanned())? {
            let missing = header.total_bytes.saturating_sub(partial);
            return Err(truncated(header.kind, missing));
        }
        match &self.stage {
            Stage::Start => Err(truncated(*b"ftyp", 1)),
            Stage::Head => Err(truncated(*b"moov", 1)),
            Stage::Samples { .. } => Err(truncated(*b"mdat", 1)),
            Stage::Between | Stage::Trailing if partial > 0 || self.fragments == 0 => {
                Err(truncated(*b"moof", 1))
            }
            Stage::Between | Stage::Trailing => Ok(Trailer {
                bytes: self.trailer.bytes.saturating_add(self.scanned as u64),
            }),
        }
    }

    fn unscanned(&self) -> &[u8] {
        self.buffer.get(self.scanned..).unwrap_or_default()
    }

    fn step(&mut self) -> Result<Progress> {
        if self.skip > 0 {
            return Ok(self.let_go());
        }
        let Some(header) = Header::peek(self.unscanned())? else {
            return Ok(Progress::NeedsBytes);
        };
        self.admit(&header)?;
        if header.kind == *b"mfra" {
            let dropped = self.buffer.split_to(self.scanned).len() as u64;
            self.scanned = 0;
            self.skip = header.total_bytes;
            self.stage = Stage::Trailing;
            self.trailer.bytes = (self.trailer.bytes)
                .saturating_add(dropped)
                .saturating_add(header.total_bytes);
            return Ok(Progress::Advanced);
        }
        // `admit` bounded the size, so this conversion cannot fail on any target.
        let total = usize::try_from(header.total_bytes).unwrap_or(usize::MAX);
        if self.unscanned().len() < total {
            return Ok(Progress::NeedsBytes);
        }
        self.absorb(&header, total)?;
        Ok(Progress::Advanced)
    }

    fn let_go(&mut self) -> Progress {
        let available = self.buffer.len();
        let gone = usize::try_from(self.skip).map_or(available, |skip| skip.min(available));
        if gone == 0 {
            return Progress::NeedsBytes;
        }
        drop(self.buffer.split_to(gone));
        self.skip = self.skip.saturating_sub(gone as u64);
        Progress::Advanced
    }

    /// Whether a box of this type may come now and of this size ever, decided
    /// from its header alone: nothing is buffered for a box that will be refused.
    fn admit(&self, header: &Header) -> Result<()> {
        let kind = header.kind;
        match (&self.stage, &kind) {
            (Stage::Start, b"ftyp") => {}
            (Stage::Start, _) => return Err(Error::garbage(kind, Flaw::NotMp4)),
            (Stage::Head | Stage::Between, b"mdat") if self.fragments == 0 => {
                return Err(Error::NotFragmented);
            }
            (Stage::Between, b"mdat") => return Err(Error::garbage(kind, Flaw::Stray)),
            (Stage::Head, b"moof" | b"mfra") => return Err(Error::missing(kind, *b"moov")),
            (Stage::Trailing, b"moof" | b"mdat") => {
                return Err(Error::garbage(kind, Flaw::AfterIndex));
            }
            (Stage::Head, b"ftyp") | (Stage::Between | Stage::Trailing, b"ftyp" | b"moov") => {
                return Err(Error::InitRepeated { kind: FourCc(kind) });
            }
            (Stage::Samples { .. }, b"moof" | b"moov" | b"ftyp" | b"styp" | b"mfra") => {
                return Err(Error::garbage(kind, Flaw::SamplesMissing));
            }
            _ => {}
        }
        self.admit_size(header)
    }

    fn admit_size(&self, header: &Header) -> Result<()> {
        #[cfg(feature = "ablation")]
        if self.unbounded {
            return Ok(());
        }
        let bytes = header.total_bytes.saturating_add(self.scanned as u64);
        match (&self.stage, &header.kind) {
            (Stage::Between | Stage::Trailing, b"mfra") => Ok(()),
            (_, b"moof") if header.total_bytes > limits::MOOF_BYTES_MAX => {
                Err(Error::BoxTooLarge {
                    kind: FourCc(header.kind),
                    bytes: header.total_bytes,
                    max_bytes: limits::MOOF_BYTES_MAX,
                })
            }
            (Stage::Start | Stage::Head, _) if bytes > limits::INIT_BYTES_MAX => {
                Err(Error::InitTooLarge { bytes })
            }
            (Stage::Between | Stage::Samples { .. } | Stage::Trailing, _)
                if bytes > limits::FRAGMENT_BYTES_MAX =>
            {
                Err(Error::FragmentTooLarge { bytes })
            }
            _ => Ok(()),
        }
    }

    /// Takes a whole top-level box of `total` bytes into the item under
    /// construction, and completes the item if this was its last box.
    fn absorb(&mut self, header: &Header, total: usize) -> Result<()> {
        let at = self.scanned;
        let end = at.saturating_add(total);
        match (std::mem::take(&mut self.stage), &header.kind) {
            (Stage::Head, b"moov") => {
                self.tracks = moov::tracks(&self.whole(header, total)?)?;
                self.emit_init(end);
                self.stage = Stage::Between;
                return Ok(());
            }
            (Stage::Start | Stage::Head, _) => self.stage = Stage::Head,
            (Stage::Between, b"moof") => {
                let moof = moof::read(&self.whole(header, total)?, &self.tracks)?;
                self.stage = Stage::Samples { moof, at };
            }
            (Stage::Samples { moof, at }, b"mdat")
                if end.saturating_sub(at) as u64 >= moof.data_end =>
            {
                self.emit_fragment(moof, end);
                self.stage = Stage::Between;
                return Ok(());
            }
            (stage, _) => self.stage = stage,
        }
        self.scanned = end;
        Ok(())
    }

    /// The box at the scan position, all of which is there.
    fn whole(&self, header: &Header, total: usize) -> Result<BoxRef<'_>> {
        let bytes = self.unscanned().get(..total).unwrap_or_default();
        let mut boxes = Boxes::new(header.kind, bytes);
        boxes
            .next()
            .unwrap_or(Err(Error::garbage(header.kind, Flaw::Size)))
    }

    fn emit_init(&mut self, end: usize) {
        let bytes = self.buffer.split_to(end).freeze();
        self.scanned = 0;
        self.ready.push_back(Item::Init(InitSegment {
            bytes,
            tracks: self.tracks.clone(),
        }));
    }

    fn emit_fragment(&mut self, moof: Moof, end: usize) {
        let bytes = self.buffer.split_to(end).freeze();
        self.scanned = 0;
        self.fragments = self.fragments.saturating_add(1);
        self.ready.push_back(Item::Fragment(Fragment {
            bytes,
            sequence: moof.sequence,
            decode_time_us: moof.decode_time_us,
            duration_us: moof.duration_us,
            keyframe: moof.keyframe,
            spans: moof.spans,
        }));
    }
}

/// Cuts a whole stream at once: its init segment and at least one fragment.
///
/// # Errors
/// What [`Fragmenter`] says of it, and [`Error::InputTooLarge`] beyond
/// [`limits::PARSE_ALL_BYTES_MAX`].
pub fn parse_all(bytes: &[u8]) -> Result<Vec<Item>> {
    if bytes.len() > limits::PARSE_ALL_BYTES_MAX {
        return Err(Error::InputTooLarge { bytes: bytes.len() });
    }
    let mut fragmenter = Fragmenter::new();
    fragmenter.push(bytes)?;
    fragmenter.finish()?;
    Ok(fragmenter.ready.into())
}
