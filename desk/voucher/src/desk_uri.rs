//! Where a desk is, and which key it has: `roundcast-desk://HOST:PORT/#KEY`.

use crate::Error;
use crate::encoding::{Base64, serde_text};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use wire::{PublicKey, SpkiHash};

const SCHEME: &str = "roundcast-desk://";
/// A DNS name, in bytes (RFC 1035 section 2.3.4, without the final dot).
const HOST_BYTES_MAX: usize = 253;
/// A label of a DNS name, in bytes (RFC 1035 section 2.3.4).
const HOST_LABEL_BYTES_MAX: usize = 63;
/// The whole URI, in bytes: scheme, host, port, and 43 letters of key.
pub const DESK_URI_BYTES_MAX: usize = 320;

/// A desk's address with the pin of its TLS key, which also signs its key set.
/// There is no other trust in it: no certificate authority is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeskUri {
    host: Host,
    port: u16,
    key: SpkiHash,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Host {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Name(String),
}

impl DeskUri {
    /// The URI of a desk at `host` (an address without brackets, or a name).
    ///
    /// # Errors
    /// [`Error::DeskUri`].
    pub fn new(host: &str, port: u16, key: SpkiHash) -> Result<Self, Error> {
        if port == 0 {
            return Err(Error::DeskUri("the port is 1 to 65535"));
        }
        let host = match host.parse::<Ipv6Addr>() {
            Ok(address) => Host::V6(address),
            Err(_) => name_or_v4(host)?,
        };
        Ok(Self { host, port, key })
    }

    /// The host to connect to: an address without brackets, or a name.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.host {
            Host::V4(address) => address.to_string(),
            Host::V6(address) => address.to_string(),
            Host::Name(name) => name.clone(),
        }
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `HOST:PORT`, as in an HTTP `Host` field and as sockets take it.
    #[must_use]
    pub fn authority(&self) -> String {
        match &self.host {
            Host::V4(address) => format!("{address}:{}", self.port),
            Host::V6(address) => format!("[{address}]:{}", self.port),
            Host::Name(name) => format!("{name}:{}", self.port),
        }
    }

    /// SHA-256 of the desk's SubjectPublicKeyInfo.
    #[must_use]
    pub const fn key(&self) -> SpkiHash {
        self.key
    }

    /// Whether `key` (Ed25519) is the one that this URI pins.
    #[must_use]
    pub fn pins(&self, key: &PublicKey) -> bool {
        self.key == desk_key_hash(key)
    }
}

/// The pin of a desk's Ed25519 key: SHA-256 of its SubjectPublicKeyInfo.
#[must_use]
pub fn desk_key_hash(key: &PublicKey) -> SpkiHash {
    certs::x509::spki_of_public(key)
}

fn name_or_v4(host: &str) -> Result<Host, Error> {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(Host::V4(address));
    }
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let label_fits = |label: &str| {
        (1..=HOST_LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // What ends in digits is an address to some resolvers ("127.1"): refused.
    let digits_last = host
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    if host.len() > HOST_BYTES_MAX || digits_last || !host.split('.').all(label_fits) {
        return Err(Error::DeskUri("the host is no address and no name"));
    }
    Ok(Host::Name(host.to_owned()))
}

impl FromStr for DeskUri {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > DESK_URI_BYTES_MAX {
            return Err(Error::DeskUri("it is too long"));
        }
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or(Error::DeskUri("it does not begin with roundcast-desk://"))?;
        let (authority, key) = rest
            .split_once("/#")
            .ok_or(Error::DeskUri("the key after /# is missing"))?;
        let key = Base64::<32>::parse(key)
            .map_err(|_| Error::DeskUri("the key is not 43 letters of base64url"))?;
        let (host, port) = authority
            .rsplit_once(':')
            .ok_or(Error::DeskUri("the port is missing"))?;
        let host = match host.strip_prefix('[') {
            Some(inner) => inner
                .strip_suffix(']')
                .filter(|inner| inner.parse::<Ipv6Addr>().is_ok())
                .ok_or(Error::DeskUri("the IPv6 address is malformed"))?,
            None if host.contains(':') => {
                return Err(Error::DeskUri("an IPv6 address stands in brackets"));
            }
            None => host,
        };
        let port = port
            .parse()
            .map_err(|_| Error::DeskUri("the port is 1 to 65535"))?;
        let uri = Self::new(host, port, SpkiHash(key.0))?;
        if uri.to_string() == text {
            Ok(uri)
        } else {
            Err(Error::DeskUri("it is not in its shortest form"))
        }
    }
}

impl fmt::Display for DeskUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/#{}", self.authority(), Base64(self.key.0))
    }
}

serde_text!(DeskUri);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn accepts_addresses_and_names() {
        for host in ["127.0.0.9:7700", "[::1]:7700", "desk.example.org:1"] {
            let text = format!("roundcast-desk://{host}/#{KEY}");
            let uri: DeskUri = text.parse().unwrap();
            assert_eq!(uri.to_string(), text);
            assert_eq!(uri.authority(), host);
        }
    }

    #[test]
    fn rejects_what_is_not_strictly_of_the_form() {
        for rest in [
            format!("127.0.0.1/#{KEY}"),
            format!("127.0.0.1:0/#{KEY}"),
            format!("127.0.0.1:07700/#{KEY}"),
            format!("127.0.0.1:7700/#{KEY}A"),
            format!("127.0.0.1:7700/#{}", &KEY[..42]),
            format!("127.0.0.1:7700/#{}B", &KEY[..42]),
            format!("127.0.0.1:7700#{KEY}"),
            format!("127.0.0.1:7700/path#{KEY}"),
            format!("user@127.0.0.1:7700/#{KEY}"),
            format!("127.1:7700/#{KEY}"),
            format!("::1:7700/#{KEY}"),
            format!("[::1:7700/#{KEY}"),
            format!("[0:0::1]:7700/#{KEY}"),
            format!("Desk.example:7700/#{KEY}"),
            format!("-desk.example:7700/#{KEY}"),
            format!("desk..example:7700/#{KEY}"),
            format!(":7700/#{KEY}"),
        ] {
            let text = format!("roundcast-desk://{rest}");
            assert!(text.parse::<DeskUri>().is_err(), "{text}");
        }
        assert!(
            format!("https://127.0.0.1:7700/#{KEY}")
                .parse::<DeskUri>()
                .is_err()
        );
    }

    #[test]
    fn pins_one_key_only() {
        let key = PublicKey([3; 32]);
        let uri = DeskUri::new("127.0.0.1", 7700, desk_key_hash(&key)).unwrap();
        assert!(uri.pins(&key));
        assert!(!uri.pins(&PublicKey([4; 32])));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(roundcast-desk://)?[a-z0-9:/#\\[\\].-]{0,80}") {
            if let Ok(uri) = text.parse::<DeskUri>() {
                prop_assert_eq!(uri.to_string(), text);
            }
        }
    }
}
