//! User data from the cloud's metadata service, version 2 of its protocol
//! (EC2's IMDSv2): a token first, then the data. What it says is not trusted.

use crate::Error;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;
use tokio::net::TcpStream;

/// Where clouds have it.
pub(super) const SERVICE: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80));
/// User data, in bytes: what EC2 allows.
const USER_DATA_BYTES_MAX: usize = 16 * 1024;
/// A token, in bytes: EC2's have 56.
const TOKEN_BYTES_MAX: usize = 256;
/// An answer's head, in bytes: hyper's smallest.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// How long the token is good for, in s: for the one request that follows.
const TOKEN_LIFE_S: &str = "60";
/// How long one request may take, in ms.
const REQUEST_MS_MAX: u64 = 3_000;
/// Tries: the service may start later than the machine.
const TRIES: usize = 5;
/// Pause between two tries, in ms.
const PAUSE_MS: u64 = 1_000;

/// The desk's first line as user data, with its end.
///
/// # Errors
/// [`Error::Metadata`].
pub(super) fn first_line(service: SocketAddr) -> Result<String, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("making an event loop"))?;
    let mut tries = 1;
    let data = loop {
        match runtime.block_on(user_data(service)) {
            Err(_) if tries < TRIES => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(PAUSE_MS));
            }
            over => break over?,
        }
    };
    line(data)
}

/// One line: user data of several could smuggle the desk's later ones in.
fn line(data: Vec<u8>) -> Result<String, Error> {
    let text = String::from_utf8(data).map_err(|_| Error::Metadata("user data is no text"))?;
    let line = text.trim_end();
    if line.is_empty() || line.contains(['\n', '\r']) {
        return Err(Error::Metadata("user data is not one line"));
    }
    Ok(format!("{line}\n"))
}

async fn user_data(service: SocketAddr) -> Result<Vec<u8>, Error> {
    let token = Request::builder()
        .method(Method::PUT)
        .uri("/latest/api/token")
        .header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_LIFE_S);
    let token = ask(service, token, TOKEN_BYTES_MAX).await?;
    let data = Request::builder()
        .method(Method::GET)
        .uri("/latest/user-data")
        .header("x-aws-ec2-metadata-token", token);
    ask(service, data, USER_DATA_BYTES_MAX).await
}

/// One request on a connection of its own, bounded in time and bytes.
async fn ask(
    service: SocketAddr,
    request: hyper::http::request::Builder,
    bytes_max: usize,
) -> Result<Vec<u8>, Error> {
    let request = request
        .header(header::HOST, service.ip().to_string())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Error::Metadata("its token cannot be sent"))?;
    let answer = async {
        let away = |_| Error::Metadata("it is not there");
        let stream = TcpStream::connect(service).await.map_err(away)?;
        let broken = |_| Error::Metadata("it breaks off");
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status() != StatusCode::OK {
            return Err(Error::Metadata("it refuses"));
        }
        let body = Limited::new(response.into_body(), bytes_max)
            .collect()
            .await;
        connection.abort();
        body.map(|body| body.to_bytes().into())
            .map_err(|_| Error::Metadata("its answer is too long or breaks off"))
    };
    let patience = Duration::from_millis(REQUEST_MS_MAX);
    tokio::time::timeout(patience, answer)
        .await
        .map_err(|_| Error::Metadata("it does not answer"))?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http_body_util::Full;
    use hyper::Response;
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use std::convert::Infallible;

    const TOKEN: &str = "AQAEAJ-token";

    fn answer(request: &Request<Incoming>, data: &[u8]) -> (u16, Vec<u8>) {
        let header = |name: &str| request.headers().get(name).map(|v| v.to_str().unwrap());
        match (request.method().as_str(), request.uri().path()) {
            ("PUT", "/latest/api/token") => match header("x-aws-ec2-metadata-token-ttl-seconds") {
                Some(TOKEN_LIFE_S) => (200, TOKEN.into()),
                _ => (400, Vec::new()),
            },
            ("GET", "/latest/user-data") if header("x-aws-ec2-metadata-token") == Some(TOKEN) => {
                (200, data.to_vec())
            }
            ("GET", "/latest/user-data") => (401, Vec::new()),
            _ => (404, Vec::new()),
        }
    }

    /// A metadata service on loopback.
    async fn service(data: Vec<u8>) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let data = data.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let (status, body) = answer(&request, &data);
                    let response = Response::builder().status(status);
                    let response = response.body(Full::new(Bytes::from(body))).unwrap();
                    async move { Ok::<_, Infallible>(response) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        address
    }

    #[tokio::test]
    async fn reads_user_data_with_a_token() {
        let address = service(b"{\"schema\":1}\n".to_vec()).await;
        let data = user_data(address).await.unwrap();
        assert_eq!(line(data).unwrap(), "{\"schema\":1}\n");
    }

    #[tokio::test]
    async fn refuses_user_data_over_its_bound() {
        let address = service(vec![b'a'; USER_DATA_BYTES_MAX]).await;
        assert_eq!(user_data(address).await.unwrap().len(), USER_DATA_BYTES_MAX);
        let address = service(vec![b'a'; USER_DATA_BYTES_MAX + 1]).await;
        assert_eq!(
            user_data(address).await.unwrap_err().reason(),
            "guest_metadata"
        );
    }

    #[tokio::test]
    async fn gives_up_on_a_service_that_refuses_or_is_silent() {
        let request = Request::builder().uri("/latest/user-data");
        let address = service(Vec::new()).await;
        assert!(ask(address, request, 16).await.is_err());
        let silent = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let address = silent.as_ref().unwrap().local_addr().unwrap();
        assert!(user_data(address).await.is_err());
    }

    #[test]
    fn user_data_is_one_line_of_text() {
        assert!(line(b"a\nb\n".to_vec()).is_err());
        assert!(line(b"a\rb".to_vec()).is_err());
        assert!(line(b"\n".to_vec()).is_err());
        assert!(line(vec![0xff]).is_err());
        assert_eq!(line(b"a".to_vec()).unwrap(), "a\n");
    }
}
