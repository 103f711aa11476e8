//! The relay: the paper's "relatively stupid helper" that commands nothing.
//!
//! It makes its key at boot, has its platform vouch for it, takes one stream
//! from its holder and edges from that stream's coordinator, and powers off
//! when the paid hour or its bytes are over. As pid 1 of its image it is also
//! the machine's only program; see [`guest`].

mod admittance;
pub mod boot;
mod error;
pub mod guest;
mod lease;
mod network;
mod serve;

pub use admittance::Commanders;
pub use boot::{Booted, Conversation, Platform, SoftwarePlatform, Turn};
pub use error::Error;
pub use network::Static;
pub use serve::{Options, Relay, Started, run};
