//! What a relay's machine boots, as bytes, and what a TPM will measure of it.
//!
//! The way of an image: [`modules`] puts the kernel's modules in order,
//! [`cpio`] packs them with the relay's program, [`uki`] joins systemd's stub,
//! the kernel and that archive to one executable, [`authenticode`] signs it,
//! and [`disk`] puts it where firmware looks. [`variables`] writes the keys by
//! which the firmware checks the signature, and [`predict`] says which PCR
//! values follow from all of these.
//!
//! This crate reads no file, clock or environment: equal inputs give equal
//! bytes, everywhere and always.

pub mod authenticode;
mod bytes;
pub mod cpio;
pub mod der;
pub mod disk;
mod error;
pub mod event_log;
pub mod guid;
pub mod kernel;
pub mod modules;
pub mod pcr;
pub mod pe;
pub mod predict;
pub mod secure_boot;
pub mod uki;
pub mod variables;

pub use error::Error;
