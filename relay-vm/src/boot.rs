//! The boot: keys are made here and never leave; the platform vouches.

use crate::Error;
use attest::software::{BootKey, SignedPlatform};
use certs::SigningKey;
use link::{Binding, Identity};
use ring::rand::SystemRandom;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use wire::order::{Order, Parameters};
use wire::{Decode, Digest, OrderId, SpkiHash};

/// A line of the desk, in bytes: a release statement in hexadecimal and room.
const LINE_BYTES_MAX: u64 = 256 * 1024;

/// The desk's first line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderLine {
    schema: String,
    order: String,
    parameters: String,
    release: String,
}

/// The desk's second line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlatformLine {
    platform: String,
}

/// A boot that waits for its platform's statement.
#[derive(Debug)]
pub struct Boot {
    key: Arc<SigningKey>,
    boot_key: BootKey,
    order: Order,
    parameters: Parameters,
    release: String,
}

/// A relay that can prove what it is.
#[derive(Debug)]
pub struct Booted {
    /// Its key, and the certificate with the evidence.
    pub identity: Identity,
    /// Quotes for live challenges.
    pub quoter: Arc<BootKey>,
    /// What enters every leaf.
    pub binding: Binding,
    /// The order.
    pub order: Order,
    /// The order's identifier.
    pub order_id: OrderId,
    /// What the desk told it.
    pub parameters: Parameters,
}

impl Boot {
    /// Reads the desk's first line and makes the keys.
    ///
    /// # Errors
    /// The line is not well formed, or there is no randomness.
    pub fn begin(line: &str) -> Result<Self, Error> {
        let line: OrderLine = serde_json::from_str(line)?;
        if line.schema != "roundcast.boot/1" {
            return Err(Error::Boot("the first line has another schema"));
        }
        let rng = SystemRandom::new();
        Ok(Self {
            key: Arc::new(SigningKey::generate(&rng).map_err(|_| Error::Random)?),
            boot_key: BootKey::generate(&rng).map_err(|_| Error::Random)?,
            order: Order::from_bytes(&unhex(&line.order)?)?,
            parameters: Parameters::from_bytes(&unhex(&line.parameters)?)?,
            release: line.release,
        })
    }

    /// What the platform is asked to vouch for.
    #[must_use]
    pub fn request(&self) -> String {
        json!({
            "kind": "boot_request",
            "spki": self.spki().to_hex(),
            "boot_key": self.boot_key.public().to_hex(),
        })
        .to_string()
    }

    fn spki(&self) -> SpkiHash {
        certs::x509::spki_of_public(&self.key.public())
    }

    /// Takes the platform's statement and makes the certificate.
    ///
    /// # Errors
    /// The line is not well formed.
    pub fn finish(self, line: &str) -> Result<Booted, Error> {
        let line: PlatformLine = serde_json::from_str(line)?;
        let platform = SignedPlatform::from_bytes(&unhex(&line.platform)?)?;
        let spki = self.spki();
        let order_id = certs::order::id(&self.order);
        let binding = Binding {
            spki,
            order: order_id,
            parameters: certs::order::parameters_digest(&self.parameters),
            release: release_digest(self.release.as_bytes()),
        };
        let evidence = self
            .boot_key
            .evidence(
                &spki,
                self.order.clone(),
                self.parameters.clone(),
                platform,
                self.release.as_bytes(),
            )
            .map_err(|_| Error::Boot("the release statement is too large"))?;
        let certificate = certs::x509::self_signed(
            &self.key,
            vec![(certs::x509::EVIDENCE_OID.to_vec(), evidence.to_extension())],
        )?;
        Ok(Booted {
            identity: Identity {
                key: self.key,
                certificate,
            },
            quoter: Arc::new(self.boot_key),
            binding,
            order: self.order,
            order_id,
            parameters: self.parameters,
        })
    }
}

/// SHA-256 of `release.json` as it is in the evidence.
fn release_digest(release: &[u8]) -> Digest {
    let digest = ring::digest::digest(&ring::digest::SHA256, release);
    Digest(digest.as_ref().try_into().unwrap_or([0; 32]))
}

fn unhex(text: &str) -> Result<Vec<u8>, Error> {
    data_encoding::HEXLOWER
        .decode(text.as_bytes())
        .map_err(|_| Error::Boot("a value is not hexadecimal"))
}

/// The next line of the desk.
///
/// # Errors
/// Standard input has ended, or the line is too long.
pub(crate) async fn read_line<R>(input: &mut R) -> Result<String, Error>
where
    R: tokio::io::AsyncBufRead + Unpin,
{
    use tokio::io::{AsyncBufReadExt, AsyncReadExt};
    let mut line = String::new();
    let read = input.take(LINE_BYTES_MAX).read_line(&mut line).await?;
    if read == 0 || !line.ends_with('\n') {
        return Err(Error::Boot("standard input ended, or a line is too long"));
    }
    Ok(line)
}
