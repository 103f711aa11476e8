//! An image's folder from build to verification, made of small files in the
//! forms of the real ones: no mirror and no compiler are needed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    reason = "a test"
)]

mod building;
mod ceremony;
#[path = "../../boot/tests/common/mod.rs"]
mod common;
mod scene;
mod signing;
mod verifying;
