//! The boot protocol between desk and relay: one JSON object per line, over
//! the relay's standard input and output, or a port of its machine.
//!
//! ```text
//! desk  -> relay  {"schema":"roundcast.boot/1","order":HEX,"parameters":HEX,"release":TEXT}
//! relay -> desk   {"kind":"boot_request","spki":HEX, the platform's keys}
//! desk  -> relay  {"credential":HEX}                          `tpm2` alone
//! relay -> desk   {"kind":"activated","secret":HEX}           `tpm2` alone
//! desk  -> relay  {"platform":HEX}
//! relay -> desk   {"kind":"ready","address":"IP:PORT","certificate":HEX}
//! ```
//!
//! Afterwards the relay writes program events. When its input ends, the desk
//! is gone, and so is the relay. [`software`] and [`tpm2`] hold what lies
//! between the first line and the statement.

mod line;
pub(super) mod software;
pub(super) mod tpm2;

pub(super) use line::{is_event, read_line};

use crate::error::LaunchFailure;
use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use wire::order::{Order, Parameters};
use wire::{Encode, SpkiHash};

/// Event lines that may come before the relay is ready.
const EVENTS_BEFORE_READY_MAX: usize = 64;

/// What the relay is told first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) order: &'a Order,
    pub(super) parameters: &'a Parameters,
    /// `release.json`, byte for byte.
    pub(super) release: &'a str,
    /// The address of a machine whose network has no DHCP.
    pub(super) network: Option<&'a GuestNetwork>,
}

/// A machine's address on its link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct GuestNetwork {
    /// `IP/PREFIX`.
    pub(super) address: String,
    /// The way to everybody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gateway: Option<String>,
}

/// The desk's end of the conversation.
pub(super) struct Dialogue<'a, W, R> {
    to: W,
    from: R,
    line_ms_max: u64,
    event: &'a (dyn Fn(&str) + Sync),
}

impl<'a, W: AsyncWrite + Unpin, R: AsyncBufRead + Unpin> Dialogue<'a, W, R> {
    /// A conversation whose lines may each take `line_ms_max`; `event` takes
    /// event lines that come meanwhile.
    pub(super) fn new(to: W, from: R, line_ms_max: u64, event: &'a (dyn Fn(&str) + Sync)) -> Self {
        Self {
            to,
            from,
            line_ms_max,
            event,
        }
    }

    /// The two ends, after the conversation.
    pub(super) fn into_ends(self) -> (W, R) {
        (self.to, self.from)
    }

    /// Tells the relay what it is.
    async fn open(&mut self, opening: Opening<'_>) -> Result<(), LaunchFailure> {
        #[derive(Serialize)]
        struct Line<'a> {
            schema: &'static str,
            order: String,
            parameters: String,
            release: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            network: Option<&'a GuestNetwork>,
        }
        self.send(&Line {
            schema: "roundcast.boot/1",
            order: HEXLOWER.encode(&opening.order.to_bytes()),
            parameters: HEXLOWER.encode(&opening.parameters.to_bytes()),
            release: opening.release,
            network: opening.network,
        })
        .await
    }

    /// Hands the platform's statement over, and hears where the relay
    /// listens. The certificate that it shows has to have the key that it
    /// asked with.
    pub(super) async fn finish(
        &mut self,
        platform: &[u8],
        spki: &SpkiHash,
    ) -> Result<SocketAddr, LaunchFailure> {
        #[derive(Serialize)]
        struct Platform {
            platform: String,
        }
        #[derive(Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
        enum Line {
            Ready {
                address: SocketAddr,
                certificate: String,
            },
        }
        self.send(&Platform {
            platform: HEXLOWER.encode(platform),
        })
        .await?;
        let Line::Ready {
            address,
            certificate,
        } = self.hear().await?;
        let shown =
            certs::x509::spki_hash(&unhex(&certificate)?).map_err(|_| LaunchFailure::Protocol)?;
        if shown != *spki || address.port() == 0 {
            return Err(LaunchFailure::Protocol);
        }
        Ok(address)
    }

    async fn send<T: Serialize>(&mut self, value: &T) -> Result<(), LaunchFailure> {
        let mut line = serde_json::to_vec(value).map_err(|_| LaunchFailure::Protocol)?;
        line.push(b'\n');
        let write = async {
            self.to.write_all(&line).await?;
            self.to.flush().await
        };
        timeout(Duration::from_millis(self.line_ms_max), write)
            .await
            .map_err(|_| LaunchFailure::Timeout)?
            .map_err(|_| LaunchFailure::Ended)
    }

    /// The relay's next line. A line that is not the expected one ends the
    /// boot: there is no second try with the same keys.
    async fn hear<T: DeserializeOwned>(&mut self) -> Result<T, LaunchFailure> {
        let answer = async {
            for _ in 0..EVENTS_BEFORE_READY_MAX {
                let line = read_line(&mut self.from)
                    .await?
                    .ok_or(LaunchFailure::Ended)?;
                if is_event(&line) {
                    (self.event)(&line);
                    continue;
                }
                return serde_json::from_str(&line).map_err(|_| LaunchFailure::Protocol);
            }
            Err(LaunchFailure::Protocol)
        };
        timeout(Duration::from_millis(self.line_ms_max), answer)
            .await
            .map_err(|_| LaunchFailure::Timeout)?
    }
}

fn unhex(text: &str) -> Result<Vec<u8>, LaunchFailure> {
    HEXLOWER
        .decode(text.as_bytes())
        .map_err(|_| LaunchFailure::Protocol)
}
