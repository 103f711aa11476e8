//! Who is near whom, by what the members measure on their links, and which
//! edges lose too much.
//!
//! Two members that have never met are compared by coordinates, as in Dabek et
//! al., "Vivaldi: A Decentralized Network Coordinate System" (SIGCOMM 2004).
//! Vivaldi's nodes move themselves and tell each other where they are; here the
//! coordinator moves all of them, from round trips that *both* ends of a link
//! have told. So nobody can say where he is, and a round trip that only one end
//! has seen moves nobody.
//!
//! Probing a few named candidates instead would be exact, but a member would
//! have to answer whoever is about to leave its parent, and each move would wait
//! for the answers; with coordinates a choice costs a few multiplications, and
//! an event costs O(log n).
//!
//! What comes out decides among places of equal depth alone: who lies, or has
//! friends who do, puts himself in a place that is as deep, and farther away.

mod coordinate;
mod lines;
mod loss;
mod region;

pub use coordinate::Coordinate;
pub use lines::{Agreement, LINES_MAX, Lines, RTT_US_MAX};
pub use loss::{Counts, Loss};
pub use region::{means_ms as region_means_ms, nearest as nearest_region};
