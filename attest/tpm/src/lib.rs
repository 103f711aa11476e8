//! A relay's TPM 2.0, by raw commands: no library of the system, no daemon.
//!
//! [`Device`] is the way to the TPM: `/dev/tpmrm0` in the relay's image, or
//! any other stream. [`Ek`] is the key by which the TPM is recognised, with
//! its maker's certificate; [`Ak`] is the key of this boot, which signs
//! nothing but the TPM's own statements. [`Ek::activate`] shows a host that
//! both are in one TPM; [`Ak::quote`] says what was booted.
//!
//! The verifying half is in `attest::tpm2`; commands and structures are
//! marshalled by `tpm2-protocol` and follow the TPM 2.0 Library, Parts 2 and
//! 3. Every answer is bounded and checked before anything is taken from it: a
//! virtual TPM is somebody else's program.

mod activation;
mod ak;
mod device;
mod ek;
mod error;
mod frame;
mod loaded;
mod pcr;
mod template;

pub use ak::Ak;
pub use device::{Device, Transport};
pub use ek::Ek;
pub use error::Error;
pub use pcr::{PCRS, PcrValue};
