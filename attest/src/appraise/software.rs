//! The checks of kind `software`, in the design's order.

use super::checks::{self, Detail};
use super::{Against, Claims};
use crate::check::Check;
use crate::error::Error;
use crate::evidence::EvidenceKind;
use crate::explain::{Refusal, Trace};
use crate::policy::Assurance;
use crate::quote::{QuoteDigest, QuoteKey};
use crate::release::Release;
use crate::software::{PlatformStatement, SoftwareEvidence};

/// From the platform's statement to the boot; yields the key that was
/// attested.
pub(super) fn appraise(
    trace: &mut Trace<'_>,
    evidence: &SoftwareEvidence,
    claims: &Claims<'_>,
    against: &Against<'_>,
) -> Result<QuoteKey, Refusal> {
    let platform = platform(trace, evidence, claims, against)?;
    trace.require(Check::Assurance, || {
        checks::assurance(against.policy, Assurance::Development)
    })?;
    trace.require(Check::Measurement, || {
        measurement(&claims.release, &platform)
    })?;
    trace.require(Check::Parameters, || {
        checks::parameters(&platform.parameters, &claims.parameters_digest)
    })?;
    trace.require(Check::Terms, || {
        checks::terms(claims.order, claims.parameters, platform.issued)
    })?;
    let key = QuoteKey::Software(platform.boot_key);
    claims.boot(trace, |digest| boot(&key, digest, &evidence.boot_quote))?;
    Ok(key)
}

/// The platform's statement: signed by the order's desk, about this order
/// and this release file, at a time that fits.
fn platform(
    trace: &mut Trace<'_>,
    evidence: &SoftwareEvidence,
    claims: &Claims<'_>,
    against: &Against<'_>,
) -> Result<PlatformStatement, Refusal> {
    let desk = &claims.order.desk_key;
    trace.require(Check::Platform, || {
        evidence
            .platform
            .verify(desk)
            .map(|()| format!("signed by desk {}", desk.short()))
    })?;
    let statement = trace.derive(Check::PlatformForm, || {
        let statement = evidence.platform.statement()?;
        let detail = format!("program {}", statement.executable_sha256.short());
        Ok((statement, detail))
    })?;
    trace.require(Check::PlatformOrder, || {
        checks::platform_order(&claims.order_id, &statement.order)
    })?;
    trace.require(Check::PlatformRelease, || {
        checks::release_file(&statement.release, &claims.release.digest())
    })?;
    trace.require(Check::Freshness, || {
        checks::freshness(statement.issued, claims.parameters, against.now)
    })?;
    Ok(statement)
}

fn measurement(release: &Release, platform: &PlatformStatement) -> Detail {
    let expected = release
        .measurements
        .software
        .as_ref()
        .ok_or(Error::MeasurementMissing(EvidenceKind::Software.name()))?;
    if expected.executable_sha256.0 != platform.executable_sha256.0 {
        return Err(Error::MeasurementMismatch);
    }
    Ok(format!("program {}", platform.executable_sha256.short()))
}

/// The quote binds key, order and parameters.
fn boot(key: &QuoteKey, digest: &QuoteDigest, quote: &[u8]) -> Detail {
    if !key.signed(digest, quote)? {
        return Err(Error::BootBindingMismatch);
    }
    Ok("bound to key, order and parameters".into())
}
