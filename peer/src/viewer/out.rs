//! `--out`: the stream as a file or on standard output, written by a thread of
//! its own. A disk or a reader that is slow must not keep the viewer from
//! answering the station, passing on and playing.

use crate::Error;
use bytes::Bytes;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What may wait to be written, in bytes: half a minute at 17 Mbit/s, longer
/// than any disk pauses.
const QUEUE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How long the end waits for what is still to be written.
const LAST_MS_MAX: u64 = 2_000;

/// Where the stream goes, besides the page.
pub(super) enum Out {
    Nowhere,
    Writer(Writer),
}

/// The thread that writes, as the session sees it.
pub(super) struct Writer {
    /// None once it has failed.
    queue: Option<mpsc::UnboundedSender<Bytes>>,
    waiting: Arc<AtomicU64>,
    ended: oneshot::Receiver<Result<(), std::io::Error>>,
    path: PathBuf,
    queue_bytes_max: u64,
}

impl Out {
    /// Begins the file anew. Only a member should: who is not let in must not
    /// lose what it recorded before.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            return Ok(Self::Nowhere);
        };
        let writer = if path.as_os_str() == "-" {
            let path = Path::new("standard output");
            Writer::begin(std::io::stdout(), path, QUEUE_BYTES_MAX)
        } else {
            let file = std::fs::File::create(path).map_err(|e| unusable(path, e))?;
            Writer::begin(file, path, QUEUE_BYTES_MAX)
        };
        Ok(Self::Writer(writer))
    }

    /// Takes bytes to be written; tells what went wrong with earlier ones.
    pub(super) fn write(&mut self, bytes: &Bytes) -> Result<(), Error> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Writer(writer) => writer.write(bytes),
        }
    }

    /// Waits until everything is written.
    pub(super) async fn close(self) -> Result<(), Error> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Writer(writer) => writer.close().await,
        }
    }
}

impl Writer {
    fn begin(to: impl Write + Send + 'static, path: &Path, queue_bytes_max: u64) -> Self {
        let (queue, taken) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let waiting = Arc::new(AtomicU64::new(0));
        let left = waiting.clone();
        std::thread::spawn(move || {
            let _ = end.send(write_all(to, taken, &left));
        });
        Self {
            queue: Some(queue),
            waiting,
            ended,
            path: path.into(),
            queue_bytes_max,
        }
    }

    fn write(&mut self, bytes: &Bytes) -> Result<(), Error> {
        if let Ok(Err(source)) = self.ended.try_recv() {
            self.queue = None;
            return Err(unusable(&self.path, source));
        }
        let len = bytes.len() as u64;
        let waiting = self.waiting.fetch_add(len, Ordering::Relaxed) + len;
        if waiting > self.queue_bytes_max {
            return Err(self.stalled());
        }
        if let Some(queue) = &self.queue {
            let _ = queue.send(bytes.clone());
        }
        Ok(())
    }

    async fn close(mut self) -> Result<(), Error> {
        // Its end has been told already.
        let Some(queue) = self.queue.take() else {
            return Ok(());
        };
        drop(queue);
        let patience = Duration::from_millis(LAST_MS_MAX);
        match tokio::time::timeout(patience, &mut self.ended).await {
            Ok(Ok(Err(source))) => Err(unusable(&self.path, source)),
            Ok(_) => Ok(()),
            Err(_) => Err(self.stalled()),
        }
    }

    fn stalled(&self) -> Error {
        Error::OutStalled {
            path: self.path.clone(),
            bytes: self.waiting.load(Ordering::Relaxed),
        }
    }
}

fn write_all(
    mut to: impl Write,
    mut taken: mpsc::UnboundedReceiver<Bytes>,
    waiting: &AtomicU64,
) -> Result<(), std::io::Error> {
    while let Some(bytes) = taken.blocking_recv() {
        to.write_all(&bytes)?;
        to.flush()?;
        waiting.fetch_sub(bytes.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

fn unusable(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        step: "out",
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: Bytes = Bytes::from_static(&[7; 100]);

    /// A reader that takes nothing.
    struct Stalled;

    impl Write for Stalled {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            std::thread::park();
            Ok(0)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A disk without room.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn writer(to: impl Write + Send + 'static) -> Writer {
        Writer::begin(to, Path::new("out.mp4"), 1_000)
    }

    #[tokio::test]
    async fn everything_is_written_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.mp4");
        let mut out = Out::open(Some(&path)).unwrap();
        for _ in 0..50 {
            out.write(&CHUNK).unwrap();
        }
        out.close().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), vec![7; 5_000]);
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_waited_for_and_then_named() {
        let mut writer = writer(Stalled);
        for _ in 0..10 {
            writer.write(&CHUNK).unwrap();
        }
        let error = writer.write(&CHUNK).unwrap_err();
        assert_eq!(error.reason(), "out_stalled");
        assert_eq!(writer.close().await.unwrap_err().reason(), "out_stalled");
    }

    #[tokio::test]
    async fn a_full_disk_is_told_once() {
        let mut failing = writer(Full);
        failing.write(&CHUNK).unwrap();
        let mut told = Ok(());
        for _ in 0..5_000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            told = failing.write(&Bytes::new());
            if told.is_err() {
                break;
            }
        }
        let error = told.unwrap_err();
        assert_eq!(error.reason(), "file_unusable");
        assert!(error.to_string().contains("out.mp4"), "{error}");
        failing.close().await.unwrap();
        let mut last = writer(Full);
        last.write(&CHUNK).unwrap();
        assert_eq!(last.close().await.unwrap_err().reason(), "file_unusable");
    }
}
