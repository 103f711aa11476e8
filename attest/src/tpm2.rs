//! TPM 2.0 in the verifying half: keys, credentials and their certificates.
//! Structures are those of the TPM 2.0 Library, Part 2, in their wire form
//! (big endian, sized buffers); nothing here talks to a device.

mod fields;
pub mod public;
