//! The threats to Roundcast, the attacks, and what stops them.
//!
//! ```text
//! catalogue   one entry per threat, from catalogue.toml
//! attack      what an attack is: one function, run with its control and without
//! threats     one module per threat that is shown, with its two tests
//! scene       what attacks are staged with: a stream, a cloud, a shop, nodes
//! proof       runs an attack both ways and judges the outcome
//! report      the catalogue and the proofs for an auditor, HTML and JSON
//! attackers   the programs of the demo's attacks
//! ```
//!
//! Every attack takes the real code path: the library's entry point, over a
//! real socket where the control is there. It is run twice, and the two runs
//! differ in one value: the control. With it the attack is refused for the
//! reason that the catalogue names; without it the same attack succeeds. An
//! attack that fails anyway would prove nothing about the control.
//!
//! This is the only package that is built with the `ablation` features, in an
//! invocation and a target folder of its own.

pub mod attack;
pub mod attackers;
pub mod catalogue;
mod failure;
pub mod proof;
pub mod report;
pub mod scene;
pub mod threats;

pub use attack::{Attack, Control, Outcome, Variant};
pub use catalogue::{Catalogue, Threat};
pub use failure::Failure;

const _: () = assert!(certs::ABLATION, "the attacks need the ablation features");
