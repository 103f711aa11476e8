//! Messages on bidirectional streams: a varint length, then the message.

use crate::{Error, Link};
use quinn::{RecvStream, SendStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use wire::codec::put_varint;
use wire::limits::MESSAGE_BYTES_MAX;
use wire::message::StreamKind;
use wire::{Decode, DecodeError, Encode, Reader};

/// Messages read ahead on one stream: more wait in QUIC's own windows.
const RECEIVED_MAX: usize = 32;

/// Both halves of a stream that carries messages.
#[derive(Debug)]
pub struct Channel {
    /// Toward the other end.
    pub send: SendStream,
    /// From the other end.
    pub recv: RecvStream,
}

/// The sending half alone: for loops that send and receive at once.
#[derive(Debug)]
pub struct Sender(SendStream);

impl Sender {
    /// Wraps a stream.
    #[must_use]
    pub fn new(stream: SendStream) -> Self {
        Self(stream)
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The link has ended.
    pub async fn send<T: Encode>(&mut self, message: &T) -> Result<(), Error> {
        self.send_counted(message).await.map(drop)
    }

    /// As [`Sender::send`]; returns how many bytes it took.
    ///
    /// # Errors
    /// The link has ended.
    pub async fn send_counted<T: Encode>(&mut self, message: &T) -> Result<usize, Error> {
        send(&mut self.0, message).await
    }

    /// Ends the stream and waits until the other end has it all, or a second.
    pub async fn finish(mut self) {
        if self.0.finish().is_ok() {
            let _ = tokio::time::timeout(Duration::from_secs(1), self.0.stopped()).await;
        }
    }
}

/// The receiving half, fed by a task of its own, so that [`Receiver::recv`]
/// may be cancelled (as `select!` does) without losing half a message.
#[derive(Debug)]
pub struct Receiver<T> {
    /// Boxed: the queue keeps room for dozens, and nearly always holds none.
    queue: mpsc::Receiver<Box<Result<T, Error>>>,
    task: tokio::task::AbortHandle,
    received_bytes: Arc<AtomicU64>,
}

impl<T: Decode + Send + 'static> Receiver<T> {
    /// Starts reading.
    #[must_use]
    pub fn new(mut stream: RecvStream) -> Self {
        let (sender, queue) = mpsc::channel(RECEIVED_MAX);
        let received_bytes = Arc::new(AtomicU64::new(0));
        let count = received_bytes.clone();
        let task = tokio::spawn(async move {
            loop {
                let next = recv_counted::<T>(&mut stream, &count).await.transpose();
                let Some(next) = next else { return };
                let failed = next.is_err();
                if sender.send(Box::new(next)).await.is_err() || failed {
                    return;
                }
            }
        });
        Self {
            queue,
            task: task.abort_handle(),
            received_bytes,
        }
    }

    /// Bytes of messages, with their lengths, that have come since the last
    /// time this was asked.
    pub fn take_bytes(&self) -> u64 {
        self.received_bytes.swap(0, Ordering::Relaxed)
    }

    /// The next message; `None` at the end of the stream.
    ///
    /// # Errors
    /// The link has ended, or the message is not well formed.
    pub async fn recv(&mut self) -> Result<Option<T>, Error> {
        let next = self.queue.recv().await;
        next.map(|boxed| *boxed).transpose()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the other end says a stream is for; `None` if it says nothing known.
pub async fn stream_kind(recv: &mut RecvStream) -> Option<StreamKind> {
    // Kinds are below 64, so that their varint is one byte.
    let mut code = [0u8; 1];
    recv.read_exact(&mut code).await.ok()?;
    StreamKind::from_bytes(&code).ok()
}

/// Opens a bidirectional stream and says what it is for.
///
/// # Errors
/// The link has ended.
pub async fn open_channel(link: &Link, kind: StreamKind) -> Result<Channel, Error> {
    let (mut send, recv) = link.connection.open_bi().await?;
    send.write_all(&kind.to_bytes()).await?;
    Ok(Channel { send, recv })
}

impl Channel {
    /// Splits into halves that may be used at once.
    #[must_use]
    pub fn split<T: Decode + Send + 'static>(self) -> (Sender, Receiver<T>) {
        (Sender::new(self.send), Receiver::new(self.recv))
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The link has ended.
    pub async fn send<T: Encode>(&mut self, message: &T) -> Result<(), Error> {
        send(&mut self.send, message).await.map(drop)
    }

    /// The next message; `None` at the end of the stream.
    ///
    /// # Errors
    /// The link has ended, or the message is not well formed.
    pub async fn recv<T: Decode>(&mut self) -> Result<Option<T>, Error> {
        recv(&mut self.recv).await
    }

    /// The next message, of at most `bytes_max` bytes instead of the
    /// protocol's bound.
    ///
    /// # Errors
    /// As [`Channel::recv`].
    #[cfg(feature = "ablation")]
    pub async fn dangerously_recv<T: Decode>(
        &mut self,
        bytes_max: usize,
    ) -> Result<Option<T>, Error> {
        let _ = certs::ablation::marker();
        match recv_frame(&mut self.recv, bytes_max).await? {
            None => Ok(None),
            Some(body) => Ok(Some(T::from_bytes(&body)?)),
        }
    }

    /// The next message, which must come.
    ///
    /// # Errors
    /// As [`Channel::recv`], and [`Error::OutOfTurn`] at the end.
    pub async fn expect<T: Decode>(&mut self, what: &'static str) -> Result<T, Error> {
        self.recv().await?.ok_or(Error::OutOfTurn(what))
    }
}

/// Sends one message on a stream; returns how many bytes it took.
pub(crate) async fn send<T: Encode>(stream: &mut SendStream, message: &T) -> Result<usize, Error> {
    let body = message.to_bytes();
    let mut frame = Vec::with_capacity(body.len() + 8);
    put_varint(&mut frame, body.len() as u64);
    frame.extend_from_slice(&body);
    stream.write_all(&frame).await?;
    Ok(frame.len())
}

/// Reads one message from a stream.
pub(crate) async fn recv<T: Decode>(stream: &mut RecvStream) -> Result<Option<T>, Error> {
    recv_counted(stream, &AtomicU64::new(0)).await
}

/// As [`recv`]; adds what it took to `bytes`.
async fn recv_counted<T: Decode>(
    stream: &mut RecvStream,
    bytes: &AtomicU64,
) -> Result<Option<T>, Error> {
    let Some(body) = recv_frame(stream, MESSAGE_BYTES_MAX).await? else {
        return Ok(None);
    };
    let mut length = Vec::with_capacity(8);
    put_varint(&mut length, body.len() as u64);
    let taken = body.len().saturating_add(length.len());
    bytes.fetch_add(taken as u64, Ordering::Relaxed);
    Ok(Some(T::from_bytes(&body)?))
}

/// Reads one length-prefixed frame of at most `max` bytes.
pub(crate) async fn recv_frame(
    stream: &mut RecvStream,
    max: usize,
) -> Result<Option<Vec<u8>>, Error> {
    recv_frame_hearing(stream, max, || ()).await
}

/// As [`recv_frame`]; calls `hear` whenever a part of the frame has come.
pub(crate) async fn recv_frame_hearing(
    stream: &mut RecvStream,
    max: usize,
    hear: impl Fn(),
) -> Result<Option<Vec<u8>>, Error> {
    let Some(len) = recv_varint(stream).await? else {
        return Ok(None);
    };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > max {
        return Err(Error::Decode(DecodeError::TooLong {
            what: "a message",
            len: len as u64,
            max: max as u64,
        }));
    }
    let mut body = vec![0u8; len];
    let mut filled = 0usize;
    while let Some(rest) = body.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let read = stream.read(rest).await;
        let Some(read) = read.map_err(|e| Error::Read(e.to_string()))? else {
            return Err(Error::Read("the stream ends within a message".to_owned()));
        };
        filled = filled.saturating_add(read);
        hear();
    }
    Ok(Some(body))
}

/// Reads a varint; `None` if the stream ends before it.
pub(crate) async fn recv_varint(stream: &mut RecvStream) -> Result<Option<u64>, Error> {
    let mut buf = [0u8; 8];
    let (first, rest) = buf.split_at_mut(1);
    match stream
        .read(first)
        .await
        .map_err(|e| Error::Read(e.to_string()))?
    {
        Some(1) => {}
        _ => return Ok(None),
    }
    let len = first.first().map_or(1, |b| 1usize << (b >> 6));
    let rest = rest.get_mut(..len - 1).unwrap_or_default();
    stream
        .read_exact(rest)
        .await
        .map_err(|e| Error::Read(e.to_string()))?;
    let mut reader = Reader::new(buf.get(..len).unwrap_or_default());
    Ok(Some(reader.varint("a length")?))
}
