//! Evidence, appraisal, policy and releases: what a relay is, and whether
//! this viewer's policy accepts it (RFC 9334's verifier and relying party).
//!
//! The way of a verdict: [`evidence`] takes the record out of the relay's
//! certificate, [`release`] says which programs the developer signed,
//! [`appraise`](appraise()) compares both with the admission that named the
//! relay, and [`live`] proves that the relay at the other end of *this*
//! connection holds the attested key now. [`offline`] is the same for files.
//!
//! This crate reads no clock, file, socket or environment: bytes and time
//! come in, and [`Appraised`], [`live::LiveVerdict`] and
//! [`Explanation`] go out. Both verdicts have private constructors.

mod appraise;
mod cbor;
mod chain;
mod check;
mod error;
pub mod evidence;
mod explain;
pub mod live;
pub mod nitro;
pub mod offline;
mod policy;
mod quote;
pub mod release;
mod signature;
pub mod software;
pub mod tpm2;

pub use appraise::{Appraised, Expectation, ReleaseName, appraise};
pub use check::Check;
pub use error::Error;
pub use evidence::{Evidence, EvidenceKind};
pub use explain::{Explanation, Outcome, Refusal, Status, Step, Subject};
pub use policy::{Assurance, Policy, REVOCATIONS_BYTES_MAX, Revocations, TrustRoots};
pub use quote::{BATCH_LABEL, BOOT_LABEL, QuoteDigest, QuoteKey, Quoter};
