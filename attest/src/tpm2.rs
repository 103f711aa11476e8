//! TPM 2.0 in the verifying half: keys, credentials and their certificates.
//! Structures are those of the TPM 2.0 Library, Part 2, in their wire form
//! (big endian, sized buffers); nothing here talks to a device.
//!
//! Who lets a TPM's keys in asks three things, in this order: is the
//! endorsement key (EK) one of a TPM whose maker is trusted ([`ek`]); is the
//! attestation key (AK) of a kind that signs nothing but the TPM's own
//! statements ([`public`]); and do both live in the same TPM
//! ([`credential`]).

pub mod credential;
mod derivation;
pub mod ek;
mod fields;
pub mod public;
