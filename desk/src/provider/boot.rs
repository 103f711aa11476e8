//! The boot protocol between desk and relay: one JSON object per line over
//! the relay's standard input and output.
//!
//! ```text
//! desk  -> relay  {"schema":"roundcast.boot/1","order":HEX,"parameters":HEX,"release":TEXT}
//! relay -> desk   {"kind":"boot_request","spki":HEX,"boot_key":HEX}
//! desk  -> relay  {"platform":HEX}
//! relay -> desk   {"kind":"ready","address":"IP:PORT","certificate":HEX}
//! ```
//!
//! Afterwards the relay writes program events. When its input ends, the desk
//! is gone, and so is the relay.

use crate::error::LaunchFailure;
use attest::software::SignedPlatform;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use wire::order::{Order, Parameters};
use wire::{Encode, PublicKey, SpkiHash};

/// A line, in bytes: the certificate with its evidence in hexadecimal.
const LINE_BYTES_MAX: usize = 2 * wire::limits::CERTIFICATE_BYTES_MAX + 1024;
/// How long one line of the boot protocol may take, in ms.
const LINE_MS_MAX: u64 = 10_000;
/// Event lines that may come before the relay is ready.
const EVENTS_BEFORE_READY_MAX: usize = 64;

#[derive(Serialize)]
struct Boot<'a> {
    schema: &'static str,
    order: String,
    parameters: String,
    release: &'a str,
}

#[derive(Serialize)]
struct Platform {
    platform: String,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line {
    BootRequest {
        spki: String,
        boot_key: String,
    },
    Ready {
        address: SocketAddr,
        certificate: String,
    },
}

/// What the relay asks to be certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BootRequest {
    pub(super) spki: SpkiHash,
    pub(super) boot_key: PublicKey,
}

/// The desk's end of the pipe.
pub(super) struct Dialogue<W, R> {
    pub(super) to: W,
    pub(super) from: R,
}

impl<W: AsyncWrite + Unpin, R: AsyncBufRead + Unpin> Dialogue<W, R> {
    /// Tells the relay what it is, and hears its keys. `event` takes event
    /// lines that come meanwhile.
    pub(super) async fn begin(
        &mut self,
        order: &Order,
        parameters: &Parameters,
        release: &str,
        event: &(dyn Fn(&str) + Sync),
    ) -> Result<BootRequest, LaunchFailure> {
        self.send(&Boot {
            schema: "roundcast.boot/1",
            order: HEXLOWER.encode(&order.to_bytes()),
            parameters: HEXLOWER.encode(&parameters.to_bytes()),
            release,
        })
        .await?;
        match self.hear(event).await? {
            Line::BootRequest { spki, boot_key } => Ok(BootRequest {
                spki: SpkiHash::from_hex(&spki).ok_or(LaunchFailure::Protocol)?,
                boot_key: PublicKey::from_hex(&boot_key).ok_or(LaunchFailure::Protocol)?,
            }),
            Line::Ready { .. } => Err(LaunchFailure::Protocol),
        }
    }

    /// Hands the statement over, and hears where the relay listens. The
    /// certificate that it shows has to have the key that it asked with.
    pub(super) async fn finish(
        &mut self,
        platform: &SignedPlatform,
        request: &BootRequest,
        event: &(dyn Fn(&str) + Sync),
    ) -> Result<SocketAddr, LaunchFailure> {
        self.send(&Platform {
            platform: HEXLOWER.encode(&platform.to_bytes()),
        })
        .await?;
        let Line::Ready {
            address,
            certificate,
        } = self.hear(event).await?
        else {
            return Err(LaunchFailure::Protocol);
        };
        let der = HEXLOWER
            .decode(certificate.as_bytes())
            .map_err(|_| LaunchFailure::Protocol)?;
        let spki = certs::x509::spki_hash(&der).map_err(|_| LaunchFailure::Protocol)?;
        if spki != request.spki || address.port() == 0 {
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
        timeout(Duration::from_millis(LINE_MS_MAX), write)
            .await
            .map_err(|_| LaunchFailure::Timeout)?
            .map_err(|_| LaunchFailure::Ended)
    }

    async fn hear(&mut self, event: &(dyn Fn(&str) + Sync)) -> Result<Line, LaunchFailure> {
        let answer = async {
            for _ in 0..EVENTS_BEFORE_READY_MAX {
                let line = read_line(&mut self.from)
                    .await?
                    .ok_or(LaunchFailure::Ended)?;
                if is_event(&line) {
                    event(&line);
                    continue;
                }
                return serde_json::from_str(&line).map_err(|_| LaunchFailure::Protocol);
            }
            Err(LaunchFailure::Protocol)
        };
        timeout(Duration::from_millis(LINE_MS_MAX), answer)
            .await
            .map_err(|_| LaunchFailure::Timeout)?
    }
}

/// Whether a line is a program event: other output is not passed on.
pub(super) fn is_event(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    serde_json::from_str::<Head>(line).is_ok_and(|head| head.schema == "roundcast.event/1")
}

/// The next line without its end; `None` when the other end has closed.
pub(super) async fn read_line<R: AsyncBufRead + Unpin>(
    from: &mut R,
) -> Result<Option<String>, LaunchFailure> {
    let mut line = Vec::new();
    loop {
        let available = from.fill_buf().await.map_err(|_| LaunchFailure::Ended)?;
        if available.is_empty() {
            return Ok(None);
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let (part, used) = match end {
            Some(at) => (available.get(..at), at + 1),
            None => (Some(available), available.len()),
        };
        line.extend_from_slice(part.unwrap_or_default());
        from.consume(used);
        if line.len() > LINE_BYTES_MAX {
            return Err(LaunchFailure::Protocol);
        }
        if end.is_some() {
            return String::from_utf8(line)
                .map(Some)
                .map_err(|_| LaunchFailure::Protocol);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn lines_are_bounded_and_told_from_the_end() {
        let mut input = &b"one\ntwo\nrest"[..];
        assert_eq!(read_line(&mut input).await.unwrap().unwrap(), "one");
        assert_eq!(read_line(&mut input).await.unwrap().unwrap(), "two");
        assert_eq!(read_line(&mut input).await.unwrap(), None);
        let long = vec![b'a'; LINE_BYTES_MAX + 2];
        assert_eq!(
            read_line(&mut long.as_slice()).await.unwrap_err(),
            LaunchFailure::Protocol
        );
    }

    #[test]
    fn only_program_events_are_passed_on() {
        assert!(is_event(r#"{"schema":"roundcast.event/1","kind":"x"}"#));
        assert!(!is_event(r#"{"schema":"other/1"}"#));
        assert!(!is_event("words"));
    }
}
