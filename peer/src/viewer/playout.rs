//! From verified blocks to the viewer's eyes: in order, init segment first,
//! byte for byte what was published.

use super::out::Out;
use super::report::{self, Report};
pub(super) use super::switching::Switched;
use crate::Error;
use bytes::Bytes;
use certs::Verified;
use certs::seal::{Openers, Piece};
use link::Node;
use media::{Fragmenter, Item};
use wire::message::control::MoveCause;
use wire::message::group::Dropped;
use wire::statement::{ChunkHeader, ChunkKey};
use wire::{Rendition, Sequence, UnixMs};

/// One chunk that was put out.
pub(super) struct Played {
    pub(super) key: ChunkKey,
    pub(super) keyframe: bool,
    pub(super) bytes: Bytes,
    /// None where the two clocks disagree too much.
    pub(super) delay_ms: Option<u64>,
}

impl Played {
    fn of(header: &Verified<ChunkHeader>, bytes: Bytes, now: UnixMs) -> Self {
        Self {
            key: header.key(),
            keyframe: header.flags.key,
            bytes,
            delay_ms: report::delay_ms(header.published, now),
        }
    }
}

/// The order of playing.
pub(crate) struct Playout {
    out: Out,
    feed: page::Feed,
    pub(super) rendition: Option<Rendition>,
    /// What the station has moved this viewer to.
    pub(super) aim: Option<(Rendition, MoveCause)>,
    pub(super) switched: Option<Switched>,
    /// Where what was put out ends, on the media's clock.
    pub(super) end_us: u64,
    pub(super) init: Option<Sequence>,
    /// The init segment that was put out last.
    put_out_init: Option<Bytes>,
    /// The run's last chunk was reached.
    ended: bool,
    pub(super) next: Option<Sequence>,
    mime: Option<String>,
    pub(crate) report: Report,
}

impl Playout {
    pub(super) fn new(out: Out, feed: page::Feed) -> Self {
        Self {
            out,
            feed,
            rendition: None,
            aim: None,
            switched: None,
            end_us: 0,
            init: None,
            put_out_init: None,
            ended: false,
            next: None,
            mime: None,
            report: Report::default(),
        }
    }

    /// A chunk is complete: puts out all that can be.
    pub(super) fn advance(
        &mut self,
        node: &Node,
        key: ChunkKey,
        openers: &mut Openers,
        now: (UnixMs, u64),
    ) -> Result<Vec<Played>, Error> {
        let mut played = Vec::new();
        if self.next.is_none() && !key.init {
            let starts = node.chunk(key).is_some_and(|(h, _)| h.flags.key);
            if starts {
                self.begin_with(key.rendition, key.sequence);
            }
        }
        while let Some((rendition, next)) = self.rendition.zip(self.next) {
            if self.switch(node) {
                continue;
            }
            let key = ChunkKey {
                rendition,
                init: false,
                sequence: next,
            };
            let Some((header, blocks)) = node.chunk(key) else {
                // The kept window has gone on without it, or who plays live
                // does: a gap is better than to wait for ever.
                let passed = node.passed(key.rendition, next);
                let Some(on) = passed.or_else(|| node.late(key.rendition, next)) else {
                    break;
                };
                self.miss(next, on);
                continue;
            };
            if self.put_out_init.is_none() && openers.newest() > Some(header.scope.epoch) {
                // From before this viewer was let in: it begins with what comes.
                self.next = None;
                break;
            }
            if self.init != Some(header.init_sequence) {
                let Some(init) =
                    self.play_init(node, (rendition, header.init_sequence), openers, now)?
                else {
                    break;
                };
                played.push(init);
            }
            let bytes = unseal(&header, &blocks, openers)?;
            self.next = Some(next.next());
            if header.flags.end {
                // It has no media.
                self.ended = true;
                break;
            }
            self.end_us = header.time_us.saturating_add(header.duration_us);
            played.push(self.put_out(&header, bytes, now)?);
        }
        Ok(played)
    }

    fn play_init(
        &mut self,
        node: &Node,
        (rendition, sequence): (Rendition, Sequence),
        openers: &mut Openers,
        now: (UnixMs, u64),
    ) -> Result<Option<Played>, Error> {
        let key = ChunkKey {
            rendition,
            init: true,
            sequence,
        };
        let Some((header, blocks)) = node.chunk(key) else {
            return Ok(None);
        };
        let bytes = unseal(&header, &blocks, openers)?;
        self.init = Some(sequence);
        if self.put_out_init.as_ref() == Some(&bytes) {
            // The same one under a new epoch's key is no second head.
            return Ok(Some(Played::of(&header, bytes, now.0)));
        }
        self.mime = mime_of(&bytes);
        self.put_out_init = Some(bytes.clone());
        self.put_out(&header, bytes, now).map(Some)
    }

    fn put_out(
        &mut self,
        header: &Verified<ChunkHeader>,
        bytes: Bytes,
        (now, mono_ms): (UnixMs, u64),
    ) -> Result<Played, Error> {
        self.out.write(&bytes)?;
        let played = Played::of(header, bytes.clone(), now);
        if header.flags.init {
            if let Some(mime) = &self.mime {
                // The sender's file is hostile input to the page, too: what
                // the page refuses is still written to --out.
                if let Err(e) = self.feed.push_init(mime.clone(), bytes.clone()) {
                    tracing::warn!("the page does not play this: {e}");
                    self.mime = None;
                }
            }
        } else {
            if self.mime.is_some() {
                let _ = self
                    .feed
                    .push_fragment(bytes.clone(), header.flags.key, header.time_us);
            }
            let bytes = bytes.len() as u64;
            self.report.played(mono_ms, played.delay_ms, bytes);
        }
        Ok(played)
    }

    /// Whether the run's last chunk was reached.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// The next chunk to be put out; none before the first.
    pub(super) const fn next(&self) -> Option<Sequence> {
        self.next
    }

    /// Waits until all of it is in the file.
    pub(super) async fn close(&mut self) -> Result<(), Error> {
        std::mem::replace(&mut self.out, Out::Nowhere).close().await
    }

    /// The parent will not send these: the stream goes on at the next group.
    pub(super) fn skip(&mut self, dropped: &Dropped) {
        if self
            .next
            .is_some_and(|n| n >= dropped.from && n < dropped.to)
        {
            self.miss(self.next.unwrap_or(dropped.to), dropped.to);
        }
    }

    fn miss(&mut self, next: Sequence, on: Sequence) {
        self.report.missed(on.0.saturating_sub(next.0));
        self.next = Some(on);
    }
}

fn unseal(
    header: &Verified<ChunkHeader>,
    blocks: &[Piece],
    openers: &mut Openers,
) -> Result<Bytes, Error> {
    let sealed = certs::seal::assemble(header, blocks)?;
    Ok(Bytes::from(openers.open(header, sealed)?))
}

/// The MIME type of an init segment; none for raw streams.
fn mime_of(init: &[u8]) -> Option<String> {
    let mut fragmenter = Fragmenter::new();
    fragmenter.push(init).ok()?;
    match fragmenter.next_item()? {
        Item::Init(init) => Some(init.mime()),
        Item::Fragment(_) => None,
    }
}
