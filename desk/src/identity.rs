//! Who the desk is: one Ed25519 key, for TLS, the key set, and the platform
//! statements about relays.

use crate::Error;
use crate::clock::seed;
use crate::data::{DataDir, read_secret, write_secret};
use certs::SigningKey;
use certs::x509;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use voucher::{DeskUri, Name};
use wire::PublicKey;

/// The desk's key.
#[derive(Debug, Clone)]
pub struct Identity(SigningKey);

impl Identity {
    /// Reads the key of a data folder, or makes one.
    ///
    /// # Errors
    /// [`Error::KeyFile`], [`Error::File`], [`Error::Randomness`].
    pub fn open(data: &DataDir) -> Result<Self, Error> {
        let path = data.desk_key();
        if let Some(bytes) = read_secret(&path)? {
            let seed = bytes.as_slice().try_into().map_err(|_| Error::KeyFile {
                path,
                detail: "it is not 32 bytes long; restore it from a backup",
            })?;
            return Ok(Self(SigningKey::from_seed(seed)));
        }
        let seed = seed()?;
        write_secret(&path, &*seed)?;
        Ok(Self(SigningKey::from_seed(*seed)))
    }

    /// The identity of this key.
    #[must_use]
    pub const fn new(key: SigningKey) -> Self {
        Self(key)
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &SigningKey {
        &self.0
    }

    /// Its public half: `Order.desk_key`.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.0.public()
    }

    /// The address to give to clients.
    ///
    /// # Errors
    /// [`Error::Voucher`] for port 0.
    pub fn uri(&self, address: SocketAddr) -> Result<DeskUri, Error> {
        let host = address.ip().to_string();
        let key = x509::spki_of_public(&self.public());
        Ok(DeskUri::new(&host, address.port(), key)?)
    }

    /// A name that no other desk has, for who sets none.
    ///
    /// # Errors
    /// Never in fact: the name is well-formed.
    pub fn default_name(&self) -> Result<Name, Error> {
        Ok(format!("roundcast-{}", self.public().short()).parse()?)
    }

    /// TLS 1.3 alone, with a self-signed certificate that carries the pinned
    /// key and says nothing else.
    ///
    /// # Errors
    /// [`Error::Certs`], [`Error::Tls`].
    pub fn tls(&self) -> Result<Arc<ServerConfig>, Error> {
        let certificate = CertificateDer::from(x509::self_signed(&self.0, Vec::new())?);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.pkcs8_der().to_vec()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A ticket would let the shop recognise a buyer who comes back to
        // redeem.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}
