//! What every build with an `ablation` feature holds, so that the search of
//! the shipped programs would find a control that can be taken out.

use std::hint::black_box;

/// Is in every program that was built with such a feature, and in no other.
pub const MARKER: &str = "ROUNDCAST-ABLATION-MARKER";

/// The marker, in a way that no optimiser removes. Every `dangerously_*`
/// function passes through here.
#[must_use]
pub fn marker() -> &'static str {
    black_box(MARKER)
}
