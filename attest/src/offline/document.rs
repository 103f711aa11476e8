//! The verdict about a platform's document (kind `nitro_tpm`).

use super::{Judged, LIVE_WORDS, archived_words};
use crate::appraise::{image_checks, release_checks};
use crate::check::Check;
use crate::error::Error;
use crate::explain::{Explanation, Refusal, Trace};
use crate::nitro::{KIND, Root, Signed, released, timely};
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
) -> Explanation {
    let when = When::Live { now, nonce };
    verify(document, release_json, roots, policy, &when)
}

/// The verdict about a saved document, at its own time: the certificates and
/// the release are asked whether they held then, the policy is today's.
#[must_use]
pub fn verify_document_archived(
    document: &[u8],
    release_json: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
) -> Explanation {
    verify(document, release_json, roots, policy, &When::Archived)
}

enum When<'a> {
    Live { now: UnixMs, nonce: &'a [u8] },
    Archived,
}

fn verify(
    document: &[u8],
    release_json: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
    when: &When<'_>,
) -> Explanation {
    match checks(document, release_json, roots, policy, when) {
        Ok(explanation) => explanation,
        Err(refusal) => refusal.explanation(),
    }
}

fn checks(
    document: &[u8],
    release_json: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
    when: &When<'_>,
) -> Result<Explanation, Refusal> {
    let mut trace = Trace::new(policy);
    let signed = trace.derive(Check::DocumentForm, || {
        let signed = Signed::parse(document)?;
        let detail = format!("{KIND} of {}", signed.document.module);
        Ok((signed, detail))
    })?;
    trace.subject.evidence = Some(KIND);
    trace.subject.assurance = Some(Assurance::Platform.name());
    let at = time(&mut trace, &signed, when)?;
    trace.require(Check::DocumentSignature, || {
        signed
            .by_its_leaf()
            .map(|()| "signed by the key of its certificate".into())
    })?;
    trace.require(Check::DocumentChain, || {
        signed.under(&Root::aws()?, at)?;
        Ok(format!("from the pinned root, valid at {at}"))
    })?;
    trace.require(Check::Assurance, || accepted(policy, Assurance::Platform))?;
    let pcrs = trace.derive(Check::PcrSelection, || {
        let pcrs = signed.document.pcrs()?;
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

/// When the document is judged.
fn time(trace: &mut Trace<'_>, signed: &Signed<'_>, when: &When<'_>) -> Result<UnixMs, Refusal> {
    match when {
        When::Live { now, nonce } => {
            trace.subject.judged = Some(Judged::Live.name());
            trace.require(Check::Time, || {
                timely(&signed.document, *now, nonce).map(|()| LIVE_WORDS.into())
            })?;
            Ok(*now)
        }
        When::Archived => {
            trace.subject.judged = Some(Judged::Archived.name());
            let at = signed.document.at;
            trace.require(Check::Time, || Ok(archived_words(at)))?;
            Ok(at)
        }
    }
}

pub(super) fn accepted(policy: &Policy, assurance: Assurance) -> Result<String, Error> {
    if !policy.accepts(assurance) {
        return Err(Error::AssuranceNotAccepted(assurance.name()));
    }
    Ok(format!("assurance {} is accepted", assurance.name()))
}
