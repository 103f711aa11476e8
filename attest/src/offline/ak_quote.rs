//! The verdict about a saved quote by a key that a cloud certified (kinds
//! `gcp_tpm` and `azure_tpm`), and the file that it is saved in.

use super::document::accepted;
use super::{Archived, Verdict, archived_words};
use crate::appraise::{Profiles, image_checks, register_checks, release_checks};
use crate::check::Check;
use crate::error::Error;
use crate::explain::{Explanation, Refusal, Trace};
use crate::policy::{Assurance, Policy, TrustRoots};
use crate::tpm2::ek::Development;
use crate::tpm2::{
    AkRoot, Attested, BETWEEN_MAX, Bank, CERTIFICATE_BYTES_MAX, Cloud, CloudKey, CloudQuote,
    PcrForm, Pcrs,
};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use wire::UnixMs;
use wire::limits::QUOTE_BYTES_MAX;

/// The `schema` of the file.
pub const AK_QUOTE_SCHEMA: &str = "roundcast.ak-quote/1";
/// The file, in bytes: all certificates at their longest in hexadecimal
/// digits, a quote, and registers.
pub const AK_QUOTE_BYTES_MAX: usize =
    2 * ((1 + BETWEEN_MAX) * CERTIFICATE_BYTES_MAX + QUOTE_BYTES_MAX) + 4096;

/// The file, in strict JSON: `{"schema": .., "cloud": "google", "at_ms": ..,
/// "certificate": hex, "between": [hex, ..], "quote": hex, "bank": "sha256",
/// "pcrs": {"4": hex, ..}}`. Unknown and repeated fields are refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AkQuoteForm {
    /// [`AK_QUOTE_SCHEMA`].
    pub schema: String,
    /// Whose pinned root the key is under, see [`Cloud`].
    pub cloud: String,
    /// When it was saved, milliseconds since 1970: a quote has no time.
    pub at_ms: u64,
    /// The key's certificate, DER in hexadecimal digits.
    pub certificate: String,
    /// The certificates between it and the root, in any order.
    pub between: Vec<String>,
    /// `TPM2B_ATTEST ‖ TPMT_SIGNATURE`.
    pub quote: String,
    /// The bank of `pcrs`.
    pub bank: String,
    /// The registers that releases measure.
    pub pcrs: PcrForm,
}

/// What a JSON file says that it is.
#[derive(Deserialize)]
struct Named {
    schema: String,
}

/// Whether a JSON file says of itself that it is such a quote.
#[must_use]
pub fn is_ak_quote(json: &[u8]) -> bool {
    json.len() <= AK_QUOTE_BYTES_MAX
        && serde_json::from_slice(json).is_ok_and(|named: Named| named.schema == AK_QUOTE_SCHEMA)
}

/// The verdict about a saved quote under the cloud's pinned root, at the time
/// that its file names: the certificates and the release are asked whether
/// they held then, the policy is today's.
#[must_use]
pub fn verify_ak_quote_archived(
    json: &[u8],
    release_json: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
) -> Verdict<Archived> {
    let root = |cloud: Cloud| Ok((cloud.root()?, Assurance::Platform));
    verify(json, root, release_json, roots, policy)
}

/// The same under a root of the caller's own, which proves nothing: its
/// assurance is `development`.
#[must_use]
pub fn verify_ak_quote_archived_under(
    json: &[u8],
    root: &AkRoot<Development>,
    release_json: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
) -> Verdict<Archived> {
    let root = |_| Ok((root.clone(), Assurance::Development));
    verify(json, root, release_json, roots, policy)
}

fn verify<K>(
    json: &[u8],
    root: impl FnOnce(Cloud) -> Result<(AkRoot<K>, Assurance), Error>,
    release_json: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
) -> Verdict<Archived> {
    Verdict::of(checks(json, root, release_json, roots, policy))
}

/// The file, taken apart; nothing of it is verified.
struct AkQuote {
    cloud: Cloud,
    at: UnixMs,
    certificate: Vec<u8>,
    between: Vec<Vec<u8>>,
    quote: Vec<u8>,
    pcrs: Pcrs,
}

impl AkQuote {
    fn parse(json: &[u8]) -> Result<Self, Error> {
        let malformed = Error::EvidenceMalformed;
        if json.len() > AK_QUOTE_BYTES_MAX {
            return Err(malformed("length"));
        }
        let form: AkQuoteForm = serde_json::from_slice(json).map_err(|_| malformed("JSON"))?;
        if form.schema != AK_QUOTE_SCHEMA {
            return Err(malformed("schema"));
        }
        let bytes = |text: &String| {
            let bytes = HEXLOWER.decode(text.as_bytes());
            bytes.map_err(|_| malformed("hexadecimal digits"))
        };
        let bank = Bank::from_name(&form.bank).ok_or(malformed("bank"))?;
        Ok(Self {
            cloud: Cloud::from_name(&form.cloud).ok_or(malformed("cloud"))?,
            at: UnixMs(form.at_ms),
            certificate: bytes(&form.certificate)?,
            between: form.between.iter().map(bytes).collect::<Result<_, _>>()?,
            quote: bytes(&form.quote)?,
            pcrs: form.pcrs.values(bank)?,
        })
    }
}

fn checks<K>(
    json: &[u8],
    root: impl FnOnce(Cloud) -> Result<(AkRoot<K>, Assurance), Error>,
    release_json: Option<&[u8]>,
    roots: &TrustRoots,
    policy: &Policy,
) -> Result<Explanation, Refusal> {
    let mut trace = Trace::new(policy);
    let saved = trace.derive(Check::EvidenceForm, || {
        let saved = AkQuote::parse(json)?;
        let kind = saved.cloud.kind();
        Ok((saved, format!("kind {kind}")))
    })?;
    trace.subject.evidence = Some(saved.cloud.kind());
    trace.require(Check::Time, || Ok(archived_words(saved.at)))?;
    let attested = signed(&mut trace, &saved)?;
    let assurance = certified(&mut trace, &saved, root)?;
    trace.require(Check::Assurance, || accepted(policy, assurance))?;
    register_checks(&mut trace, &attested, &saved.pcrs)?;
    let json = trace.derive(Check::ReleaseForm, || {
        let json = release_json.ok_or(Error::ReleaseMissing)?;
        Ok((json, "a release is at hand".into()))
    })?;
    let release = release_checks(&mut trace, json, roots, policy, saved.at)?;
    let released = Profiles {
        kind: saved.cloud.kind(),
        list: saved.cloud.released(&release.measurements),
    };
    image_checks(&mut trace, &saved.pcrs, released, policy)?;
    trace.skip(Check::Boot, "not checked against a relay's key and order");
    let (subject, steps) = trace.finish();
    Ok(Explanation::verified(subject, steps))
}

/// The key of the certificate signed the quote. Cheaper than the path, and
/// therefore first; it is worth nothing without.
fn signed(trace: &mut Trace<'_>, saved: &AkQuote) -> Result<Attested, Refusal> {
    let key = trace.derive(Check::Certificate, || {
        let key = CloudKey::of(&saved.certificate)?;
        let detail = format!("an attestation key of {}", key.name());
        Ok((key, detail))
    })?;
    let quote = trace.derive(Check::QuoteForm, || {
        let quote = CloudQuote::parse(&saved.quote, &key)?;
        let nonce = HEXLOWER.encode(&quote.attested().nonce);
        Ok((
            quote,
            format!("a TPM's statement about registers, nonce {nonce}"),
        ))
    })?;
    trace.require(Check::QuoteSignature, || {
        quote
            .signed_by(&key)
            .map(|()| "signed by the attestation key".into())
    })?;
    Ok(quote.attested().clone())
}

/// The key's certificate leads to the cloud's root; yields against whom that
/// proves anything.
fn certified<K>(
    trace: &mut Trace<'_>,
    saved: &AkQuote,
    root: impl FnOnce(Cloud) -> Result<(AkRoot<K>, Assurance), Error>,
) -> Result<Assurance, Refusal> {
    let (root, assurance) = trace.derive(Check::Root, || {
        let (root, assurance) = root(saved.cloud)?;
        let detail = format!("attestation keys of {}", saved.cloud);
        Ok(((root, assurance), detail))
    })?;
    trace.subject.assurance = Some(assurance.name());
    trace.require(Check::DocumentChain, || {
        let between: Vec<_> = saved.between.iter().map(Vec::as_slice).collect();
        root.certified(&saved.certificate, &between, saved.at)?;
        Ok(format!("from that root, valid at {}", saved.at))
    })?;
    Ok(assurance)
}
