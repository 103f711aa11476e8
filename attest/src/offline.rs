//! Verdicts about files, for `roundcast verify`: no relay, no connection, no
//! admission. What cannot be checked so is named in the explanation.

use crate::appraise::{release_checks, run};
use crate::check::Check;
use crate::error::Error;
use crate::explain::{Explanation, Refusal, Trace};
use crate::policy::{Policy, TrustRoots};
use crate::release::Release;
use crate::signature::sha256;
use wire::UnixMs;

/// The verdict about a release folder: the bytes of its `release.json` and,
/// if it is there, of its relay program.
#[must_use]
pub fn verify_release(
    release_json: &[u8],
    executable: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
    now: UnixMs,
) -> Explanation {
    match release_folder(release_json, executable, roots, policy, now) {
        Ok(explanation) => explanation,
        Err(refusal) => refusal.explanation(),
    }
}

fn release_folder(
    release_json: &[u8],
    executable: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
    now: UnixMs,
) -> Result<Explanation, Refusal> {
    let mut trace = Trace::new(policy);
    let (release, _) = release_checks(&mut trace, release_json, roots, policy, now)?;
    match executable {
        Some(bytes) => trace.require(Check::Measurement, || program(&release, bytes))?,
        None => trace.skip(Check::Measurement, "no program was handed over"),
    }
    let (subject, steps) = trace.finish();
    Ok(Explanation::verified(subject, steps))
}

fn program(release: &Release, bytes: &[u8]) -> Result<String, Error> {
    let expected = release
        .measurements
        .software
        .as_ref()
        .ok_or(Error::MeasurementMissing("software"))?;
    let found = sha256(&[bytes]);
    if expected.executable_sha256.0 != found.0 {
        return Err(Error::MeasurementMismatch);
    }
    Ok(format!("program {}", found.short()))
}

/// The verdict about a relay's certificate (DER). The order is taken from
/// its evidence: whether it is the one that somebody wanted is not checked.
#[must_use]
pub fn verify_certificate(
    certificate: &[u8],
    roots: &TrustRoots,
    policy: &Policy,
    now: UnixMs,
) -> Explanation {
    match run(certificate, None, roots, policy, now) {
        Ok(appraised) => appraised.explanation(),
        Err(refusal) => refusal.explanation(),
    }
}
