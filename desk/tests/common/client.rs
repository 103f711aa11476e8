//! A client over HTTPS that knows the desk by its pinned key alone.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use voucher::{DeskUri, Refusal};
use wire::SpkiHash;

#[derive(Debug)]
struct Pin {
    key: SpkiHash,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match certs::x509::spki_hash(end_entity) {
            Ok(key) if key == self.key => Ok(ServerCertVerified::assertion()),
            _ => Err(rustls::Error::General("desk_key_mismatch".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// A TLS connection, if the desk has the pinned key.
pub async fn connect(
    desk: &DeskUri,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pin = Pin {
        key: desk.key(),
        provider: provider.clone(),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pin))
        .with_no_client_auth();
    let stream = TcpStream::connect(desk.authority()).await?;
    let name = ServerName::try_from(certs::x509::SERVER_NAME).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

pub async fn connect_13(desk: &DeskUri) -> io::Result<TlsStream<TcpStream>> {
    connect(desk, &[&rustls::version::TLS13]).await
}

/// Sends one request; status and body of the answer.
pub async fn send(desk: &DeskUri, request: Request<Full<Bytes>>) -> (StatusCode, Bytes) {
    let stream = TokioIo::new(connect_13(desk).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status();
    (
        status,
        answer.into_body().collect().await.unwrap().to_bytes(),
    )
}

pub fn request(
    desk: &DeskUri,
    method: &str,
    path: &str,
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", desk.authority())
        .header("content-type", "application/json")
        .body(Full::new(body.into()))
        .unwrap()
}

fn answer<T: DeserializeOwned>((status, body): (StatusCode, Bytes)) -> Result<T, Refusal> {
    if status == StatusCode::OK {
        Ok(serde_json::from_slice(&body).unwrap())
    } else {
        Err(serde_json::from_slice(&body).unwrap())
    }
}

pub async fn get<T: DeserializeOwned>(desk: &DeskUri, path: &str) -> Result<T, Refusal> {
    answer(send(desk, request(desk, "GET", path, Bytes::new())).await)
}

pub async fn post<T: DeserializeOwned>(
    desk: &DeskUri,
    path: &str,
    body: &impl Serialize,
) -> Result<T, Refusal> {
    let body = serde_json::to_vec(body).unwrap();
    answer(send(desk, request(desk, "POST", path, body)).await)
}
