//! The TLS server: bounded connections, each with bounded time.

use super::answer::Refused;
use crate::Error;
use axum::Router;
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// What one client, and all of them, may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once: each takes some 50 KB.
    pub connections_max: usize,
    /// The TLS handshake, in ms.
    pub handshake_ms_max: u64,
    /// A request's head, in ms.
    pub head_ms_max: u64,
    /// A request from head to answer, body included, in ms: a redemption may
    /// wait for its relay.
    pub request_ms_max: u64,
    /// A connection's life, in ms.
    pub connection_ms_max: u64,
    /// A request's head, in bytes.
    pub head_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 512,
            handshake_ms_max: 5_000,
            head_ms_max: 5_000,
            request_ms_max: 30_000,
            connection_ms_max: 60_000,
            // hyper's smallest.
            head_bytes_max: 8 * 1024,
        }
    }
}

/// Pause after a failed `accept`, in ms: it fails while descriptors are short,
/// and would fail again at once.
const ACCEPT_PAUSE_MS: u64 = 50;

/// Serves until `end` is done, then lets open connections finish.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    routes: Router,
    limits: Limits,
    end: impl Future<Output = ()>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let (ending, ended) = watch::channel(false);
    tokio::pin!(end);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = &mut end => break,
        };
        let Some((stream, slot)) = accepted else {
            tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            continue;
        };
        let (acceptor, routes, ended) = (acceptor.clone(), routes.clone(), ended.clone());
        tokio::spawn(async move {
            connection(stream, acceptor, routes, limits, ended).await;
            drop(slot);
        });
    }
    drop(listener);
    let _ = ending.send(true);
    let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
    let patience = Duration::from_millis(limits.head_ms_max);
    let _ = tokio::time::timeout(patience, slots.acquire_many(all)).await;
}

/// A connection and its slot. Takes the slot first: who waits, waits in the
/// kernel's queue and costs nothing.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(error) => {
            tracing::warn!("accept a connection: {error}; raise the limit of open files");
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    routes: Router,
    limits: Limits,
    mut ended: watch::Receiver<bool>,
) {
    let handshake = Duration::from_millis(limits.handshake_ms_max);
    let Ok(Ok(stream)) = tokio::time::timeout(handshake, acceptor.accept(stream)).await else {
        return;
    };
    let request_max = Duration::from_millis(limits.request_ms_max);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let routes = routes.clone();
        async move {
            let answer = routes.oneshot(request.map(axum::body::Body::new));
            let answer = match tokio::time::timeout(request_max, answer).await {
                Ok(Ok(response)) => response,
                Err(_) => Refused(Error::Timeout).into_response(),
            };
            Ok::<_, Infallible>(answer)
        }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.head_ms_max))
        .max_buf_size(limits.head_bytes_max)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let life = tokio::time::sleep(Duration::from_millis(limits.connection_ms_max));
    tokio::select! {
        _ = &mut serving => return,
        _ = ended.wait_for(|ended| *ended) => {}
        () = life => {}
    }
    // The request in hand is answered, no other one is taken.
    serving.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(request_max, serving).await;
}
