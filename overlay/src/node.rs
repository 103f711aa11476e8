//! What names a node.

use std::fmt::Debug;
use std::hash::Hash;

/// A node's name: `wire::SpkiHash` in life, a number in the simulation. It
/// must be cheap to copy and totally ordered, so that a replay is exact.
pub trait NodeId: Copy + Ord + Hash + Debug {}

impl<T: Copy + Ord + Hash + Debug> NodeId for T {}
