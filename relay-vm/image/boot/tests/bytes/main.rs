//! The bytes of images, and refusals of what cannot become one.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    reason = "a test"
)]

#[path = "../common/mod.rs"]
mod common;
mod disks;
mod images;
mod loading;
mod parsers;
mod registers;
mod stores;
