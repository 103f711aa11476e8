//! From a relay's certificate to a verdict about the relay.

mod checks;
mod expectation;
mod software;
mod tpm2;

pub(crate) use checks::{order as order_check, release as release_checks};
pub use expectation::Expectation;
pub(crate) use tpm2::{Profiles, image as image_checks, registers as register_checks};

use crate::check::Check;
use crate::error::Error;
use crate::evidence::{Evidence, EvidenceKind};
use crate::explain::{Explanation, Refusal, Step, Subject, Trace};
use crate::policy::{Assurance, Policy, TrustRoots};
use crate::quote::{QuoteDigest, QuoteKey};
use crate::release::VerifiedRelease;
use wire::limits::CERTIFICATE_BYTES_MAX;
use wire::order::{Order, Parameters};
use wire::{Digest, OrderId, SpkiHash, UnixMs};

/// A relay whose evidence passed every check. It says what booted; that the
/// attested key is at the other end of a connection is for
/// [`crate::live::LiveVerdict`] to say. Only [`appraise`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appraised {
    spki: SpkiHash,
    order: OrderId,
    parameters: Parameters,
    parameters_digest: Digest,
    release: ReleaseName,
    verified_release: Option<VerifiedRelease>,
    kind: EvidenceKind,
    assurance: Assurance,
    quote_key: QuoteKey,
    subject: Subject,
    steps: Vec<Step>,
}

/// Which release a relay runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseName {
    /// Channel and version, e.g. `stable 0.1.0`.
    pub name: String,
    /// Its security version.
    pub security_version: u64,
    /// SHA-256 of its `release.json`.
    pub digest: Digest,
}

impl Appraised {
    /// The relay's key.
    #[must_use]
    pub const fn spki(&self) -> SpkiHash {
        self.spki
    }
    /// The order that it was started for.
    #[must_use]
    pub const fn order(&self) -> OrderId {
        self.order
    }
    /// What it was started with: rate, end of lease, byte cap.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }
    /// Digest of [`Appraised::parameters`].
    #[must_use]
    pub const fn parameters_digest(&self) -> Digest {
        self.parameters_digest
    }
    /// Its release.
    #[must_use]
    pub const fn release(&self) -> &ReleaseName {
        &self.release
    }
    /// SHA-256 of its `release.json`.
    #[must_use]
    pub const fn release_digest(&self) -> Digest {
        self.release.digest
    }
    /// The release itself, from which a [`Policy`] learns; none stands
    /// behind an appraisal that an ablated build assumes.
    #[must_use]
    pub const fn verified_release(&self) -> Option<&VerifiedRelease> {
        self.verified_release.as_ref()
    }
    /// The kind of its evidence.
    #[must_use]
    pub const fn kind(&self) -> EvidenceKind {
        self.kind
    }
    /// Against whom the evidence proves anything.
    #[must_use]
    pub const fn assurance(&self) -> Assurance {
        self.assurance
    }
    /// The key that must sign its live answers.
    #[must_use]
    pub const fn quote_key(&self) -> &QuoteKey {
        &self.quote_key
    }
    /// The checks that were made.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
    /// What the verdict speaks of.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }
    /// For the page and for `verify`.
    #[must_use]
    pub fn explanation(&self) -> Explanation {
        Explanation::verified(self.subject.clone(), self.steps.clone())
    }

    /// An appraisal that nothing stands behind: whoever has this key is
    /// taken for the relay of this order, and every live answer is taken.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_assume(spki: SpkiHash, order: OrderId, parameters: Parameters) -> Self {
        let _ = certs::ablation::marker();
        Self {
            spki,
            order,
            parameters_digest: certs::order::parameters_digest(&parameters),
            parameters,
            release: ReleaseName {
                name: "assumed".into(),
                security_version: 0,
                digest: Digest([0; 32]),
            },
            verified_release: None,
            kind: EvidenceKind::Software,
            assurance: Assurance::Development,
            quote_key: QuoteKey::Anything,
            subject: Subject {
                spki: Some(spki.to_hex()),
                order: Some(order.to_hex()),
                ..Subject::default()
            },
            steps: Vec::new(),
        }
    }
}

/// Appraises the certificate that a relay presented in the handshake,
/// against the admission that named the relay. The order of the checks is:
/// admission, release, platform, measurement, boot.
///
/// # Errors
/// A [`Refusal`] whose last step is the check that failed.
pub fn appraise(
    certificate: &[u8],
    expectation: &Expectation,
    roots: &TrustRoots,
    policy: &Policy,
    now: UnixMs,
) -> Result<Appraised, Refusal> {
    let trace = Trace::new(policy);
    run(trace, certificate, Some(expectation), roots, policy, now)
}

/// [`appraise`], or without an admission for files that were handed over;
/// goes on with `trace`.
pub(crate) fn run(
    mut trace: Trace<'_>,
    certificate: &[u8],
    expectation: Option<&Expectation>,
    roots: &TrustRoots,
    policy: &Policy,
    now: UnixMs,
) -> Result<Appraised, Refusal> {
    let spki = spki(&mut trace, certificate)?;
    match expectation {
        Some(expected) => trace.require(Check::Admission, || checks::admission(expected, &spki))?,
        None => trace.skip(Check::Admission, "not checked against an admission"),
    }
    #[cfg(feature = "ablation")]
    if let (false, Some(expected)) = (policy.requires(Check::Evidence), expectation) {
        return Ok(Appraised::dangerously_assume(
            expected.spki(),
            expected.order(),
            ablated_parameters(now),
        ));
    }
    let extension = trace.derive(Check::Evidence, || extension(certificate))?;
    let evidence = parsed(&mut trace, &extension)?;
    let kind = evidence.kind();
    let against = Against {
        expectation,
        roots,
        policy,
        now,
    };
    let (claims, quote_key) = judged(&mut trace, Some(spki), &evidence, &against)?;
    let (subject, steps) = trace.finish();
    Ok(Appraised {
        spki,
        order: claims.order_id,
        parameters: claims.parameters.clone(),
        parameters_digest: claims.parameters_digest,
        release: ReleaseName {
            name: claims.release.name(),
            security_version: claims.release.security_version,
            digest: claims.release.digest(),
        },
        verified_release: Some(claims.release),
        kind,
        assurance: kind.assurance(),
        quote_key,
        subject,
        steps,
    })
}

/// Evidence that was handed over without its certificate.
pub(crate) fn run_bare(
    mut trace: Trace<'_>,
    cmw: &[u8],
    roots: &TrustRoots,
    policy: &Policy,
    now: UnixMs,
) -> Result<Explanation, Refusal> {
    trace.skip(Check::Certificate, "evidence without its certificate");
    trace.skip(Check::Admission, "not checked against an admission");
    let evidence = parsed(&mut trace, cmw)?;
    let against = Against {
        expectation: None,
        roots,
        policy,
        now,
    };
    judged(&mut trace, None, &evidence, &against)?;
    let (subject, steps) = trace.finish();
    Ok(Explanation::verified(subject, steps))
}

fn parsed(trace: &mut Trace<'_>, cmw: &[u8]) -> Result<Evidence, Refusal> {
    let evidence = trace.derive(Check::EvidenceForm, || {
        let evidence = Evidence::from_extension(cmw)?;
        let kind = evidence.kind().name();
        Ok((evidence, format!("kind {kind}")))
    })?;
    let kind = evidence.kind();
    trace.subject.evidence = Some(kind.name());
    trace.subject.assurance = Some(kind.assurance().name());
    Ok(evidence)
}

/// The checks of every kind, then those of its own; yields the key that must
/// sign live answers.
fn judged<'a>(
    trace: &mut Trace<'_>,
    spki: Option<SpkiHash>,
    evidence: &'a Evidence,
    against: &Against<'_>,
) -> Result<(Claims<'a>, QuoteKey), Refusal> {
    let claims = Claims::check(trace, spki, evidence, against)?;
    let quote_key = match evidence {
        Evidence::Software(evidence) => software::appraise(trace, evidence, &claims, against)?,
        Evidence::Tpm2(evidence) => tpm2::appraise(trace, evidence, &claims, against)?,
    };
    Ok((claims, quote_key))
}

/// An hour without bounds, for a relay that nothing is known of.
#[cfg(feature = "ablation")]
fn ablated_parameters(now: UnixMs) -> Parameters {
    Parameters {
        listen: wire::codec::Text::default(),
        rate_bps: wire::codec::VARINT_MAX,
        lease_end: now.plus_ms(3_600_000),
        byte_cap: wire::codec::VARINT_MAX,
        private_networks: true,
    }
}

/// What evidence is compared with.
struct Against<'a> {
    expectation: Option<&'a Expectation>,
    roots: &'a TrustRoots,
    policy: &'a Policy,
    now: UnixMs,
}

fn spki(trace: &mut Trace<'_>, certificate: &[u8]) -> Result<SpkiHash, Refusal> {
    let spki = trace.derive(Check::Certificate, || {
        if certificate.len() > CERTIFICATE_BYTES_MAX {
            return Err(Error::CertificateInvalid);
        }
        let spki =
            certs::x509::verify_self_signed(certificate).map_err(|_| Error::CertificateInvalid)?;
        Ok((spki, format!("key {}", spki.short())))
    })?;
    trace.subject.spki = Some(spki.to_hex());
    Ok(spki)
}

fn extension(certificate: &[u8]) -> Result<(Vec<u8>, String), Error> {
    let value = certs::x509::extension(certificate, certs::x509::EVIDENCE_OID)
        .map_err(|_| Error::CertificateInvalid)?
        .ok_or(Error::EvidenceMissing)?;
    let detail = format!("{} bytes", value.len());
    Ok((value, detail))
}

/// What evidence of every kind carries, after the checks that do not depend
/// on the platform: the order is the admitted one, the release the
/// developer's and of the ordered channel.
struct Claims<'a> {
    /// None where evidence came without the certificate that shows it.
    spki: Option<SpkiHash>,
    order: &'a Order,
    order_id: OrderId,
    parameters: &'a Parameters,
    parameters_digest: Digest,
    release: VerifiedRelease,
}

impl<'a> Claims<'a> {
    fn check(
        trace: &mut Trace<'_>,
        spki: Option<SpkiHash>,
        evidence: &'a Evidence,
        against: &Against<'_>,
    ) -> Result<Self, Refusal> {
        let (order, parameters, release_json) = evidence.claims();
        let order_id = certs::order::id(order);
        trace.subject.order = Some(order_id.to_hex());
        match against.expectation {
            Some(expected) => {
                trace.require(Check::Order, || checks::order(&expected.order(), &order_id))?
            }
            None => trace.skip(Check::Order, "not checked against an order"),
        }
        let release = checks::release(
            trace,
            release_json,
            against.roots,
            against.policy,
            against.now,
        )?;
        trace.require(Check::ReleaseChannel, || checks::channel(order, &release))?;
        Ok(Self {
            spki,
            order,
            order_id,
            parameters,
            parameters_digest: certs::order::parameters_digest(parameters),
            release,
        })
    }

    /// That the boot was quoted with key, order and parameters, as `bound`
    /// finds.
    fn boot(
        &self,
        trace: &mut Trace<'_>,
        bound: impl FnOnce(&QuoteDigest) -> checks::Detail,
    ) -> Result<(), Refusal> {
        match self.spki {
            Some(spki) => trace.require(Check::Boot, || {
                bound(&QuoteDigest::boot(
                    &spki,
                    &self.order_id,
                    &self.parameters_digest,
                ))
            }),
            None => {
                trace.skip(Check::Boot, "the certificate alone shows the key");
                Ok(())
            }
        }
    }
}
