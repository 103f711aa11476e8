//! TLS 1.3 with raw possession: mutual, Ed25519, no resumption, no 0-RTT.

use crate::Error;
use crate::endpoint::Identity;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use std::sync::Arc;
use wire::Minor;

/// Checks that the other end holds its certificate's key. Whose key it is,
/// the caller decides from the SPKI: names in certificates mean nothing here.
#[derive(Debug)]
struct Possession {
    algorithms: WebPkiSupportedAlgorithms,
}

impl Possession {
    fn check(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if dss.scheme != SignatureScheme::ED25519 {
            return Err(CertificateError::BadSignature.into());
        }
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }
}

impl ServerCertVerifier for Possession {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
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
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check(message, cert, dss)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Possession {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
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
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check(message, cert, dss)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// AES-128-GCM first: with AES instructions it costs a fraction of ChaCha20
/// at relay rates.
fn provider() -> Arc<CryptoProvider> {
    use rustls::crypto::ring::cipher_suite::{
        TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
    };
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites = vec![
        TLS13_AES_128_GCM_SHA256,
        TLS13_AES_256_GCM_SHA384,
        TLS13_CHACHA20_POLY1305_SHA256,
    ];
    Arc::new(provider)
}

fn chain_and_key(identity: &Identity) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = vec![CertificateDer::from(identity.certificate.clone())];
    let key = PrivatePkcs8KeyDer::from(identity.key.pkcs8_der().to_vec());
    (chain, PrivateKeyDer::Pkcs8(key))
}

/// The server's side of every link.
pub(crate) fn server(identity: &Identity) -> Result<Arc<QuicServerConfig>, Error> {
    let provider = provider();
    let verifier = Arc::new(Possession {
        algorithms: provider.signature_verification_algorithms,
    });
    let (chain, key) = chain_and_key(identity);
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| Error::Tls(e.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|e| Error::Tls(e.to_string()))?;
    config.alpn_protocols = Minor::offers();
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    let config = QuicServerConfig::try_from(config).map_err(|e| Error::Tls(e.to_string()))?;
    Ok(Arc::new(config))
}

/// The client's side of every link.
pub(crate) fn client(identity: &Identity) -> Result<Arc<QuicClientConfig>, Error> {
    client_offering(identity, Minor::offers())
}

fn client_offering(
    identity: &Identity,
    offers: Vec<Vec<u8>>,
) -> Result<Arc<QuicClientConfig>, Error> {
    let provider = provider();
    let verifier = Arc::new(Possession {
        algorithms: provider.signature_verification_algorithms,
    });
    let (chain, key) = chain_and_key(identity);
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| Error::Tls(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(chain, key)
        .map_err(|e| Error::Tls(e.to_string()))?;
    config.alpn_protocols = offers;
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    let config = QuicClientConfig::try_from(config).map_err(|e| Error::Tls(e.to_string()))?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Endpoint;
    use certs::SigningKey;
    use ring::rand::SystemRandom;
    use std::net::SocketAddr;

    fn identity() -> Identity {
        let key = SigningKey::generate(&SystemRandom::new()).unwrap();
        Identity {
            certificate: certs::x509::self_signed(&key, Vec::new()).unwrap(),
            key: Arc::new(key),
        }
    }

    /// What a dialler who offers these versions and an end of today agree on.
    async fn agreed(offers: &[&str]) -> Option<Minor> {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Endpoint::bind(loopback, &identity()).unwrap();
        let offers = offers.iter().map(|offer| offer.as_bytes().to_vec());
        let tls = client_offering(&identity(), offers.collect()).unwrap();
        let dialler = quinn::Endpoint::client(loopback).unwrap();
        let config = quinn::ClientConfig::new(tls);
        let connecting = dialler.connect_with(config, listener.address().unwrap(), "x");
        let accepting = async { listener.accept().await?.finish().await.ok() };
        let (link, connection) = tokio::join!(accepting, connecting.unwrap());
        let (link, _) = (link?, connection.ok()?);
        Some(link.minor)
    }

    #[tokio::test]
    async fn both_ends_agree_on_the_newest_version_that_both_speak() {
        assert_eq!(
            agreed(&["roundcast/1.9", "roundcast/1"]).await,
            Some(Minor(0))
        );
        assert_eq!(agreed(&["roundcast/1"]).await, Some(Minor(0)));
        assert_eq!(agreed(&["roundcast/2"]).await, None);
    }
}
