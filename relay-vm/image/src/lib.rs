//! Builds, measures, signs and verifies the images of relays: the files and
//! processes around the package `boot`, which makes the bytes.

pub mod build;
mod command;
mod digest;
mod error;
pub mod files;
pub mod inputs;
pub mod keys;
mod licences;
pub mod measure;
pub mod program;
pub mod recipe;
pub mod sbom;
pub mod sign;
mod source_offer;
pub mod verify;

pub use error::Error;

const _: () = assert!(!certs::ABLATION, "a shipped tool has every control");
const _: () = assert!(!wire::ABLATION, "a shipped tool has every control");
