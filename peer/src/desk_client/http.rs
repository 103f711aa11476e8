//! One HTTP/1.1 request per connection, bounded in time and bytes.

use super::{DeskClient, tls};
use crate::Error;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use std::future::Future;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use voucher::protocol::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX};

/// Name, TCP and TLS together, in ms: four round trips of a bad mobile line.
const CONNECT_MS_MAX: u64 = 5_000;
/// A request and its answer, in ms: a desk waits up to 30 s for its relay.
const ANSWER_MS_MAX: u64 = 35_000;
/// An answer's head, in bytes: hyper's smallest.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// A whole answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

pub(super) async fn get(
    client: &DeskClient,
    step: &'static str,
    path: &str,
) -> Result<Reply, Error> {
    exchange(client, step, Method::GET, path, Bytes::new()).await
}

pub(super) async fn post(
    client: &DeskClient,
    step: &'static str,
    path: &str,
    body: &impl Serialize,
) -> Result<Reply, Error> {
    let body = serde_json::to_vec(body)
        .ok()
        .filter(|body| body.len() <= REQUEST_BYTES_MAX)
        .ok_or(Error::DeskAway {
            step,
            detail: "the request does not fit its bound".to_owned(),
        })?;
    exchange(client, step, Method::POST, path, body.into()).await
}

async fn exchange(
    client: &DeskClient,
    step: &'static str,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Reply, Error> {
    let away = |error: &dyn std::fmt::Display| Error::DeskAway {
        step,
        detail: error.to_string(),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, client.uri.authority())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(body))
        .map_err(|error| away(&error))?;
    let stream = within(step, CONNECT_MS_MAX, async {
        let stream = TcpStream::connect((client.uri.host(), client.uri.port()))
            .await
            .map_err(|error| away(&error))?;
        // A request is one write and waits for nothing.
        stream.set_nodelay(true).map_err(|error| away(&error))?;
        tls::connect(client.tls.clone(), stream, step).await
    })
    .await?;
    within(step, ANSWER_MS_MAX, async {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| away(&error))?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|e| away(&e))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), RESPONSE_BYTES_MAX);
            let body = body.collect().await.map_err(|error| away(&error))?;
            let body = body.to_bytes();
            Ok(Reply { status, body })
        };
        tokio::pin!(answer);
        tokio::select! {
            // The answer first: the connection may end along with it.
            biased;
            answer = &mut answer => answer,
            _ = connection => answer.await,
        }
    })
    .await
}

async fn within<T>(
    step: &'static str,
    ms_max: u64,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match timeout(Duration::from_millis(ms_max), work).await {
        Ok(result) => result,
        Err(_) => Err(Error::DeskAway {
            step,
            detail: format!("no answer within {} s", ms_max / 1_000),
        }),
    }
}
