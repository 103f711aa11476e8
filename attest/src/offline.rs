//! Verdicts about files, for `roundcast verify`: no relay, no connection, no
//! admission. What cannot be checked so is named in the explanation.
//!
//! A verdict says of when it speaks, in its type, in its subject (`judged`)
//! and in words: [`Live`] answers a nonce of the moment, [`Now`] asks whether
//! the dates hold today, [`Archived`] asks whether all held at the evidence's
//! own time, and says nothing about today.

mod ak_quote;
mod document;
mod saved;
mod verdict;

pub use ak_quote::{
    AK_QUOTE_BYTES_MAX, AK_QUOTE_SCHEMA, AkQuoteForm, is_ak_quote, verify_ak_quote_archived,
    verify_ak_quote_archived_under,
};
pub use document::{verify_document_archived, verify_document_live};
pub use saved::{SAVED_BYTES_MAX, SavedEvidence, verify_saved, verify_saved_archived};
pub use verdict::{Archived, Live, Now, Tense, Verdict};
pub(crate) use verdict::{LIVE_WORDS, archived_words};

use crate::appraise::{release_checks, run, run_bare};
use crate::check::Check;
use crate::error::Error;
use crate::evidence::Evidence;
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
) -> Verdict<Now> {
    Verdict::of(release_folder(release_json, executable, roots, policy, now))
}

fn release_folder(
    release_json: &[u8],
    executable: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
    now: UnixMs,
) -> Result<Explanation, Refusal> {
    let mut trace = Trace::new(policy);
    let release = release_checks(&mut trace, release_json, roots, policy, now)?;
    match executable {
        Some(bytes) => trace.require(Check::Measurement, || program(&release, bytes))?,
        None => trace.skip(Check::Measurement, "no program was handed over"),
    }
    let profiles = &release.measurements.tpm2;
    if !profiles.is_empty() {
        let names: Vec<_> = profiles
            .iter()
            .map(|profile| format!("{} ({})", profile.name, profile.pcrs.bank()))
            .collect();
        trace.skip(
            Check::PcrDigest,
            &format!("registers of an image are measured: {}", names.join(", ")),
        );
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

/// The verdict about a relay's certificate (DER), now. The order is taken
/// from its evidence: whether it is the one that somebody wanted is not
/// checked, nor that the relay still has its key: that takes a live
/// challenge.
#[must_use]
pub fn verify_certificate(
    certificate: &[u8],
    roots: &TrustRoots,
    policy: &Policy,
    now: UnixMs,
) -> Verdict<Now> {
    let appraised = run(Trace::new(policy), certificate, None, roots, policy, now);
    Verdict::of(appraised.map(|appraised| appraised.explanation()))
}

/// The verdict about a saved certificate (DER), at the time at which its
/// platform signed: lease, release and root are asked whether they held
/// then, the policy is today's.
#[must_use]
pub fn verify_certificate_archived(
    certificate: &[u8],
    roots: &TrustRoots,
    policy: &Policy,
) -> Verdict<Archived> {
    let mut trace = Trace::new(policy);
    let appraised = own_time(&mut trace, || evidence(certificate))
        .and_then(|at| run(trace, certificate, None, roots, policy, at));
    Verdict::of(appraised.map(|appraised| appraised.explanation()))
}

/// The verdict about evidence (a DER `CMW`) without its certificate, now:
/// all but what binds it to the relay's key.
#[must_use]
pub fn verify_evidence(
    cmw: &[u8],
    roots: &TrustRoots,
    policy: &Policy,
    now: UnixMs,
) -> Verdict<Now> {
    Verdict::of(run_bare(Trace::new(policy), cmw, roots, policy, now))
}

/// [`verify_evidence`] at the time at which its platform signed.
#[must_use]
pub fn verify_evidence_archived(
    cmw: &[u8],
    roots: &TrustRoots,
    policy: &Policy,
) -> Verdict<Archived> {
    let mut trace = Trace::new(policy);
    Verdict::of(
        own_time(&mut trace, || Evidence::from_extension(cmw))
            .and_then(|at| run_bare(trace, cmw, roots, policy, at)),
    )
}

/// The evidence's own time. It is read before it is verified; the checks that
/// follow verify the statement that it stands in.
fn own_time(
    trace: &mut Trace<'_>,
    evidence: impl FnOnce() -> Result<Evidence, Error>,
) -> Result<UnixMs, Refusal> {
    trace.derive(Check::Time, || {
        let at = evidence()?.claimed_time()?;
        Ok((at, archived_words(at)))
    })
}

fn evidence(certificate: &[u8]) -> Result<Evidence, Error> {
    let value = certs::x509::extension(certificate, certs::x509::EVIDENCE_OID)
        .map_err(|_| Error::CertificateInvalid)?
        .ok_or(Error::EvidenceMissing)?;
    Evidence::from_extension(&value)
}
