//! Mesh repair: what parents did not bring in time is pulled from neighbours,
//! in the order in which it is needed ([`Puller`]), and each neighbour gives a
//! block to a child once ([`Served`]).
//!
//! Pure as the forwarder beside it: the driver passes in the time, what
//! neighbours say, and what is lacking here.

mod config;
mod news;
mod puller;
mod served;
mod view;

pub use config::Config;
pub use news::News;
pub use puller::{Arrival, Puller, Unasked, Wanted};
pub use served::{OncePerBlock, Served};

/// What was pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pulled {
    /// Blocks asked for.
    pub asked: u64,
    /// Blocks that came and were lacking.
    pub repaired: u64,
    /// Blocks that came when they were here already.
    pub wasted: u64,
    /// Pulls that a neighbour refused.
    pub refused: u64,
    /// Pulls that were not answered in time.
    pub unanswered: u64,
}
