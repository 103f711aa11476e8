//! The tree: who feeds whom ([`planner`]), what crosses an edge
//! ([`forwarder`]), who gets a smaller rendition ([`ladder`]), how many children a node may have ([`slots`]), and how
//! fast it sends ([`bucket`]).
//!
//! All of it is pure: events in, actions out, time and randomness passed in.
//! The same code runs in the station, the viewers, the relays and the
//! simulation.

mod error;
mod node;

pub mod bucket;
pub mod forwarder;
pub mod ladder;
pub mod live;
pub mod mesh;
pub mod near;
pub mod planner;
pub mod room;
pub mod rota;
pub mod sampling;
pub mod slots;
pub mod suspicion;

pub use bucket::TokenBucket;
pub use error::Error;
pub use forwarder::{Forwarder, Outgoing};
pub use node::NodeId;
pub use planner::{Action, Planner};
