//! B9: a platform that makes documents of enclaves under the root of its TPMs'
//! documents. Whoever runs an enclave chooses its program, and with it the
//! numbers that stand where a TPM has its registers: here those of the
//! released image.
//!
//! The control is that the kind is read from the signed names of the fields,
//! and that registers of one kind are never read as those of another. It is
//! removed in the verifier.

use crate::attack::attack;
use crate::scene::documents::Documents;
use crate::{Control, Failure, Outcome};
use attest::Policy;
use attest::nitro::{compare, dangerously_archived_of_any_kind, verify_archived};

#[cfg(test)]
mod program;

attack!("B9", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    let set = Documents::load()?;
    let (enclaves, root) = (set.named("of an enclave")?, set.development_root()?);
    let verified = match control {
        Control::On => verify_archived(&enclaves, &root),
        Control::Removed => dangerously_archived_of_any_kind(&enclaves, &root),
    };
    let document = match verified {
        Ok(document) => document,
        Err(refusal) => return Ok(Outcome::stopped(refusal.reason())),
    };
    let release = set.verified_release()?;
    Ok(
        match compare(document.document(), &release, &Policy::default()) {
            Ok(_) => Outcome::succeeded(format!(
                "an enclave passes as a machine that booted {}",
                release.name()
            )),
            Err(refusal) => Outcome::stopped(refusal.reason()),
        },
    )
}
