//! What peers and relays share of the network: one QUIC endpoint, links whose
//! ends have proven their keys, the live challenge, groups of blocks, and the
//! node that drives the pure forwarder over them.
//!
//! TLS here proves possession of a key and nothing more. Who the key belongs
//! to is decided above: a member by its certificate from the stream CA, an
//! edge by its permit, a relay by admission, evidence and live challenge.

mod children;
mod clock;
mod controls;
mod edge;
mod emit;
mod endpoint;
mod equivocation;
mod error;
mod framing;
mod group;
mod half_open;
mod left_out;
mod live;
mod measuring;
mod mesh;
mod node;
mod pace;
mod playing;
mod rate;
mod renditions;
mod reset;
mod reverify;
mod segments;
mod tls;
mod trust;
mod turns;

pub use clock::Clock;
pub use controls::{
    AddressCheck, BlockCheck, Controls, DialControls, EquivocationCheck, HalfOpenCheck, HeadCheck,
    MemberCheck, MeshRepair, PermitCheck, RenditionCheck, Reverification, StripeCheck, TurnCheck,
};
pub use emit::{Audience, Emitter, equivocation_fields, left_out_fields};
pub use endpoint::{Endpoint, Identity, Link, Patience};
pub use error::Error;
pub use framing::{Channel, Receiver, Sender, open_channel, stream_kind};
pub use half_open::{HALF_OPEN_LIMIT, HalfOpenLoad};
pub use live::{Attester, Binding, challenge};
pub use measuring::{Measuring, Path};
pub use mesh::Repairs;
pub use node::{BySender, Came, Node, NodeConfig, NodeEvent, NodeLoad};
pub use rate::SendRate;
pub use reverify::{Again, Reverified, ReverifyTimes, reverify};
pub use trust::{Keeper, Proof, RelayTrust, Verification, verify_relay};
