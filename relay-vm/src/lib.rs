//! The relay: the paper's "relatively stupid helper" that commands nothing.
//!
//! It makes its key at boot, has its platform vouch for it, takes one stream
//! from its holder and edges from that stream's coordinator, and powers off
//! when the paid hour or its bytes are over.

mod admittance;
mod boot;
mod error;
mod lease;
mod serve;

pub use admittance::Commanders;
pub use boot::{Boot, Booted};
pub use error::Error;
pub use serve::{Options, Relay, Started, run};
