//! The lines of the boot protocol: one JSON object each, in both directions.
//!
//! ```text
//! desk  -> relay  {"schema":"roundcast.boot/1","order":HEX,"parameters":HEX,"release":TEXT}
//! relay -> desk   {"kind":"boot_request","spki":HEX,...the platform's keys}
//! desk  -> relay  {"credential":HEX}                     TPM alone
//! relay -> desk   {"kind":"activated","secret":HEX}      TPM alone
//! desk  -> relay  {"platform":HEX}
//! relay -> desk   {"kind":"ready","address":"IP:PORT","certificate":HEX}
//! ```
//!
//! A desk whose network has no DHCP adds `"network":{"address":"IP/PREFIX",
//! "gateway":"IP"}` to the first line. Like all of a desk's lines this is not
//! trusted: whoever owns the network decides where packets go anyway.

use super::platform::Keys;
use crate::Error;
use crate::network::Static;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::SpkiHash;
use wire::order::{Order, Parameters};
use wire::{Decode, Encode};

/// A line of the desk, in bytes: a release statement in hexadecimal and room.
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;
/// A credential, in bytes: an identity object and a secret under RSA-4096.
pub(super) const CREDENTIAL_BYTES_MAX: usize = 1024;
/// The protocol's name in the first line.
const SCHEMA: &str = "roundcast.boot/1";

/// What the desk's first line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The order that the relay is started for.
    pub order: Order,
    /// How it shall serve.
    pub parameters: Parameters,
    /// `release.json`, byte for byte.
    pub release: String,
    /// The guest's address, where its network has no DHCP.
    pub network: Option<Static>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpeningLine {
    schema: String,
    order: String,
    parameters: String,
    release: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<NetworkField>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkField {
    address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
}

impl Opening {
    /// Reads the first line.
    ///
    /// # Errors
    /// It is not well formed, or of another schema.
    pub fn parse(line: &str) -> Result<Self, Error> {
        let line: OpeningLine = parse(line)?;
        if line.schema != SCHEMA {
            return Err(Error::Boot("the first line has another schema"));
        }
        let network = line
            .network
            .map(|field| Static::parse(&field.address, field.gateway.as_deref()))
            .transpose()?;
        Ok(Self {
            order: Order::from_bytes(&unhex(&line.order)?)?,
            parameters: Parameters::from_bytes(&unhex(&line.parameters)?)?,
            release: line.release,
            network,
        })
    }

    /// The line, without its end.
    ///
    /// # Errors
    /// [`Error::Json`], never for text that came through [`Opening::parse`].
    pub fn line(&self) -> Result<String, Error> {
        let line = OpeningLine {
            schema: SCHEMA.to_owned(),
            order: hex(&self.order.to_bytes()),
            parameters: hex(&self.parameters.to_bytes()),
            release: self.release.clone(),
            network: self.network.map(|network| NetworkField {
                address: format!("{}/{}", network.address, network.prefix),
                gateway: network.gateway.map(|gateway| gateway.to_string()),
            }),
        };
        Ok(serde_json::to_string(&line)?)
    }
}

/// Reads the desk's credential: `TPM2B_ID_OBJECT ‖ TPM2B_ENCRYPTED_SECRET`.
pub(super) fn credential(line: &str) -> Result<Vec<u8>, Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        credential: String,
    }
    let credential = unhex(&parse::<Line>(line)?.credential)?;
    if credential.len() > CREDENTIAL_BYTES_MAX {
        return Err(Error::Boot("the credential is too long"));
    }
    Ok(credential)
}

/// Reads the platform's statement: bytes whose form is the platform's.
pub(super) fn statement(line: &str) -> Result<Vec<u8>, Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        platform: String,
    }
    unhex(&parse::<Line>(line)?.platform)
}

/// What the platform is asked to vouch for.
pub(super) fn request(spki: &SpkiHash, keys: &Keys) -> String {
    let spki = spki.to_hex();
    match keys {
        Keys::Software { boot_key } => json!({
            "kind": "boot_request",
            "spki": spki,
            "boot_key": boot_key.to_hex(),
        }),
        Keys::Tpm2(keys) => json!({
            "kind": "boot_request",
            "spki": spki,
            "ek_public": hex(&keys.ek_public),
            "ek_certificate": hex(&keys.ek_certificate),
            "ak_public": hex(&keys.ak_public),
        }),
    }
    .to_string()
}

/// The secret that shows that the attestation key is in the TPM. It is good for
/// this one line, and for nothing once the desk has read it.
pub(super) fn activated(secret: &[u8]) -> String {
    json!({"kind": "activated", "secret": hex(secret)}).to_string()
}

/// Where the relay listens, and the certificate with its evidence.
pub(crate) fn ready(address: &str, certificate: &[u8]) -> String {
    json!({"kind": "ready", "address": address, "certificate": hex(certificate)}).to_string()
}

fn parse<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, Error> {
    if line.len() > LINE_BYTES_MAX {
        return Err(Error::Boot("a line is too long"));
    }
    Ok(serde_json::from_str(line)?)
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn unhex(text: &str) -> Result<Vec<u8>, Error> {
    data_encoding::HEXLOWER
        .decode(text.as_bytes())
        .map_err(|_| Error::Boot("a value is not hexadecimal"))
}

/// The next line of the desk.
///
/// # Errors
/// The input has ended, or the line is too long.
pub(crate) async fn read<R>(input: &mut R) -> Result<String, Error>
where
    R: tokio::io::AsyncBufRead + Unpin,
{
    use tokio::io::{AsyncBufReadExt, AsyncReadExt};
    let mut line = String::new();
    let mut bounded = input.take(LINE_BYTES_MAX as u64);
    let read = bounded.read_line(&mut line).await?;
    if read == 0 || !line.ends_with('\n') {
        return Err(Error::Boot("the desk's input ended, or a line is too long"));
    }
    Ok(line)
}
