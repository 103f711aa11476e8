//! How many packets a link hands to the system at once. quinn keeps a buffer
//! for each link, and makes it as large as that many packets of the size that the
//! path has then. Packets grow in a link's first moments, while the path is
//! measured; a buffer that is made before is doubled once they are larger, for the
//! link's whole life. So a young link sends packet by packet.

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};
use std::cell::Cell;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Packets at once: a full block has twelve, so that it goes in two turns with
/// six as with the ten that quinn would take.
const SEGMENTS_MAX: usize = 6;
/// How long a link is young: six measurements of its path, one after the
/// other, at a hundred milliseconds and what the other end waits with its word.
const YOUNG: Duration = Duration::from_millis(1_000);

thread_local! {
    /// Whether the link that this thread drives just now is young.
    static DRIVES_YOUNG: Cell<bool> = const { Cell::new(false) };
}

/// tokio's runtime, which knows how old each link is.
#[derive(Debug)]
pub(crate) struct Aging;

impl Runtime for Aging {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let grown = self.now().checked_add(YOUNG);
        TokioRuntime.spawn(Box::pin(Driver { future, grown }));
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let inner = TokioRuntime.wrap_udp_socket(socket)?;
        Ok(Arc::new(Socket { inner }))
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

/// What quinn runs for one link.
struct Driver {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// From when on it is young no more; none: it is not.
    grown: Option<Instant>,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.grown = self.grown.filter(|grown| TokioRuntime.now() < *grown);
        DRIVES_YOUNG.set(self.grown.is_some());
        let polled = self.future.as_mut().poll(cx);
        DRIVES_YOUNG.set(false);
        polled
    }
}

/// tokio's socket, which takes few packets at once, and one of a young link.
#[derive(Debug)]
struct Socket {
    inner: Arc<dyn AsyncUdpSocket>,
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.inner.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, buffers, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        if DRIVES_YOUNG.get() {
            1
        } else {
            self.inner.max_transmit_segments().min(SEGMENTS_MAX)
        }
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn a_link_sends_many_packets_at_once_when_it_is_grown() {
        let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let socket = Aging.wrap_udp_socket(socket).unwrap();
        let many = socket.max_transmit_segments();
        let (told, mut segments) = mpsc::unbounded_channel();
        let young = socket.clone();
        Aging.spawn(Box::pin(async move {
            told.send(young.max_transmit_segments()).unwrap();
            tokio::time::sleep(YOUNG + Duration::from_millis(50)).await;
            told.send(young.max_transmit_segments()).unwrap();
        }));
        assert_eq!(segments.recv().await, Some(1));
        assert_eq!(socket.max_transmit_segments(), many, "not this task's");
        assert_eq!(segments.recv().await, Some(many));
    }
}
