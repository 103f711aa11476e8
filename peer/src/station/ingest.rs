//! From the input to signed, sealed, published chunks.

mod keep;
mod pace;
mod piece;
mod rate;

pub(super) use rate::file_rate_bps;

use super::coordinator::Event;
use super::saved::journal::{Journal, Published as Past};
use super::{Input, Options, Published};
use crate::Error;
use bytes::Bytes;
use certs::seal::{EpochSecret, Publisher};
use keep::Keep;
use link::{Clock, Emitter, Node};
use media::gop::Groups;
use media::{Fragment, Fragmenter, InitSegment, Item, Looper};
use pace::Pace;
use piece::raw_piece_bytes;
use rate::Meter;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{mpsc, watch};
use wire::Epoch;
use wire::statement::{ChunkFlags, ChunkKey};

/// A read of the input, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// How long raw bytes wait for more to fill a piece.
const RAW_WAIT_MS: u64 = 200;

/// Where chunks go, and what changes them on the way.
pub(super) struct Output {
    pub(super) node: Arc<Node>,
    /// The station's own page, if there is one.
    pub(super) page: Option<page::Feed>,
    pub(super) epochs: mpsc::UnboundedReceiver<(Epoch, EpochSecret)>,
    pub(super) published: watch::Sender<Option<Published>>,
    /// The coordinator.
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// Where each chunk is saved before it leaves.
    pub(super) journal: Option<Journal>,
    /// What an earlier life has published: a file goes on where it stopped, and
    /// what comes live goes on by itself.
    pub(super) past: Past,
}

impl Output {
    /// Of a run that was not published before, without a page and a copy.
    pub(super) fn new(
        node: &Arc<Node>,
        epochs: mpsc::UnboundedReceiver<(Epoch, EpochSecret)>,
        published: watch::Sender<Option<Published>>,
        events: &mpsc::UnboundedSender<Event>,
    ) -> Self {
        Self {
            node: node.clone(),
            page: None,
            epochs,
            published,
            events: events.clone(),
            journal: None,
            past: Past::default(),
        }
    }
}

/// What ingest works with.
pub(super) struct Ingest {
    publisher: Publisher,
    output: Output,
    clock: Clock,
    emit: Emitter,
    keep: Option<Keep>,
    trace: bool,
    mime: String,
    /// The init segment that was published last.
    init: Option<Bytes>,
    /// Where the media ends by now, on its own clock.
    end_us: u64,
    /// What a file has before this was published by an earlier life.
    skip_us: u64,
    groups: Groups,
    /// Key frames were found to be rare, and the broadcaster told.
    rare_told: bool,
    meter: Option<Meter>,
}

/// What `pass` reads a stream with.
struct Reading<'a> {
    fragmenter: Fragmenter,
    /// Makes one stream of a file's passes.
    looper: &'a mut Option<Looper>,
    /// A live encoder sets the pace itself.
    pace: Option<&'a mut Pace>,
}

impl Ingest {
    pub(super) fn new(
        publisher: Publisher,
        output: Output,
        clock: Clock,
        emit: Emitter,
        options: &Options,
    ) -> Result<Self, Error> {
        let live = matches!(options.input, Input::Stdin);
        let past_us = output.past.end_us();
        Ok(Self {
            publisher,
            output,
            clock,
            emit,
            keep: options.keep.as_deref().map(Keep::create).transpose()?,
            trace: options.shared.trace_chunks,
            mime: String::new(),
            init: None,
            end_us: past_us,
            skip_us: past_us,
            groups: Groups::new(),
            rare_told: false,
            meter: live.then(Meter::new),
        })
    }

    /// Publishes the whole input; returns at its end. `rate_bps` is the pace
    /// of a file that has no clock of its own.
    pub(super) async fn run(&mut self, options: &Options, rate_bps: u64) -> Result<(), Error> {
        match (&options.input, options.raw) {
            (Input::File(path), false) => self.file(path, options.looped).await,
            (Input::Stdin, false) => self.live(tokio::io::stdin()).await,
            (Input::File(path), true) => self.raw(open(path).await?, Some(rate_bps)).await,
            (Input::Stdin, true) => self.raw(tokio::io::stdin(), None).await,
        }
    }

    /// Publishes the run's last chunk. It has no media: who has it has all,
    /// and may leave.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        if self.init.is_none() {
            return Ok(());
        }
        let flags = ChunkFlags {
            end: true,
            ..ChunkFlags::default()
        };
        self.publish(&Bytes::new(), self.end_us, 0, flags)
    }

    async fn file(&mut self, path: &Path, looped: bool) -> Result<(), Error> {
        let (mut looper, mut pace) = (None, Pace::default());
        loop {
            let reading = Reading {
                fragmenter: Fragmenter::new(),
                looper: &mut looper,
                pace: Some(&mut pace),
            };
            self.pass(open(path).await?, reading).await?;
            match looper.as_mut() {
                Some(looper) if looped => looper.next_pass()?,
                _ => return Ok(()),
            }
        }
    }

    async fn live(&mut self, input: impl AsyncRead + Unpin) -> Result<(), Error> {
        let reading = Reading {
            fragmenter: Fragmenter::new(),
            looper: &mut None,
            pace: None,
        };
        self.pass(input, reading).await
    }

    /// Reads the input once, to its end.
    async fn pass(
        &mut self,
        mut input: impl AsyncRead + Unpin,
        mut reading: Reading<'_>,
    ) -> Result<(), Error> {
        let mut buffer = vec![0u8; READ_BYTES];
        loop {
            let read = read(&mut input, &mut buffer).await?;
            if read == 0 {
                reading.fragmenter.finish()?;
                return Ok(());
            }
            let bytes = buffer.get(..read).unwrap_or_default();
            let parsed = reading.fragmenter.push(bytes);
            // What came before a flaw is whole.
            while let Some(item) = reading.fragmenter.next_item() {
                self.item(item, &mut reading).await?;
            }
            parsed?;
        }
    }

    async fn item(&mut self, item: Item, reading: &mut Reading<'_>) -> Result<(), Error> {
        let fragment = match item {
            Item::Init(init) => return self.begin(&init, reading.looper),
            Item::Fragment(fragment) => fragment,
        };
        match (reading.looper.as_mut(), reading.pace.as_mut()) {
            (Some(looper), Some(pace)) => {
                let fragment = looper.rewrite(&fragment)?;
                let middle_us = fragment.duration_us / 2;
                if fragment.decode_time_us.saturating_add(middle_us) < self.skip_us {
                    return Ok(());
                }
                pace.wait(fragment.decode_time_us).await;
                self.publish_fragment(&fragment)
            }
            _ => self.publish_fragment(&fragment),
        }
    }

    /// Of a looped file only the first init segment counts.
    fn begin(&mut self, init: &InitSegment, looper: &mut Option<Looper>) -> Result<(), Error> {
        if looper.is_some() {
            return Ok(());
        }
        *looper = Some(Looper::new(init));
        self.mime = init.mime();
        self.publish_init(init.bytes.clone())
    }

    /// Any bytes: pieces as they come, or at `rate_bps` from a file.
    async fn raw(
        &mut self,
        mut input: impl AsyncRead + Unpin,
        rate_bps: Option<u64>,
    ) -> Result<(), Error> {
        self.mime = media::raw::MIME.to_owned();
        self.output.page = None;
        // A stream without a format has nothing in front.
        self.publish_init(Bytes::new())?;
        let piece_bytes = raw_piece_bytes(rate_bps);
        let mut cutter = media::raw::Cutter::new(piece_bytes)?;
        let mut buffer = vec![0u8; piece_bytes];
        let (start, mut sent) = (tokio::time::Instant::now(), 0u64);
        loop {
            let reading = read(&mut input, &mut buffer);
            let read = match rate_bps {
                Some(_) => Some(reading.await?),
                // A live source may pause: what it has said goes out.
                None => tokio::time::timeout(Duration::from_millis(RAW_WAIT_MS), reading)
                    .await
                    .ok()
                    .transpose()?,
            };
            let now_us = self.clock.mono_us();
            let bytes = buffer.get(..read.unwrap_or(0));
            cutter.push(bytes.unwrap_or_default(), now_us);
            while let Some(piece) = cutter.next_piece(now_us) {
                sent = sent.saturating_add(piece.bytes.len() as u64);
                if let Some(rate) = rate_bps {
                    let due = sent.saturating_mul(8_000_000) / rate.max(1);
                    tokio::time::sleep_until(start + Duration::from_micros(due)).await;
                }
                self.publish_fragment(&piece)?;
            }
            let pauses = read.is_none_or(|read| read == 0);
            if pauses && let Some(piece) = cutter.flush(now_us) {
                self.publish_fragment(&piece)?;
            }
            if read == Some(0) {
                return Ok(());
            }
        }
    }

    fn publish_init(&mut self, bytes: Bytes) -> Result<(), Error> {
        let flags = ChunkFlags {
            init: true,
            ..ChunkFlags::default()
        };
        self.publish(&bytes, 0, 0, flags)?;
        // Published again under a new key it is no second head of the stream.
        if self.init.as_ref() != Some(&bytes) {
            self.keep(&bytes)?;
            if let Some(page) = &self.output.page {
                let pushed = page.push_init(self.mime.clone(), bytes.clone());
                self.shown(pushed);
            }
        }
        self.init = Some(bytes);
        Ok(())
    }

    fn publish_fragment(&mut self, fragment: &Fragment) -> Result<(), Error> {
        let flags = ChunkFlags {
            key: fragment.keyframe,
            ..ChunkFlags::default()
        };
        let (time, duration) = (fragment.decode_time_us, fragment.duration_us);
        self.rotate()?;
        self.publish(&fragment.bytes, time, duration, flags)?;
        self.end_us = time.saturating_add(duration);
        self.keep(&fragment.bytes)?;
        if let Some(page) = &self.output.page {
            let pushed = page.push_fragment(fragment.bytes.clone(), fragment.keyframe, time);
            self.shown(pushed);
        }
        self.watch(fragment);
        Ok(())
    }

    /// What a browser cannot play is broadcast all the same.
    fn shown(&mut self, pushed: Result<(), page::Error>) {
        if let Err(e) = pushed {
            self.output.page = None;
            let fields = json!({"reason": e.reason()});
            let text = format!("this page does not play the stream, viewers get it: {e}");
            self.warn("page_refused", fields, text);
        }
    }

    /// Looks at what the stream is like for those who watch it.
    fn watch(&mut self, fragment: &Fragment) {
        if let Some(bps) = self.meter.as_mut().and_then(|meter| meter.note(fragment)) {
            let _ = self.output.events.send(Event::Measured(bps));
        }
        self.groups.place(fragment);
        if self.groups.too_long() && !self.rare_told {
            self.rare_told = true;
            let interval_ms = self.groups.interval_us().unwrap_or(0) / 1_000;
            let fields = json!({"interval_ms": interval_ms});
            let text = format!(
                "key frames are {interval_ms} ms apart: who joins waits as long for a picture; \
                 tell the encoder to send one every 2 s (ffmpeg: -g)"
            );
            self.warn("key_frames_rare", fields, text);
        }
    }

    /// Tells the broadcaster, in the terminal and on the page.
    fn warn(&self, kind: &str, fields: serde_json::Value, text: String) {
        if self.emit.json() {
            self.emit.tell(kind, fields);
        }
        self.emit.say(&text);
        let _ = self.output.events.send(Event::Notice(text));
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.keep {
            Some(keep) => keep.write(bytes),
            None => Ok(()),
        }
    }

    fn publish(
        &mut self,
        plain: &Bytes,
        time_us: u64,
        duration_us: u64,
        flags: ChunkFlags,
    ) -> Result<(), Error> {
        let published = self.clock.unix();
        let sealed = self
            .publisher
            .publish(plain, time_us, duration_us, published, flags)?;
        if let Some(journal) = &mut self.output.journal {
            journal.append(&sealed)?;
        }
        let mut blocks = Vec::with_capacity(sealed.blocks.len());
        for ((index, data), path) in (0u16..).zip(sealed.blocks).zip(sealed.paths) {
            let verified = certs::block::verify(&sealed.header, index, &path, &data)?;
            blocks.push((verified, path, data));
        }
        let key = sealed.header.key();
        self.tell(&key, flags, plain, (time_us, duration_us));
        if !flags.init {
            self.output.published.send_replace(Some(Published {
                head: key.sequence,
                header: sealed.header.digest(),
            }));
        }
        self.output
            .node
            .publish(sealed.header, sealed.signed, blocks);
        Ok(())
    }

    /// Takes on a new epoch, at a chunk border. Who joins from now on cannot
    /// open the old init segment: it is published again under the new key.
    fn rotate(&mut self) -> Result<(), Error> {
        let mut rotated = false;
        while let Ok((epoch, secret)) = self.output.epochs.try_recv() {
            self.publisher.rotate(epoch, &secret)?;
            rotated = true;
        }
        match &self.init {
            Some(init) if rotated => self.publish_init(init.clone()),
            _ => Ok(()),
        }
    }

    fn tell(
        &self,
        key: &ChunkKey,
        flags: ChunkFlags,
        plain: &Bytes,
        (time_us, duration_us): (u64, u64),
    ) {
        // The end is no piece of the stream.
        if !self.trace || flags.end {
            return;
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, plain);
        self.emit.tell(
            "chunk_published",
            json!({
                "rendition": key.rendition.0,
                "init": key.init,
                "sequence": key.sequence.0,
                "key": flags.key,
                "sha256": data_encoding::HEXLOWER.encode(digest.as_ref()),
                "bytes": plain.len(),
                "time_us": time_us,
                "duration_us": duration_us,
            }),
        );
    }
}

async fn open(path: &Path) -> Result<tokio::fs::File, Error> {
    tokio::fs::File::open(path)
        .await
        .map_err(|e| unusable(path, e))
}

async fn read(input: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> Result<usize, Error> {
    let read = input.read(buffer).await;
    read.map_err(|source| unusable(Path::new("the input"), source))
}

fn unusable(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        step: "input",
        path: path.into(),
        source,
    }
}
