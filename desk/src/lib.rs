//! The shop and the desk: the shop sells vouchers blindly, the desk redeems
//! each once for one relay. They share a process here and meet in values
//! only: the desk needs the shop's public keys and its word on refunds.
//!
//! ```text
//! http      HTTPS with a pinned key -> shop (keys, issue), orders (redeem, status)
//! shop      class keys, key set, blind signatures
//! orders    check -> ledger row -> launch -> running | refunded
//! ledger    one row per voucher; answers that can be given again
//! provider  who runs relays; `local`: processes of this machine, `qemu`:
//!           measured boots of the image in emulated machines
//! guard     keeps a machine's programs from outliving the desk
//! platform  what the desk certifies about what it started
//! ```

pub mod cli;
pub mod clock;
pub mod config;
pub mod data;
pub mod error;
pub mod event;
pub mod guard;
pub mod http;
pub mod identity;
pub mod ledger;
pub mod orders;
pub mod platform;
pub mod provider;
pub mod serve;
pub mod shop;

pub use error::Error;
