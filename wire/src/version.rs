//! The version of the bytes: one major number, in the name of the protocol, and
//! a minor one that both ends of a link agree on in their TLS handshake (ALPN,
//! RFC 7301). Within a major version an encoding never changes; a message that
//! is new is sent only where both ends have its minor version.

use std::fmt;

/// A minor version of major version 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor(pub u8);

impl Minor {
    /// The newest that this code speaks.
    pub const NEWEST: Self = Self(1);

    /// Members tell their round trips, to each other (`Up::Lines`) and to
    /// regions (`Up::Regions`), from this one on.
    pub const LINES: Self = Self(1);

    /// What a link offers or accepts, the best first: every minor version from
    /// the newest down to the first.
    #[must_use]
    pub fn offers() -> Vec<Vec<u8>> {
        let newest_first = (0..=Self::NEWEST.0).rev();
        newest_first.map(|n| Self(n).protocol()).collect()
    }

    /// The protocol's name in the handshake: `roundcast/1`, `roundcast/1.1`, …
    #[must_use]
    pub fn protocol(self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// What the handshake agreed on; none if it is no version of this
    /// protocol that this code speaks.
    #[must_use]
    pub fn agreed(protocol: &[u8]) -> Option<Self> {
        (0..=Self::NEWEST.0)
            .map(Self)
            .find(|minor| minor.protocol() == protocol)
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("roundcast/1")?;
        match self.0 {
            0 => Ok(()),
            n => write!(f, ".{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back_and_nothing_else_is_agreed_on() {
        assert_eq!(Minor(0).to_string(), "roundcast/1");
        assert_eq!(Minor(7).to_string(), "roundcast/1.7");
        for offer in Minor::offers() {
            assert!(Minor::agreed(&offer).is_some());
        }
        assert_eq!(Minor::offers().first(), Some(&Minor::NEWEST.protocol()));
        for strange in ["", "roundcast/2", "roundcast/1.0", "roundcast/1.200", "h3"] {
            assert_eq!(Minor::agreed(strange.as_bytes()), None, "{strange}");
        }
    }
}
