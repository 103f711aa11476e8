//! TLS 1.3 with a pinned key: no certificate authority, no name, no date.

use crate::Error;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wire::SpkiHash;

/// Takes one key, and only from who holds it.
#[derive(Debug)]
struct Pin {
    key: SpkiHash,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match certs::x509::spki_hash(certificate) {
            Ok(key) if key == self.key => Ok(ServerCertVerified::assertion()),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(CertificateError::BadSignature.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    // All that can be checked, although a desk's key is Ed25519: a server with
    // another kind of key gets as far as showing that it is not the pinned one.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A configuration that takes `key` alone.
pub(super) fn pinned(key: SpkiHash) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| Error::DeskAway {
            step: "set up TLS",
            detail: error.to_string(),
        })?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pin { key, algorithms }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    // The name says nothing to a pinned desk, and the network may know it not.
    config.enable_sni = false;
    Ok(Arc::new(config))
}

/// The handshake. Nothing of the caller's is sent before it has succeeded.
pub(super) async fn connect(
    config: Arc<ClientConfig>,
    stream: TcpStream,
    step: &'static str,
) -> Result<TlsStream<TcpStream>, Error> {
    let name = ServerName::try_from(certs::x509::SERVER_NAME).map_err(|_| Error::DeskKey)?;
    let connected = TlsConnector::from(config).connect(name, stream).await;
    connected.map_err(|error| match refusal(&error) {
        Some(rustls::Error::InvalidCertificate(_)) => Error::DeskKey,
        _ => Error::DeskAway {
            step,
            detail: format!("TLS: {error}"),
        },
    })
}

fn refusal(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
