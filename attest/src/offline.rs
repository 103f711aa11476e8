//! Verdicts about files, for `roundcast verify`: no relay, no connection, no
//! admission. What cannot be checked so is named in the explanation.
//!
//! A verdict says of when it speaks, in its subject (`judged`) and in words:
//! `live` answers a nonce of the moment, `now` asks whether the dates hold
//! today, `archived` asks whether all held at the evidence's own time, and
//! says nothing about today. Each is a function of its own.

mod ak_quote;
mod document;

pub use ak_quote::{
    AK_QUOTE_BYTES_MAX, AK_QUOTE_SCHEMA, AkQuoteForm, is_ak_quote, verify_ak_quote_archived,
    verify_ak_quote_archived_under,
};
pub use document::{verify_document_archived, verify_document_live};

use crate::appraise::{release_checks, run};
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
) -> Explanation {
    match release_folder(release_json, executable, roots, policy, now) {
        Ok(explanation) => explanation,
        Err(refusal) => refusal.explanation(),
    }
    .judged(Judged::Now)
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
) -> Explanation {
    match run(certificate, None, roots, policy, now) {
        Ok(appraised) => appraised.explanation(),
        Err(refusal) => refusal.explanation(),
    }
    .judged(Judged::Now)
}

/// The verdict about a saved certificate (DER), at the time at which its
/// platform signed: lease, release and root are asked whether they held
/// then, the policy is today's.
#[must_use]
pub fn verify_certificate_archived(
    certificate: &[u8],
    roots: &TrustRoots,
    policy: &Policy,
) -> Explanation {
    match archived(certificate, roots, policy) {
        Ok(explanation) => explanation,
        Err(refusal) => refusal.explanation(),
    }
    .judged(Judged::Archived)
}

fn archived(
    certificate: &[u8],
    roots: &TrustRoots,
    policy: &Policy,
) -> Result<Explanation, Refusal> {
    let mut trace = Trace::new(policy);
    // Read before it is verified; the checks that follow verify the
    // statement that it stands in.
    let at = trace.derive(Check::Time, || {
        let at = evidence(certificate)?.claimed_time()?;
        Ok((at, archived_words(at)))
    })?;
    let (_, mut steps) = trace.finish();
    let mut explanation = match run(certificate, None, roots, policy, at) {
        Ok(appraised) => appraised.explanation(),
        Err(refusal) => refusal.explanation(),
    };
    steps.append(&mut explanation.steps);
    Ok(Explanation {
        steps,
        ..explanation
    })
}

fn evidence(certificate: &[u8]) -> Result<Evidence, Error> {
    let value = certs::x509::extension(certificate, certs::x509::EVIDENCE_OID)
        .map_err(|_| Error::CertificateInvalid)?
        .ok_or(Error::EvidenceMissing)?;
    Evidence::from_extension(&value)
}

/// Of when a verdict speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// An answer to a nonce of this moment.
    Live,
    /// Today's dates.
    Now,
    /// The evidence's own time.
    Archived,
}

impl Judged {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Now => "now",
            Self::Archived => "archived",
        }
    }
}

const LIVE_WORDS: &str = "live: made a moment ago for this nonce";

fn archived_words(at: UnixMs) -> String {
    format!("archived: judged at its own time, {at}; says nothing about now")
}
