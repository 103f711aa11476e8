//! A relay on a real socket, and everybody who speaks to it: desk, holder,
//! coordinator, parent, children, strangers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../../overlay/link/tests/support/mod.rs"]
mod support;

mod challenges;
mod clock;
mod commands;
mod garbage;
mod life;
mod scene;
mod withholding;
