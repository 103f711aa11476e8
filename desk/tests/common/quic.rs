//! Knocks at a relay, and keeps the certificate that it shows.

use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

#[derive(Debug)]
struct Keep {
    provider: Arc<CryptoProvider>,
    shown: Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for Keep {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion()).inspect(|_| {
            *self.shown.lock().unwrap() = Some(end_entity.to_vec());
        })
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

/// The certificate of who listens there, in DER; that he has its key was
/// checked. The relay may refuse this client afterwards.
pub async fn certificate_shown(address: SocketAddr) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let keep = Arc::new(Keep {
        provider: provider.clone(),
        shown: Mutex::default(),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(keep.clone())
        .with_no_client_auth();
    config.alpn_protocols = wire::Minor::offers();
    let config = QuicClientConfig::try_from(config).unwrap();
    let endpoint = quinn::Endpoint::client("0.0.0.0:0".parse().unwrap()).unwrap();
    let client = quinn::ClientConfig::new(Arc::new(config));
    let connecting = endpoint
        .connect_with(client, address, certs::x509::SERVER_NAME)
        .unwrap();
    let outcome = connecting.await;
    let shown = keep.shown.lock().unwrap().take();
    assert!(shown.is_some(), "nothing was shown: {outcome:?}");
    shown.unwrap()
}
