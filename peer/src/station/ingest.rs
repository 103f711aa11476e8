//! From the input to signed, sealed, published chunks.

use super::{Input, Options, Published};
use crate::Error;
use bytes::Bytes;
use certs::seal::{EpochSecret, Publisher};
use link::{Clock, Emitter, Node};
use media::{Fragment, Fragmenter, Item, Looper};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::{mpsc, watch};
use wire::Epoch;
use wire::statement::{ChunkFlags, ChunkKey};

/// A read of the input, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// A piece of raw input, in bytes: one block.
const RAW_PIECE_BYTES: usize = 16 * 1024 - 64;

/// Where chunks go, and what changes them on the way.
pub(super) struct Output {
    pub(super) node: Arc<Node>,
    pub(super) page: page::Feed,
    pub(super) epochs: mpsc::UnboundedReceiver<(Epoch, EpochSecret)>,
    pub(super) published: watch::Sender<Option<Published>>,
}

/// A copy of what is published.
struct Keep {
    file: std::fs::File,
    path: PathBuf,
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
    init: Bytes,
}

impl Ingest {
    pub(super) fn new(
        publisher: Publisher,
        output: Output,
        clock: Clock,
        emit: Emitter,
        options: &Options,
    ) -> Result<Self, Error> {
        Ok(Self {
            publisher,
            output,
            clock,
            emit,
            keep: options.keep.as_deref().map(Keep::create).transpose()?,
            trace: options.shared.trace_chunks,
            mime: String::new(),
            init: Bytes::new(),
        })
    }

    /// Publishes the whole input; returns at its end.
    pub(super) async fn run(&mut self, options: &Options) -> Result<(), Error> {
        match (&options.input, options.raw) {
            (Input::File(path), false) => self.file(path, options.looped).await,
            (Input::Stdin, false) => self.live(tokio::io::stdin()).await,
            (Input::File(path), true) => {
                let file = tokio::fs::File::open(path)
                    .await
                    .map_err(|e| unusable(path, e))?;
                let rate = options.stream_bps;
                self.raw(file, rate).await
            }
            (Input::Stdin, true) => self.raw(tokio::io::stdin(), None).await,
        }
    }

    async fn file(&mut self, path: &Path, looped: bool) -> Result<(), Error> {
        let start = tokio::time::Instant::now();
        let mut looper: Option<Looper> = None;
        loop {
            let file = tokio::fs::File::open(path)
                .await
                .map_err(|e| unusable(path, e))?;
            looper = self.pass(file, looper, start).await?;
            match looper.as_mut() {
                Some(looper) if looped => looper.next_pass()?,
                _ => return Ok(()),
            }
        }
    }

    /// A live encoder sets the pace itself.
    async fn live<R>(&mut self, input: R) -> Result<(), Error>
    where
        R: tokio::io::AsyncRead + Unpin,
    {
        let mut fragmenter = Fragmenter::new();
        self.read_into(input, &mut fragmenter, None, None).await?;
        Ok(())
    }

    /// One pass over a file, at the pace of its own clock.
    async fn pass(
        &mut self,
        file: tokio::fs::File,
        looper: Option<Looper>,
        start: tokio::time::Instant,
    ) -> Result<Option<Looper>, Error> {
        let mut fragmenter = Fragmenter::new();
        self.read_into(file, &mut fragmenter, looper, Some(start))
            .await
    }

    async fn read_into<R>(
        &mut self,
        mut input: R,
        fragmenter: &mut Fragmenter,
        mut looper: Option<Looper>,
        start: Option<tokio::time::Instant>,
    ) -> Result<Option<Looper>, Error>
    where
        R: tokio::io::AsyncRead + Unpin,
    {
        let mut buffer = vec![0u8; READ_BYTES];
        loop {
            let read = input
                .read(&mut buffer)
                .await
                .map_err(|source| Error::File {
                    step: "input",
                    path: "the input".into(),
                    source,
                })?;
            if read == 0 {
                fragmenter.finish()?;
                return Ok(looper);
            }
            fragmenter.push(buffer.get(..read).unwrap_or_default())?;
            while let Some(item) = fragmenter.next_item() {
                match item {
                    Item::Init(init) => {
                        // Of a looped file only the first init counts.
                        if looper.is_none() {
                            looper = Some(Looper::new(&init));
                            self.mime = init.mime();
                            self.publish_init(&init.bytes)?;
                        }
                    }
                    Item::Fragment(fragment) => {
                        let fragment = match (&mut looper, start) {
                            (Some(looper), Some(_)) => looper.rewrite(&fragment)?,
                            _ => fragment,
                        };
                        if let Some(start) = start {
                            let due = Duration::from_micros(fragment.decode_time_us);
                            tokio::time::sleep_until(start + due).await;
                        }
                        self.publish_fragment(&fragment)?;
                    }
                }
            }
        }
    }

    /// Any bytes: pieces as they come, or at `rate_bps` from a file.
    async fn raw<R>(&mut self, mut input: R, rate_bps: Option<u64>) -> Result<(), Error>
    where
        R: tokio::io::AsyncRead + Unpin,
    {
        self.mime = media::raw::MIME.to_owned();
        self.publish_init(&Bytes::from_static(b"raw"))?;
        let mut cutter = media::raw::Cutter::new(RAW_PIECE_BYTES)?;
        let mut buffer = vec![0u8; RAW_PIECE_BYTES];
        let (start, mut sent) = (tokio::time::Instant::now(), 0u64);
        loop {
            let read = input
                .read(&mut buffer)
                .await
                .map_err(|source| Error::File {
                    step: "input",
                    path: "the input".into(),
                    source,
                })?;
            let now_us = self.clock.mono_us();
            cutter.push(buffer.get(..read).unwrap_or_default(), now_us);
            while let Some(piece) = cutter.next_piece(now_us) {
                sent = sent.saturating_add(piece.bytes.len() as u64);
                if let Some(rate) = rate_bps.filter(|r| *r > 0) {
                    let due = sent.saturating_mul(8_000_000) / rate;
                    tokio::time::sleep_until(start + Duration::from_micros(due)).await;
                }
                self.publish_fragment(&piece)?;
            }
            if read == 0 {
                if let Some(piece) = cutter.flush(now_us) {
                    self.publish_fragment(&piece)?;
                }
                return Ok(());
            }
        }
    }

    fn publish_init(&mut self, bytes: &Bytes) -> Result<(), Error> {
        let flags = ChunkFlags {
            init: true,
            ..ChunkFlags::default()
        };
        self.init = bytes.clone();
        self.publish(bytes, 0, 0, flags)?;
        if self.plays() {
            self.output
                .page
                .push_init(self.mime.clone(), bytes.clone())?;
        }
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
        if self.plays() {
            self.output
                .page
                .push_fragment(fragment.bytes.clone(), fragment.keyframe, time)?;
        }
        Ok(())
    }

    /// Whether a browser can play the input.
    fn plays(&self) -> bool {
        self.mime != media::raw::MIME
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
        let mut blocks = Vec::with_capacity(sealed.blocks.len());
        for ((index, data), path) in (0u16..).zip(sealed.blocks).zip(sealed.paths) {
            let verified = certs::block::verify(&sealed.header, index, &path, &data)?;
            blocks.push((verified, path, data));
        }
        let key = sealed.header.key();
        self.tell(&key, flags, plain, time_us);
        if let Some(keep) = &mut self.keep {
            keep.write(plain)?;
        }
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
        if rotated {
            let init = self.init.clone();
            self.publish_init(&init)?;
        }
        Ok(())
    }

    fn tell(&self, key: &ChunkKey, flags: ChunkFlags, plain: &Bytes, time_us: u64) {
        if !self.trace {
            return;
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, plain);
        self.emit.tell(
            "chunk_published",
            json!({
                "init": key.init,
                "sequence": key.sequence.0,
                "key": flags.key,
                "sha256": data_encoding::HEXLOWER.encode(digest.as_ref()),
                "bytes": plain.len(),
                "time_us": time_us,
            }),
        );
    }
}

impl Keep {
    fn create(path: &Path) -> Result<Self, Error> {
        match std::fs::File::create(path) {
            Ok(file) => Ok(Self {
                file,
                path: path.into(),
            }),
            Err(source) => Err(Error::File {
                step: "keep",
                path: path.into(),
                source,
            }),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|source| Error::File {
            step: "keep",
            path: self.path.clone(),
            source,
        })
    }
}

fn unusable(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        step: "input",
        path: path.into(),
        source,
    }
}

/// The average rate of a fragmented MP4 file in bit/s.
pub(super) fn file_rate_bps(path: &Path) -> Result<u64, Error> {
    let bytes = std::fs::read(path).map_err(|e| unusable(path, e))?;
    let mut end_us = 0u64;
    let mut first_us = None;
    for item in media::parse_all(&bytes)? {
        if let Item::Fragment(f) = item {
            first_us.get_or_insert(f.decode_time_us);
            end_us = end_us.max(f.decode_time_us.saturating_add(f.duration_us));
        }
    }
    let length_us = end_us.saturating_sub(first_us.unwrap_or(0)).max(1);
    let bits = u128::from(bytes.len() as u64) * 8_000_000;
    Ok(u64::try_from(bits / u128::from(length_us)).unwrap_or(u64::MAX))
}
