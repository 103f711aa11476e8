//! Whose word a document is, and of when.

use super::KIND;
use super::document::{Certificates, DOCUMENT_BYTES_MAX, Document};
use super::sign1::Sign1;
use crate::chain;
use crate::check::Check;
use crate::error::Error;
use crate::explain::{Refusal, Trace};
use crate::offline::{LIVE_WORDS, archived_words};
use crate::policy::{Assurance, Policy};
use crate::release::CLOCK_SKEW_MS_MAX;
use crate::signature::sha256;
use crate::tpm2::ek::{Development, Pinned};
use pki_types::{CertificateDer, TrustAnchor};
use std::marker::PhantomData;
use subtle::ConstantTimeEq;
use wire::{Digest, UnixMs};

/// A live document is at most this old, in milliseconds: the platform makes
/// one in well under a second; the rest is for clocks that differ.
pub const AGE_MS_MAX: u64 = CLOCK_SKEW_MS_MAX;
/// Root of NitroTPM and of enclaves: CN=aws.nitro-enclaves, 2019 to 2049.
const AWS_ROOT: &[u8] = include_bytes!("../../roots/aws-nitro-enclaves.der");
/// SHA-256 of [`AWS_ROOT`], as its owner publishes it.
const AWS_ROOT_DIGEST: &str = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b";

/// Whose documents are believed. The kind is in the type, as for
/// [endorsement keys](crate::tpm2::ek): what asks for [`Pinned`] cannot be
/// handed a root of somebody's own.
///
/// ```
/// use attest::nitro::{Root, verify_archived};
/// use attest::tpm2::ek::Pinned;
///
/// fn in_production(document: &[u8], root: &Root<Pinned>) -> bool {
///     verify_archived(document, root).is_ok()
/// }
/// assert!(!in_production(&[], &Root::aws().unwrap()));
/// ```
///
/// The same with a root of development does not compile:
///
/// ```compile_fail
/// use attest::nitro::{Root, verify_archived};
/// use attest::tpm2::ek::Pinned;
///
/// fn in_production(document: &[u8], root: &Root<Pinned>) -> bool {
///     verify_archived(document, root).is_ok()
/// }
/// assert!(!in_production(&[], &Root::development(&[]).unwrap()));
/// ```
#[derive(Debug, Clone)]
pub struct Root<K> {
    der: Vec<u8>,
    anchor: TrustAnchor<'static>,
    kind: PhantomData<K>,
}

impl Root<Pinned> {
    /// Amazon's.
    ///
    /// # Errors
    /// The root of this build is not the pinned one: a broken build.
    pub fn aws() -> Result<Self, Error> {
        if Digest::from_hex(AWS_ROOT_DIGEST) != Some(sha256(&[AWS_ROOT])) {
            return Err(Error::ChainInvalid("root"));
        }
        Self::of(AWS_ROOT)
    }
}

impl Root<Development> {
    /// Any DER certificate, on the caller's word alone.
    ///
    /// # Errors
    /// [`Error::ChainInvalid`].
    pub fn development(der: &[u8]) -> Result<Self, Error> {
        Self::of(der)
    }
}

impl<K> Root<K> {
    fn of(der: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            der: der.to_vec(),
            anchor: chain::anchor(der)?,
            kind: PhantomData,
        })
    }
}

/// A document that was made for a nonce, a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live<K> {
    document: Document,
    kind: PhantomData<K>,
}

/// A document that was genuine at its own time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived<K> {
    document: Document,
    kind: PhantomData<K>,
}

impl<K> Live<K> {
    /// What it says, of now.
    #[must_use]
    pub const fn document(&self) -> &Document {
        &self.document
    }
}

impl<K> Archived<K> {
    /// What it said, at [`Document::at`].
    #[must_use]
    pub const fn document(&self) -> &Document {
        &self.document
    }
}

/// Verifies a document that was asked for with `nonce`, `now`.
///
/// # Errors
/// `document_malformed`, `evidence_kind_unknown`, `document_signature_invalid`,
/// `document_nonce_mismatch`, `document_stale`, `clock_wrong`,
/// `chain_invalid`, `chain_root_unknown`, `chain_expired`.
pub fn verify_live<K>(
    bytes: &[u8],
    root: &Root<K>,
    now: UnixMs,
    nonce: &[u8],
) -> Result<Live<K>, Error> {
    let policy = Policy::default();
    live_steps(&mut Trace::new(&policy), bytes, root, now, nonce).map_err(Refusal::into_error)
}

/// Verifies a saved document at its own time. What was asked for with a
/// nonce is for the caller to compare.
///
/// # Errors
/// `document_malformed`, `evidence_kind_unknown`, `document_signature_invalid`,
/// `chain_invalid`, `chain_root_unknown`, `chain_expired` if its certificates
/// did not hold even then.
pub fn verify_archived<K>(bytes: &[u8], root: &Root<K>) -> Result<Archived<K>, Error> {
    let policy = Policy::default();
    archived_steps(&mut Trace::new(&policy), bytes, root).map_err(Refusal::into_error)
}

/// [`verify_archived`] that takes an enclave's document for a TPM's.
///
/// # Errors
/// As [`verify_archived`], but for `evidence_kind_unknown`.
#[cfg(feature = "ablation")]
pub fn dangerously_archived_of_any_kind<K>(
    bytes: &[u8],
    root: &Root<K>,
) -> Result<Archived<K>, Error> {
    let _ = certs::ablation::marker();
    let policy = Policy::default();
    let trace = &mut Trace::new(&policy);
    archived_as(trace, bytes, root, Document::parse_any_kind).map_err(Refusal::into_error)
}

/// [`verify_live`], step by step.
pub(crate) fn live_steps<K>(
    trace: &mut Trace<'_>,
    bytes: &[u8],
    root: &Root<K>,
    now: UnixMs,
    nonce: &[u8],
) -> Result<Live<K>, Refusal> {
    let signed = form(trace, bytes, Document::parse)?;
    trace.require(Check::Time, || {
        timely(&signed.document, now, nonce).map(|()| LIVE_WORDS.into())
    })?;
    genuine(trace, &signed, root, now)?;
    Ok(Live {
        document: signed.document,
        kind: PhantomData,
    })
}

/// [`verify_archived`], step by step.
pub(crate) fn archived_steps<K>(
    trace: &mut Trace<'_>,
    bytes: &[u8],
    root: &Root<K>,
) -> Result<Archived<K>, Refusal> {
    archived_as(trace, bytes, root, Document::parse)
}

fn archived_as<K>(
    trace: &mut Trace<'_>,
    bytes: &[u8],
    root: &Root<K>,
    statement: ParseStatement,
) -> Result<Archived<K>, Refusal> {
    let signed = form(trace, bytes, statement)?;
    let at = signed.document.at;
    trace.require(Check::Time, || Ok(archived_words(at)))?;
    genuine(trace, &signed, root, at)?;
    Ok(Archived {
        document: signed.document,
        kind: PhantomData,
    })
}

fn form<'a>(
    trace: &mut Trace<'_>,
    bytes: &'a [u8],
    statement: ParseStatement,
) -> Result<Signed<'a>, Refusal> {
    let signed = trace.derive(Check::DocumentForm, || {
        let signed = Signed::parse(bytes, statement)?;
        let detail = format!("{KIND} of {}", signed.document.module);
        Ok((signed, detail))
    })?;
    trace.subject.evidence = Some(KIND);
    trace.subject.assurance = Some(Assurance::Platform.name());
    Ok(signed)
}

fn genuine<K>(
    trace: &mut Trace<'_>,
    signed: &Signed<'_>,
    root: &Root<K>,
    at: UnixMs,
) -> Result<(), Refusal> {
    trace.require(Check::DocumentSignature, || {
        signed
            .by_its_leaf()
            .map(|()| "signed by the key of its certificate".into())
    })?;
    trace.require(Check::DocumentChain, || {
        signed
            .under(root, at)
            .map(|()| format!("from the pinned root, valid at {at}"))
    })
}

/// The document answers this nonce and was made a moment ago.
fn timely(document: &Document, now: UnixMs, nonce: &[u8]) -> Result<(), Error> {
    // A nonce that nobody drew proves nothing: absent and empty are refused.
    let asked = document
        .nonce
        .as_deref()
        .filter(|found| !found.is_empty() && bool::from(found.ct_eq(nonce)));
    if asked.is_none() {
        return Err(Error::DocumentNonceMismatch);
    }
    if document.at > now.plus_ms(CLOCK_SKEW_MS_MAX) {
        return Err(Error::ClockWrong);
    }
    if now.since_ms(document.at) > AGE_MS_MAX {
        return Err(Error::DocumentStale);
    }
    Ok(())
}

/// How a container's payload is read.
type ParseStatement = fn(&[u8]) -> Result<(Document, Certificates<'_>), Error>;

/// A document that was taken apart; its checks are made one by one.
struct Signed<'a> {
    container: Sign1<'a>,
    document: Document,
    certificates: Certificates<'a>,
}

impl<'a> Signed<'a> {
    fn parse(bytes: &'a [u8], statement: ParseStatement) -> Result<Self, Error> {
        let container =
            Sign1::parse(bytes, DOCUMENT_BYTES_MAX).map_err(Error::DocumentMalformed)?;
        let (document, certificates) = statement(container.payload)?;
        Ok(Self {
            container,
            document,
            certificates,
        })
    }

    /// The key of its own leaf certificate signed it. Cheaper than the path,
    /// and therefore first; it is worth nothing without.
    fn by_its_leaf(&self) -> Result<(), Error> {
        let point = chain::p384_point(self.certificates.leaf)?;
        if self.container.signed_by(&point) {
            Ok(())
        } else {
            Err(Error::DocumentSignatureInvalid)
        }
    }

    /// Its certificates lead from this root to the leaf, all valid at `at`.
    fn under<K>(&self, root: &Root<K>, at: UnixMs) -> Result<(), Error> {
        let Some((first, between)) = self.certificates.bundle.split_first() else {
            return Err(Error::ChainInvalid("empty bundle"));
        };
        if *first != root.der {
            return Err(Error::ChainRootUnknown);
        }
        let between: Vec<_> = between
            .iter()
            .map(|der| CertificateDer::from(*der))
            .collect();
        chain::verify(
            self.certificates.leaf,
            &between,
            &root.anchor,
            &[webpki::ring::ECDSA_P384_SHA384],
            chain::EK_PURPOSE,
            at,
        )
    }
}
