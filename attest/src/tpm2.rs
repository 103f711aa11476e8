//! Evidence kind `tpm2`, assurance `operator`: a TPM 2.0 of the relay's
//! machine quotes what was booted, and the desk, as operator of the host,
//! certifies that the quoting key lives in a TPM which it vouches for. It
//! proves the image to everybody but that operator.
//!
//! What is compared with what: [`TpmStatement`] is the desk's word about the
//! attestation key (AK) of one boot; [`Quote`] is that key's word about the
//! platform configuration registers ([`Pcrs`]); a release's
//! [`Tpm2Measurement`](crate::release::Tpm2Measurement) is the developer's
//! word about what they must be.
//!
//! Structures are those of the TPM 2.0 Library, Part 2, in their wire form
//! (big endian, sized buffers); nothing here talks to a device.
//!
//! Who lets a TPM's keys in asks three things, in this order: is the
//! endorsement key (EK) one of a TPM whose maker is trusted ([`ek`]); is the
//! attestation key (AK) of a kind that signs nothing but the TPM's own
//! statements ([`public`]); and do both live in the same TPM
//! ([`credential`]).

mod ak_certificate;
mod attested;
mod boot_state;
mod cloud_quote;
pub mod credential;
mod derivation;
pub mod ek;
mod evidence;
mod fields;
mod pcr;
pub mod public;
mod quote;
mod statement;

pub use ak_certificate::{AkRoot, Cloud};
pub(crate) use ak_certificate::{BETWEEN_MAX, CERTIFICATE_BYTES_MAX};
pub use attested::{Attested, ClockInfo};
pub use boot_state::BootState;
pub(crate) use cloud_quote::{CloudKey, CloudQuote};
pub use evidence::Tpm2Evidence;
pub use pcr::{Bank, PCRS, PcrForm, Pcrs};
pub use quote::{P256_SIGNATURE_BYTES, Quote};
pub use statement::{
    AK_PUBLIC_BYTES_MAX, BootId, STATEMENT_LABEL, SignedTpmStatement, TpmStatement, certify,
};
