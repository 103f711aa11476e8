//! B10: somebody hands over a release statement of 64 MiB. It is well formed
//! as far as one can tell before its signatures are looked for; it has none.
//!
//! The control is the bound on its length, which is checked before one byte is
//! read. It is removed in the victim's policy. That no decoder of strangers'
//! bytes panics or runs away within its bounds is for the fuzz targets of
//! `tests/fuzz/fuzz_targets` to show.

use crate::attack::attack;
use crate::scene::cloud::Cloud;
use crate::scene::now;
use crate::{Control, Failure, Outcome};
use attest::{Check, Outcome as Ended, Policy, TrustRoots, offline};

attack!("B10", run);

/// Digits of the payload in base64: a multiple of four.
const DIGITS: usize = 64 * 1024 * 1024;

fn run(control: Control) -> Result<Outcome, Failure> {
    let roots = TrustRoots::from(Cloud::new()?.root()?);
    let policy = match control {
        Control::On => Policy::default(),
        Control::Removed => Policy::default().dangerously_unbounded(),
    };
    let verdict = offline::verify_release(&huge(), None, &roots, &policy, now());
    let decoded = verdict
        .steps
        .iter()
        .find(|step| step.check == Check::ReleaseForm && step.result == Ended::Passed);
    match (decoded, verdict.reason) {
        (Some(step), _) => Ok(Outcome::succeeded(format!(
            "a client takes apart what nobody signed: {}",
            step.detail
        ))),
        (None, Some(reason)) => Ok(Outcome::stopped(reason)),
        (None, None) => Err(Failure::Stage("a release without signatures passes")),
    }
}

fn huge() -> Vec<u8> {
    let mut json =
        br#"{"payloadType":"application/vnd.roundcast.release.v1+json","payload":""#.to_vec();
    json.resize(json.len() + DIGITS, b'A');
    json.extend_from_slice(br#"","signatures":[]}"#);
    json
}
