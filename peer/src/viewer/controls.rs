//! The controls on what a station tells a viewer to do. Each is a value that a
//! viewer is made with, so that a test can take one out and show the attack
//! that it stops.

use crate::Error;
use certs::asking::AskCheck;
use link::HeadCheck;
use wire::SpkiHash;
use wire::message::control::{NodeKind, NodeRef};

/// The controls of one viewer; the default has all of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Controls {
    /// Whose asks and grants are taken (threat A9).
    pub asks: AskCheck,
    /// When a parent withholds the stream (threat D6).
    pub heads: HeadCheck,
    /// Whom a viewer links to that chose `--relay-only` (threat F2).
    pub links: LinkCheck,
}

/// Whether the viewer holds the station to the choice of `--relay-only`.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinkCheck(Choice);

#[derive(Debug, Clone, Copy, Default)]
enum Choice {
    #[default]
    Viewers,
    #[cfg(feature = "ablation")]
    Stations,
}

impl LinkCheck {
    /// The station may order an edge with anybody.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_stations_choice() -> Self {
        let _ = certs::ablation::marker();
        Self(Choice::Stations)
    }

    /// Whether an edge with `other` may be made by a viewer that links to the
    /// station and to relays alone. Only the coordinator's own key is taken
    /// for the station; a relay has yet to prove itself.
    pub(super) fn allows(self, other: &NodeRef, coordinator: SpkiHash) -> Result<(), Error> {
        match self.0 {
            Choice::Viewers => match other.kind {
                NodeKind::Relay => Ok(()),
                NodeKind::Station if other.spki == coordinator => Ok(()),
                NodeKind::Station | NodeKind::Peer => Err(Error::NotRelayOnly),
            },
            #[cfg(feature = "ablation")]
            Choice::Stations => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::message::control::{Addresses, Name};

    #[test]
    fn a_peer_is_refused_whatever_the_station_calls_it() {
        let station = SpkiHash([1; 32]);
        let allowed = |kind, spki| {
            let other = NodeRef {
                spki,
                kind,
                name: Name::default(),
                addresses: Addresses::default(),
                admission: None,
            };
            LinkCheck::default().allows(&other, station).is_ok()
        };
        let peer = SpkiHash([2; 32]);
        assert!(allowed(NodeKind::Station, station));
        assert!(allowed(NodeKind::Relay, peer));
        assert!(!allowed(NodeKind::Station, peer));
        assert!(!allowed(NodeKind::Peer, peer));
    }
}
