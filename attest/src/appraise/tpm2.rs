//! The checks of kind `tpm2`, in the design's order: what the desk says of
//! the attestation key, what that key says of the registers, and what the
//! release says that they must be.

use super::checks::{self, Detail};
use super::{Against, Claims};
use crate::check::Check;
use crate::error::Error;
use crate::evidence::EvidenceKind;
use crate::explain::{Refusal, Trace};
use crate::policy::Policy;
use crate::quote::{QuoteDigest, QuoteKey};
use crate::release::Tpm2Measurement;
use crate::tpm2::public::{AkPublic, Point};
use crate::tpm2::{Attested, BootState, Pcrs, Quote, Tpm2Evidence, TpmStatement};
use wire::{Digest, PublicKey, UnixMs};

/// From the desk's statement to the boot; yields the key that was attested,
/// with what its live quotes are compared with.
pub(super) fn appraise(
    trace: &mut Trace<'_>,
    evidence: &Tpm2Evidence,
    claims: &Claims<'_>,
    against: &Against<'_>,
) -> Result<QuoteKey, Refusal> {
    let statement = statement(trace, evidence, claims, against)?;
    trace.require(Check::Assurance, || {
        operator(against.policy, &claims.order.desk_key)
    })?;
    let ak = trace.derive(Check::AttestationKey, || {
        let ak = AkPublic::parse(&statement.ak_public)?;
        let detail = "restricted, and cannot leave its TPM".to_owned();
        Ok((*ak.point(), detail))
    })?;
    let attested = quoted(trace, evidence, &ak)?;
    let released = Profiles {
        kind: EvidenceKind::Tpm2.name(),
        list: &claims.release.measurements.tpm2,
    };
    image(trace, &evidence.pcrs, released, against.policy)?;
    trace.require(Check::Parameters, || {
        checks::parameters(&statement.parameters_digest, &claims.parameters_digest)
    })?;
    trace.require(Check::Terms, || {
        checks::terms(claims.order, claims.parameters, statement.issued)
    })?;
    claims.boot(trace, |digest| boot(&attested, digest))?;
    Ok(QuoteKey::Tpm2(BootState::new(ak, &attested)))
}

/// The desk's statement: signed by the order's desk, about this order and
/// this release file, until the end of the lease.
fn statement(
    trace: &mut Trace<'_>,
    evidence: &Tpm2Evidence,
    claims: &Claims<'_>,
    against: &Against<'_>,
) -> Result<TpmStatement, Refusal> {
    let desk = &claims.order.desk_key;
    trace.require(Check::Platform, || {
        evidence
            .statement
            .verify(desk)
            .map(|()| format!("signed by desk {}", desk.short()))
    })?;
    let statement = trace.derive(Check::PlatformForm, || {
        let statement = evidence.statement.statement()?;
        let ek = statement.ek_certificate_digest.short();
        Ok((statement, format!("TPM with endorsement certificate {ek}")))
    })?;
    trace.require(Check::PlatformOrder, || {
        checks::platform_order(&claims.order_id, &statement.order)
    })?;
    trace.require(Check::PlatformRelease, || {
        checks::release_file(&statement.release_digest, &claims.release.digest())
    })?;
    trace.require(Check::Freshness, || {
        until(&statement, claims.parameters.lease_end)?;
        checks::freshness(statement.issued, claims.parameters, against.now)
    })?;
    Ok(statement)
}

/// The desk's word and the machine's paid time end together.
fn until(statement: &TpmStatement, lease_end: UnixMs) -> Result<(), Error> {
    if statement.until != lease_end {
        return Err(Error::PlatformEndMismatch);
    }
    Ok(())
}

/// The viewer named this desk as an operator whom he believes.
fn operator(policy: &Policy, desk: &PublicKey) -> Detail {
    let detail = checks::assurance(policy, EvidenceKind::Tpm2.assurance())?;
    let key = certs::x509::spki_of_public(desk);
    if !policy.trusts_operator(&key) {
        return Err(Error::OperatorNotTrusted(key.short()));
    }
    Ok(format!("{detail} of desk {}", key.short()))
}

/// The quote: made by a TPM, signed by the AK, over the released registers,
/// which are the ones that the evidence shows.
fn quoted(trace: &mut Trace<'_>, evidence: &Tpm2Evidence, ak: &Point) -> Result<Attested, Refusal> {
    let quote = trace.derive(Check::QuoteForm, || {
        let quote = Quote::parse(&evidence.boot_quote)?;
        Ok((quote, "a TPM's statement about registers".to_owned()))
    })?;
    trace.require(Check::QuoteSignature, || {
        quote
            .signed_by(ak)
            .map(|()| "signed by the attestation key".to_owned())
    })?;
    registers(trace, quote.attested(), &evidence.pcrs)?;
    Ok(quote.attested().clone())
}

/// The registers shown are the released ones, and those that were quoted.
pub(crate) fn registers(
    trace: &mut Trace<'_>,
    attested: &Attested,
    pcrs: &Pcrs,
) -> Result<(), Refusal> {
    trace.require(Check::PcrSelection, || selection(attested, pcrs))?;
    trace.require(Check::PcrDigest, || digest(attested, pcrs))
}

fn selection(attested: &Attested, pcrs: &Pcrs) -> Detail {
    if u64::from(attested.bank) != pcrs.bank().code() {
        return Err(Error::PcrBankMismatch);
    }
    if !attested.selects_released() {
        return Err(Error::PcrSelectionMismatch);
    }
    Ok(format!("PCR 4, 7, 9, 11, 12, 13 of bank {}", pcrs.bank()))
}

fn digest(attested: &Attested, pcrs: &Pcrs) -> Detail {
    let digest = pcrs.digest();
    if attested.pcr_digest != digest {
        return Err(Error::PcrDigestMismatch);
    }
    Ok(format!("registers {}", digest.short()))
}

/// What a release says that the registers of one kind of machine must be.
#[derive(Clone, Copy)]
pub(crate) struct Profiles<'a> {
    /// The kind's stable name.
    pub(crate) kind: &'static str,
    /// One per firmware and bank.
    pub(crate) list: &'a [Tpm2Measurement],
}

/// What booted is the release's image, it alone, and not revoked.
pub(crate) fn image(
    trace: &mut Trace<'_>,
    pcrs: &Pcrs,
    released: Profiles<'_>,
    policy: &Policy,
) -> Result<(), Refusal> {
    trace.require(Check::ImageDenylist, || denylist(policy, &pcrs.digest()))?;
    trace.require(Check::Injection, || injection(pcrs))?;
    trace.require(Check::Measurement, || measurement(released, pcrs))
}

/// The digest of an image's registers can be revoked like a program's.
fn denylist(policy: &Policy, registers: &Digest) -> Detail {
    if policy.denies(registers) {
        return Err(Error::ImageDenied);
    }
    Ok("the image is not denied".into())
}

fn injection(pcrs: &Pcrs) -> Detail {
    if let Some(pcr) = pcrs.injected() {
        return Err(Error::PcrInjected(pcr));
    }
    Ok("nothing came from beside the image".into())
}

/// One profile of the quoted bank has all the values. A refusal names the
/// first difference to the profile that is closest.
fn measurement(released: Profiles<'_>, pcrs: &Pcrs) -> Detail {
    let closest = released
        .list
        .iter()
        .filter(|profile| profile.pcrs.bank() == pcrs.bank())
        .min_by_key(|profile| profile.pcrs.differing(pcrs).count())
        .ok_or(Error::MeasurementMissing(released.kind))?;
    if let Some(pcr) = closest.pcrs.differing(pcrs).next() {
        return Err(Error::PcrMismatch(pcr));
    }
    Ok(format!("profile {}", closest.name))
}

/// The quote was asked for with the boot's digest: nothing that a live
/// challenge can ask for has this label before its hash.
fn boot(attested: &Attested, digest: &QuoteDigest) -> Detail {
    if attested.nonce != *digest.as_bytes() {
        return Err(Error::BootBindingMismatch);
    }
    Ok("bound to key, order and parameters".into())
}
