//! B11: somebody makes a platform of his own, with certificates and documents
//! like the cloud's. His document is in order in all respects but one: it does
//! not come from the cloud's root.
//!
//! The control is the path of certificates to the pinned root. It is removed
//! in the victim's policy.

use crate::attack::attack;
use crate::scene::documents::Documents;
use crate::{Control, Failure, Outcome};
use attest::{Check, Policy, Status, offline};

#[cfg(test)]
mod borrowed;

attack!("B11", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    let set = Documents::load()?;
    judge(&set, &set.named("genuine")?, control)
}

fn judge(set: &Documents, document: &[u8], control: Control) -> Result<Outcome, Failure> {
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_without(Check::DocumentChain),
    };
    let release = Some(set.release.as_bytes());
    let verdict = offline::verify_document_archived(document, release, &set.roots()?, &policy);
    match (verdict.status, verdict.reason) {
        (Status::Verified, _) => Ok(Outcome::succeeded(
            "a platform that anybody made passes as the cloud's",
        )),
        (_, Some(reason)) => Ok(Outcome::stopped(reason)),
        (_, None) => Err(Failure::Stage("a verdict without a reason")),
    }
}
