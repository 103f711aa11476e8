//! The boot protocol: as a conversation of lines, and through the program.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod confined;
mod conversations;
mod desk;
