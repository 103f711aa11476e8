//! The verdict about a platform's document (kind `nitro_tpm`).

use super::{Archived, Live, Verdict};
use crate::appraise::{image_checks, release_checks};
use crate::check::Check;
use crate::error::Error;
use crate::explain::{Explanation, Refusal, Trace};
use crate::nitro::{self, Document, Root, released};
use crate::policy::{Assurance, Policy, TrustRoots};
use wire::UnixMs;

/// The verdict about a document that was asked for with `nonce` and arrived
/// `now`; `release_json` says what it is compared with.
#[must_use]
pub fn verify_document_live(
    document: &[u8],
    release_json: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
    now: UnixMs,
    nonce: &[u8],
) -> Verdict<Live> {
    let mut trace = Trace::new(policy);
    let live = pinned(&mut trace)
        .and_then(|root| nitro::live_steps(&mut trace, document, &root, now, nonce));
    Verdict::of(
        live.and_then(|live| compared(trace, live.document(), release_json, roots, policy, now)),
    )
}

/// The verdict about a saved document, at its own time: the certificates and
/// the release are asked whether they held then, the policy is today's.
#[must_use]
pub fn verify_document_archived(
    document: &[u8],
    release_json: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
) -> Verdict<Archived> {
    let mut trace = Trace::new(policy);
    let archived =
        pinned(&mut trace).and_then(|root| nitro::archived_steps(&mut trace, document, &root));
    Verdict::of(archived.and_then(|archived| {
        let document = archived.document();
        compared(trace, document, release_json, roots, policy, document.at)
    }))
}

fn pinned(trace: &mut Trace<'_>) -> Result<Root<crate::tpm2::ek::Pinned>, Refusal> {
    trace.try_quietly(Check::DocumentChain, Root::aws)
}

/// A genuine document against policy and release, as of `at`.
fn compared(
    mut trace: Trace<'_>,
    document: &Document,
    release_json: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
    at: UnixMs,
) -> Result<Explanation, Refusal> {
    trace.require(Check::Assurance, || accepted(policy, Assurance::Platform))?;
    let pcrs = trace.derive(Check::PcrSelection, || {
        let pcrs = document.pcrs()?;
        Ok((pcrs, "the released registers are there".into()))
    })?;
    let json = trace.derive(Check::ReleaseForm, || {
        let json = release_json.ok_or(Error::ReleaseMissing)?;
        Ok((json, "a release is at hand".into()))
    })?;
    let release = release_checks(&mut trace, json, roots, policy, at)?;
    image_checks(&mut trace, &pcrs, released(&release), policy)?;
    trace.skip(Check::Boot, "not checked against a relay's key and order");
    let (subject, steps) = trace.finish();
    Ok(Explanation::verified(subject, steps))
}

pub(super) fn accepted(policy: &Policy, assurance: Assurance) -> Result<String, Error> {
    if !policy.accepts(assurance) {
        return Err(Error::AssuranceNotAccepted(assurance.name()));
    }
    Ok(format!("assurance {} is accepted", assurance.name()))
}
