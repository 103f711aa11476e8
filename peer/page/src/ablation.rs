//! The mark of a build that holds `dangerously_*` functions. This package uses
//! no other of the project: the text is the same as in `wire`, which
//! `tests/checks/structure.py` compares.

use std::hint::black_box;

const MARKER: &str = "ROUNDCAST-ABLATION-MARKER";

/// The marker, in a way that no optimiser removes. Every `dangerously_*`
/// function passes through here.
pub(crate) fn marker() {
    let _ = black_box(MARKER);
}
