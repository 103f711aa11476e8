//! What a sponsor orders: the relay's identity long before it boots.

use crate::codec::Text;
use crate::id::{Digest, PublicKey, UnixMs};
use crate::limits::{ADDRESS_BYTES_MAX, LABEL_BYTES_MAX};

/// Domain label of [`crate::OrderId`]: `SHA-256(label ‖ 0x00 ‖ encoding of
/// the order)`, computed in `certs::order::id`.
pub const ORDER_LABEL: &str = "roundcast/order/v1";
/// Domain label of the digest of [`Parameters`].
pub const PARAMETERS_LABEL: &str = "roundcast/relay-parameters/v1";

crate::record! {
    /// A relay-hour as its sponsor ordered it. It names no stream: the
    /// holder's `serve` command does.
    pub struct Order {
        /// Ed25519, fresh per voucher; the only key that commands the relay.
        pub holder_key: PublicKey,
        /// The voucher's nonce (RFC 9578 section 6.2).
        pub voucher_nonce: Digest,
        /// The voucher's class, e.g. `small.local.1h.45gb.2026q4`.
        pub class: Text<LABEL_BYTES_MAX>,
        /// Release channel, e.g. `stable`.
        pub channel: Text<LABEL_BYTES_MAX>,
        /// The desk's identity and platform key (Ed25519).
        pub desk_key: PublicKey,
        /// Paid time in milliseconds from the launch.
        pub lease_ms: u64,
        /// Bytes that the relay may send.
        pub byte_cap: u64,
    }
}

crate::record! {
    /// What the desk tells a relay at its start. Untrusted by the relay's
    /// program, and bound into its evidence.
    pub struct Parameters {
        /// Where the relay listens, `ADDRESS:PORT`.
        pub listen: Text<ADDRESS_BYTES_MAX>,
        /// The class's rate: the ceiling of every capacity claim, in bit/s.
        pub rate_bps: u64,
        /// End of the paid time.
        pub lease_end: UnixMs,
        /// Bytes that the relay may send.
        pub byte_cap: u64,
        /// Loopback and private addresses may be dialled (development runs).
        pub private_networks: bool,
    }
}
