//! Every check of this crate, by the name of what it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(feature = "ablation")]
mod ablation;
mod batches;
mod blocks;
mod certificates;
mod errors;
mod headers;
mod holdings;
mod properties;
mod receipts;
mod resuming;
mod runs;
mod seals;
mod secrets;
mod statements;
mod striped;
mod vectors;
mod world;
