//! The run statement: the stream key hands over to online keys.

use super::{Scope, statement};
use crate::id::{PublicKey, SpkiHash, UnixMs};
use crate::stripes::Stripes;

crate::record! {
    /// Signed by the stream key once per run; names the run's online keys.
    pub struct RunStatement {
        /// Stream and run; the epoch is the first, zero.
        pub scope: Scope,
        /// Start of the run.
        pub start: UnixMs,
        /// End of the run, at most [`crate::limits::RUN_LIFE_MS_MAX`] later.
        pub end: UnixMs,
        /// Ed25519 key of the stream CA, which signs membership certificates.
        pub ca_key: PublicKey,
        /// Signs chunk headers.
        pub chunk_key: PublicKey,
        /// Signs permits, revocations, asks, grants and join replies.
        pub permit_key: PublicKey,
        /// Signs head beacons.
        pub beacon_key: PublicKey,
        /// Who coordinates: the SPKI that members expect at control links.
        pub coordinator: SpkiHash,
        /// How every chunk of the run is cut.
        pub stripes: Stripes,
    }
}
statement!(RunStatement, "roundcast/run/v1", 512);
