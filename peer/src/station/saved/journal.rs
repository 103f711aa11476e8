//! What was published last, on the disk before it leaves the station: so a
//! station that is back goes on behind it, and can still give it to who lacks
//! it.
//!
//! Two files take turns: the older one is emptied when the newer one alone
//! holds more than the kept window. A record is its length (u32, big-endian),
//! the signed header, and the sealed chunk.

use crate::Error;
use certs::chunk::{HeaderLimits, HeaderVerifier};
use certs::seal::{Heads, SealedChunk};
use certs::{SigningKey, Verified};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use wire::limits::CHUNK_BYTES_MAX;
use wire::statement::{ChunkHeader, RunStatement, Signed, Statement};
use wire::{Decode, Encode, Reader, UnixMs};

/// A record, in bytes: a signed header and a chunk.
const RECORD_BYTES_MAX: usize = CHUNK_BYTES_MAX + ChunkHeader::BODY_BYTES_MAX + 128;
/// The length in front of a record, in bytes.
const LENGTH_BYTES: usize = 4;

/// The files while the station is on the air.
#[derive(Debug)]
pub(in crate::station) struct Journal {
    paths: [PathBuf; 2],
    /// Which of them is written.
    current: usize,
    file: File,
    kept_ms: u64,
    /// When the first media chunk of the current file was published.
    begun: Option<UnixMs>,
    /// The newest init segment, as it stands in the files.
    init: Vec<u8>,
}

/// What an earlier life of the station has published.
#[derive(Debug, Default)]
pub(in crate::station) struct Published {
    /// Chunks of the kept window and some before it, init segments and media,
    /// in the order in which they were published.
    pub(in crate::station) chunks: Vec<SealedChunk>,
    /// How far it came.
    pub(in crate::station) heads: Heads,
}

fn paths(folder: &Path) -> [PathBuf; 2] {
    ["chunks.0", "chunks.1"].map(|name| folder.join(name))
}

fn open(path: &Path, empty: bool) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(!empty)
        .write(true)
        .truncate(empty)
        .mode(0o600)
        .open(path)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    Error::file("save what is published", path)
}

impl Journal {
    /// Begins with empty files.
    pub(super) fn begin(folder: &Path, kept_ms: u64) -> Result<Self, Error> {
        let paths = paths(folder);
        let [first, second] = &paths;
        open(second, true).map_err(failed(second))?;
        let file = open(first, true).map_err(failed(first))?;
        Ok(Self {
            paths,
            current: 0,
            file,
            kept_ms,
            begun: None,
            init: Vec::new(),
        })
    }

    /// Begins anew with what an earlier life published: nothing of it is lost
    /// if this one ends, too.
    pub(super) fn go_on(folder: &Path, kept_ms: u64, published: &Published) -> Result<Self, Error> {
        // Written beside the old ones, which stay until it is whole.
        let next = folder.join("chunks.next");
        let mut file = open(&next, true).map_err(failed(&next))?;
        let mut init = Vec::new();
        for chunk in &published.chunks {
            let record = record(chunk);
            file.write_all(&record).map_err(failed(&next))?;
            if chunk.header.flags.init {
                init = record;
            }
        }
        let paths = paths(folder);
        let [first, second] = &paths;
        file.sync_data()
            .and_then(|()| std::fs::rename(&next, first))
            .and_then(|()| File::open(folder)?.sync_all())
            .map_err(failed(first))?;
        open(second, true).map_err(failed(second))?;
        let mut media = published.chunks.iter().filter(|c| !c.header.flags.init);
        let file = open(first, false).map_err(failed(first))?;
        Ok(Self {
            begun: media.next().map(|chunk| chunk.header.published),
            paths,
            current: 0,
            file,
            kept_ms,
            init,
        })
    }

    /// Saves a chunk; it is on the disk when this returns.
    pub(in crate::station) fn append(&mut self, chunk: &SealedChunk) -> Result<(), Error> {
        let published = chunk.header.published;
        let full = |begun: UnixMs| published.since_ms(begun) > self.kept_ms;
        let record = record(chunk);
        if chunk.header.flags.init {
            self.init.clone_from(&record);
        } else if self.begun.is_some_and(full) {
            self.turn()?;
        }
        if !chunk.header.flags.init {
            self.begun.get_or_insert(published);
        }
        let path = self.paths.get(self.current).cloned().unwrap_or_default();
        self.file
            .write_all(&record)
            .and_then(|()| self.file.sync_data())
            .map_err(failed(&path))
    }

    /// The other file is emptied, and written from now on.
    fn turn(&mut self) -> Result<(), Error> {
        self.current = 1 - self.current.min(1);
        self.begun = None;
        let path = self.paths.get(self.current).cloned().unwrap_or_default();
        self.file = open(&path, true).map_err(failed(&path))?;
        self.file.write_all(&self.init).map_err(failed(&path))
    }

    /// The run has ended.
    pub(super) fn remove(folder: &Path) -> io::Result<()> {
        paths(folder)
            .iter()
            .try_for_each(|path| crate::wallet::remove(path))
    }
}

fn record(chunk: &SealedChunk) -> Vec<u8> {
    let mut body = Vec::new();
    chunk.signed.encode(&mut body);
    body.extend_from_slice(&chunk.sealed());
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut record = Vec::with_capacity(body.len().saturating_add(LENGTH_BYTES));
    record.extend_from_slice(&len.to_be_bytes());
    record.extend_from_slice(&body);
    record
}

/// Reads what an earlier life of the station published. The last record of the
/// newer file may be cut short: its chunk never left.
///
/// # Errors
/// [`Error::RunDamaged`] if anything else is wrong: behind such a place there
/// may be chunks that left, whose sequences must not come twice.
pub(super) fn read(
    folder: &Path,
    run: &Verified<RunStatement>,
    key: &SigningKey,
) -> Result<Published, Error> {
    let mut verifier = HeaderVerifier::new(run, HeaderLimits::default());
    let mut files = Vec::new();
    for path in paths(folder) {
        let whole = read_file(&path, &mut verifier)?;
        files.push((path, whole));
    }
    // The newer one goes further, or was being written.
    let newest = |(_, (chunks, whole)): &(PathBuf, (Vec<SealedChunk>, bool))| {
        let media = chunks.iter().filter(|c| !c.header.flags.init);
        (!whole, media.map(|c| c.header.sequence).max())
    };
    files.sort_by_key(newest);
    let mut published = Published::default();
    let last = files.len().saturating_sub(1);
    for (at, (path, (chunks, whole))) in files.into_iter().enumerate() {
        if !whole && at < last {
            return Err(damaged(&path, "a record in the middle is cut short"));
        }
        published.add(chunks);
    }
    let known = key.public() == run.chunk_key;
    known
        .then_some(published)
        .ok_or_else(|| damaged(folder, "its chunk key is another run's"))
}

impl Published {
    fn add(&mut self, chunks: Vec<SealedChunk>) {
        for chunk in chunks {
            let head = if chunk.header.flags.init {
                self.heads.init
            } else {
                self.heads.media
            };
            // An init segment stands in both files.
            if head.is_none_or(|head| chunk.header.sequence > head.sequence) {
                self.heads.note(&chunk.header);
                self.chunks.push(chunk);
            }
        }
    }

    /// The newest media chunk.
    fn last(&self) -> Option<&SealedChunk> {
        self.chunks.iter().rfind(|c| !c.header.flags.init)
    }

    /// Where its media ends, on the stream's clock in microseconds.
    pub(in crate::station) fn end_us(&self) -> u64 {
        self.last().map_or(0, |last| {
            let header = &last.header;
            header.time_us.saturating_add(header.duration_us)
        })
    }
}

fn damaged(path: &Path, detail: &str) -> Error {
    Error::RunDamaged {
        path: path.to_owned(),
        detail: detail.to_owned(),
    }
}

/// The chunks of a file, and whether its last record is whole.
fn read_file(
    path: &Path,
    verifier: &mut HeaderVerifier,
) -> Result<(Vec<SealedChunk>, bool), Error> {
    let mut file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), true)),
        file => io::BufReader::new(file.map_err(failed(path))?),
    };
    let mut chunks = Vec::new();
    loop {
        match next_record(&mut file).map_err(failed(path))? {
            Record::End => return Ok((chunks, true)),
            Record::CutShort => return Ok((chunks, false)),
            Record::TooLong => return Err(damaged(path, "a record is too long")),
            Record::Whole(bytes) => match chunk(&bytes, verifier) {
                Ok(chunk) => chunks.push(chunk),
                Err(detail) => return Err(damaged(path, &detail)),
            },
        }
    }
}

enum Record {
    Whole(Vec<u8>),
    CutShort,
    TooLong,
    End,
}

fn next_record(file: &mut impl Read) -> io::Result<Record> {
    let mut length = Vec::with_capacity(LENGTH_BYTES);
    file.by_ref()
        .take(LENGTH_BYTES as u64)
        .read_to_end(&mut length)?;
    let Ok(length) = <[u8; LENGTH_BYTES]>::try_from(length.as_slice()) else {
        return Ok(if length.is_empty() {
            Record::End
        } else {
            Record::CutShort
        });
    };
    let len = u32::from_be_bytes(length) as usize;
    if len > RECORD_BYTES_MAX {
        return Ok(Record::TooLong);
    }
    let mut bytes = Vec::with_capacity(len);
    file.by_ref().take(len as u64).read_to_end(&mut bytes)?;
    Ok(if bytes.len() == len {
        Record::Whole(bytes)
    } else {
        Record::CutShort
    })
}

fn chunk(bytes: &[u8], verifier: &mut HeaderVerifier) -> Result<SealedChunk, String> {
    let mut reader = Reader::new(bytes);
    let signed = Signed::<ChunkHeader>::decode(&mut reader).map_err(|e| e.to_string())?;
    let rest = reader.remaining();
    let sealed = reader.take(rest, "a chunk").map_err(|e| e.to_string())?;
    let header = verifier.verify(&signed).map_err(|e| e.to_string())?;
    SealedChunk::restore(signed, header, sealed.to_vec()).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests;
