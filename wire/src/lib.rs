//! The bytes that Roundcast's programs exchange, and nothing else.
//!
//! Every value has one encoding (QUIC varints in minimal form, RFC 9000
//! section 16, lists and blobs prefixed by their length), every decoder is
//! bounded by a limit from [`limits`], and trailing bytes are an error. This
//! crate reads no clock, file or socket, and it verifies nothing: what is
//! decoded here is a claim until `certs` has wrapped it in `Verified`.

#[cfg(feature = "ablation")]
pub mod ablation;
pub mod block_map;
pub mod codec;
pub mod id;
pub mod invite;
pub mod limits;
pub mod message;
pub mod order;
pub mod reason;
pub mod statement;
pub mod stripe_set;
pub mod stripes;
pub mod version;

pub use block_map::BlockMap;
pub use codec::{Decode, DecodeError, Encode, Reader};
pub use id::{
    AskId, Digest, Epoch, Nonce, OrderId, PublicKey, Rendition, RunId, Sequence, SpkiHash,
    StreamId, Stripe, UnixMs,
};
pub use reason::Reason;
pub use statement::{Scope, Signed, Statement};
pub use stripe_set::StripeSet;
pub use stripes::Stripes;
pub use version::Minor;

/// Whether this build holds the `dangerously_*` functions. Every shipped
/// program asserts at compile time that it does not.
pub const ABLATION: bool = cfg!(feature = "ablation");
